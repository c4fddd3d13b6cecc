package workspace

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// maxBlame is how much text the lines of one file may have with their commits, in
// bytes.
const maxBlame = 64 << 20

// BlameLine is one line of a file, with the commit that it comes from.
type BlameLine struct {
	Line   int // from 1
	Text   string
	Commit Commit
}

// Blame returns the lines of a file at a revision, main where it is empty, each
// with the commit that last changed it: on whose behalf, by which dispatch. It is
// fault.NotFound where there is no such file, and fault.Invalid where it is no
// text of a size to read.
func (s *Store) Blame(ctx context.Context, id, rev, path string) ([]BlameLine, error) {
	if err := git.CheckPath(path); err != nil {
		return nil, err
	}
	if _, err := s.ReadFile(ctx, id, rev, path); err != nil {
		return nil, err
	}
	r, err := s.open(ctx, id)
	if err != nil {
		return nil, err
	}
	commit, err := r.resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	res, err := r.Run(ctx, git.Cmd{Args: []string{"blame", "--porcelain", "--no-progress", commit.String(), "--", path}, Limit: maxBlame})
	if errors.Is(err, git.ErrOutput) {
		return nil, fault.New(fault.Invalid, tree.Escape(path)+" is too large to say where each line is from", "vexa workspace log NAME --path lists the commits that changed it")
	}
	if err != nil {
		return nil, err
	}
	lines, ids, err := parseBlame(string(res.Stdout))
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	commits := make(map[string]Commit, len(ids))
	all, err := r.log(ctx, LogQuery{noWalk: true}, ids...)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		commits[c.SHA] = c
	}
	for i := range lines {
		lines[i].Commit = commits[lines[i].Commit.SHA]
	}
	return lines, nil
}

// parseBlame reads what git blame --porcelain prints: for each line
// "<id> <line there> <line here>[ <lines>]", for the first of a commit's some
// headers, and a tab with the text. Of each commit it returns the id alone.
func parseBlame(text string) (lines []BlameLine, ids []string, err error) {
	seen := map[string]bool{}
	now := BlameLine{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "\t"); ok {
			now.Text = rest
			lines = append(lines, now)
			now = BlameLine{}
			continue
		}
		if now.Line != 0 {
			continue // a header
		}
		parts := strings.Fields(line)
		if len(parts) < 3 {
			return nil, nil, errors.New("git blame printed something else than it says")
		}
		if now.Line, err = strconv.Atoi(parts[2]); err != nil || now.Line < 1 {
			return nil, nil, errors.New("git blame printed something else than it says")
		}
		now.Commit.SHA = parts[0]
		if !seen[parts[0]] {
			seen[parts[0]] = true
			ids = append(ids, parts[0])
		}
	}
	return lines, ids, nil
}
