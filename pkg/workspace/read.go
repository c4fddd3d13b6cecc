package workspace

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// The most that one read returns, in bytes.
const (
	maxDiff = 32 << 20
	maxFile = 256 << 20
)

// Files lists the files of a commit's tree; an empty rev means main.
func (s *Store) Files(ctx context.Context, id, rev string) ([]FileEntry, error) {
	r, err := s.open(ctx, id)
	if err != nil {
		return nil, err
	}
	commit, err := r.resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	return r.filesOf(ctx, commit, "-l")
}

// filesOf lists the files of a commit or a tree in the order of their paths, with the
// option -l of git-ls-tree(1) with their sizes.
func (r *repo) filesOf(ctx context.Context, id object.ID, options ...string) ([]FileEntry, error) {
	args := append([]string{"ls-tree", "-r", "-z", "--full-tree"}, options...)
	res, err := r.Run(ctx, git.Cmd{Args: append(args, id.String()), Limit: 1 << 30})
	if err != nil {
		return nil, err
	}
	out := []FileEntry{}
	for line := range strings.SplitSeq(string(res.Stdout), "\x00") {
		head, path, ok := strings.Cut(line, "\t")
		f := strings.Fields(head)
		if !ok || len(f) < 3 {
			continue
		}
		e := FileEntry{Path: path, Mode: f[0], SHA: f[2]}
		if len(f) > 3 {
			e.Size, _ = strconv.ParseInt(f[3], 10, 64) // "-": not a file
		}
		out = append(out, e)
	}
	return out, nil
}

// ReadFile returns the bytes of one file of a commit, the text of a symbolic
// link included. It returns fault.NotFound where there is none.
func (s *Store) ReadFile(ctx context.Context, id, rev, path string) ([]byte, error) {
	if err := git.CheckPath(path); err != nil {
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
	e, err := r.entry(ctx, commit, path)
	if err != nil {
		return nil, err
	}
	if e.ID.IsZero() || e.Mode == object.ModeDir || e.Mode == object.ModeGitlink {
		return nil, fault.New(fault.NotFound, "there is no file "+tree.Escape(path)+" in "+commit.String()[:12], "list them with: vexa workspace files")
	}
	data, err := r.Object(ctx, e.ID.String(), "blob", maxFile)
	if errors.Is(err, git.ErrTooLarge) {
		return nil, fault.New(fault.Invalid, tree.Escape(path)+" is larger than "+strconv.Itoa(maxFile)+" bytes", "check the workspace out to read it")
	}
	return data, err
}

// DiffQuery says what a diff compares.
type DiffQuery struct {
	From string // default: the first parent of To
	To   string // default: main
	Unit string // in place of both: what this dispatch changed, up to its newest commit
	Path string // only what is at or below it; default: everything
}

// Diff returns the unified diff between two commits.
func (s *Store) Diff(ctx context.Context, id string, q DiffQuery) (string, error) {
	r, err := s.open(ctx, id)
	if err != nil {
		return "", err
	}
	if q.Path != "" {
		if err := git.CheckPath(q.Path); err != nil {
			return "", err
		}
	}
	from, to := q.From, q.To
	if q.Unit != "" {
		if from, to, err = r.spanOf(ctx, q.Unit); err != nil {
			return "", err
		}
	}
	after, err := r.resolve(ctx, to)
	if err != nil {
		return "", err
	}
	before := object.EmptyTree
	if from != "" {
		commit, err := r.resolve(ctx, from)
		if err != nil {
			return "", err
		}
		before = commit.String()
	} else if c, err := r.readCommit(ctx, after); err != nil {
		return "", err
	} else if len(c.Parents) > 0 {
		before = c.Parents[0].String()
	}
	return r.diff(ctx, before, after.String(), q.Path)
}

// diff compares two commits or trees, at and below a path where that is not empty.
func (r *repo) diff(ctx context.Context, before, after, path string) (string, error) {
	args := []string{
		"diff-tree", "-r", "-p", "--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none",
		"--find-renames", "--full-index", "--src-prefix=a/", "--dst-prefix=b/", "--end-of-options", before, after, "--",
	}
	if path != "" {
		args = append(args, path)
	}
	res, err := r.Run(ctx, git.Cmd{Args: args, Limit: maxDiff})
	if errors.Is(err, git.ErrOutput) {
		return "", fault.New(fault.Invalid, "the diff is larger than "+strconv.Itoa(maxDiff)+" bytes", "compare commits that are closer together")
	}
	return string(res.Stdout), err
}

// spanOf returns what a dispatch began from and the newest commit of its own.
func (r *repo) spanOf(ctx context.Context, unit string) (from, to string, err error) {
	main, err := r.ref(refMain)
	if err != nil {
		return "", "", err
	}
	revs := []string{main.String()}
	branches, err := r.refsBelow(refBranches)
	if err != nil {
		return "", "", err
	}
	for _, id := range branches { // what is not merged is of a dispatch, too
		revs = append(revs, id.String())
	}
	list, err := r.log(ctx, LogQuery{Unit: unit}, revs...)
	if err != nil {
		return "", "", err
	}
	list = slices.DeleteFunc(list, func(c Commit) bool { return len(c.Parents) != 1 })
	if len(list) == 0 {
		return "", "", fault.New(fault.NotFound, "there is no commit of dispatch "+strconv.Quote(unit), "vexa workspace log lists the commits")
	}
	return list[len(list)-1].Parents[0], list[0].SHA, nil
}
