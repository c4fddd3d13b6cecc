package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/merge"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// Git merges by lines, which for the frontmatter of a page is guessing: two
// people who change neighbouring keys do not conflict, and two who add the same
// key at different places do. What both sides changed of a page is therefore
// merged again, by key.

// maxPage is the size, in bytes, from which a page is merged by lines alone.
const maxPage = 4 << 20

// mergedTree is what git merge-tree made.
type mergedTree struct {
	root     object.ID
	stages   map[string][3]treeStage // of the paths that conflict: base, ours, theirs
	conflict []string                // those paths, in git's order
	kinds    map[string][]string     // what git says of each path: "Auto-merging", "CONFLICT (contents)"
	said     []said
}

// said is one thing that git says of some paths.
type said struct {
	paths []string
	kind  string
}

// treeStage is one side of a path that conflicts; the zero value is none.
type treeStage struct{ mode, id string }

// conflict is a path that could not be merged.
type conflict struct {
	path   string
	why    []string
	stages [3]treeStage // zero where nothing is known of them
	moved  string       // where git put the file, since a directory is in its way; empty: at its path
}

// nameless are conflicts that git lists no file of: it says them of a path alone,
// such as a directory that was renamed to two places.
func (m mergedTree) nameless() []conflict {
	var out []conflict
	for _, msg := range m.said {
		known := slices.ContainsFunc(msg.paths, func(p string) bool { _, ok := m.stages[p]; return ok })
		if strings.HasPrefix(msg.kind, "CONFLICT") && !known && len(msg.paths) > 0 {
			out = append(out, conflict{path: msg.paths[0], why: []string{msg.kind}})
		}
	}
	return out
}

// conflictOf says what git does of a path that conflicts.
func (m mergedTree) conflictOf(path string) conflict {
	c := conflict{path: path, stages: m.stages[path]}
	for _, kind := range m.kinds[path] {
		if kind != "Auto-merging" {
			c.why = append(c.why, kind)
		}
	}
	if c.why == nil {
		c.why = []string{"both sides changed it"}
	}
	for _, msg := range m.said {
		if msg.kind == "CONFLICT (file/directory)" && len(msg.paths) == 2 && msg.paths[0] == path {
			c.path, c.moved = msg.paths[1], path
		}
	}
	return c
}

// parseMergeTree reads what git merge-tree -z --messages prints (its manual:
// OUTPUT).
func parseMergeTree(out []byte) (mergedTree, error) {
	m := mergedTree{stages: map[string][3]treeStage{}, kinds: map[string][]string{}}
	bad := func() (mergedTree, error) { return m, errors.New("git merge-tree printed something else than it says") }
	fields := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	var err error
	if m.root, err = object.ParseID(strings.TrimSpace(fields[0])); err != nil {
		return m, fmt.Errorf("git merge-tree: %w", err)
	}
	fields = fields[1:]
	for len(fields) > 0 && fields[0] != "" {
		about, name, ok := strings.Cut(fields[0], "\t")
		parts := strings.Fields(about)
		if !ok || len(parts) != 3 {
			return bad()
		}
		stage, err := strconv.Atoi(parts[2])
		if err != nil || stage < 1 || stage > 3 {
			return bad()
		}
		all := m.stages[name]
		if all == [3]treeStage{} {
			m.conflict = append(m.conflict, name)
		}
		all[stage-1] = treeStage{mode: parts[0], id: parts[1]}
		m.stages[name], fields = all, fields[1:]
	}
	for fields = fields[min(1, len(fields)):]; len(fields) > 0; {
		if strings.HasPrefix(strings.TrimSpace(fields[0]), "Recursive merging with submodules") {
			break // advice, which is not part of the format
		}
		n, err := strconv.Atoi(fields[0])
		if err != nil || n < 0 || len(fields) < n+3 {
			return bad()
		}
		for _, name := range fields[1 : n+1] {
			m.kinds[name] = append(m.kinds[name], fields[n+1])
		}
		m.said = append(m.said, said{paths: fields[1 : n+1], kind: fields[n+1]})
		fields = fields[n+3:]
	}
	return m, nil
}

// pages are the paths of pages that both sides changed, and that are neither
// renamed nor of two kinds.
func (m mergedTree) pages() []string {
	var out []string
	for name, kinds := range m.kinds {
		simple := !slices.ContainsFunc(kinds, func(k string) bool { return k != "Auto-merging" && k != "CONFLICT (contents)" })
		if simple && strings.HasSuffix(strings.ToLower(name), ".md") && !strings.ContainsAny(name, "\n\x00") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// mergePages merges again, by key, the pages that both sides changed. What comes
// of it is in the tree that it returns; the paths that conflict are the others.
func (r *repo) mergePages(ctx context.Context, q string, ours, theirs object.ID, m mergedTree) (object.ID, []conflict, error) {
	conflicts := make([]conflict, 0, len(m.conflict))
	for _, p := range m.conflict {
		conflicts = append(conflicts, m.conflictOf(p))
	}
	pages := m.pages()
	if len(pages) == 0 {
		return m.root, conflicts, nil
	}
	base, err := r.mergeBase(ctx, q, ours, theirs)
	if err != nil || base == "" { // of several bases git makes one of its own
		return m.root, conflicts, err
	}
	var names []string
	for _, p := range pages {
		names = append(names, base+":"+p, ours.String()+":"+p, theirs.String()+":"+p, m.root.String()+":"+p)
	}
	sides, err := r.readIn(ctx, q, names)
	if err != nil {
		return m.root, nil, err
	}
	root := m.root
	var changes []treeChange
	for i, p := range pages {
		four := sides[4*i : 4*i+4]
		if slices.ContainsFunc(four, func(s []byte) bool { return s == nil }) {
			continue // renamed, too large, or no file
		}
		text, broken, err := r.mergePage(ctx, q, p, four)
		if errors.Is(err, git.ErrNoText) {
			continue // git has seen to it as it does
		}
		if err != nil {
			return root, nil, err
		}
		conflicts = slices.DeleteFunc(conflicts, func(c conflict) bool { return c.path == p })
		if len(broken) > 0 {
			conflicts = append(conflicts, conflict{path: p, why: broken, stages: m.stages[p]})
		} else if !bytes.Equal(text, four[3]) {
			id, err := object.WriteLoose(q, object.KindBlob, text)
			if err != nil {
				return root, nil, err
			}
			changes = append(changes, treeChange{path: p, id: id})
		}
	}
	if len(changes) > 0 {
		root, err = r.editTree(ctx, q, root, changes)
	}
	return root, conflicts, err
}

// mergePage merges one page: base, ours and theirs. It returns why that cannot be
// done where it cannot; the fourth is what git made of it.
func (r *repo) mergePage(ctx context.Context, q, name string, sides [][]byte) (text []byte, why []string, err error) {
	text, broken, err := merge.Markdown(sides[0], sides[1], sides[2], bodyMerger(ctx, r.store.opt.Git, q))
	if err != nil {
		return nil, nil, fmt.Errorf("merge %s: %w", name, err)
	}
	for _, c := range broken {
		if c.Path != "" {
			c.Why = c.Path + ": " + c.Why
		}
		why = append(why, c.Why)
	}
	return text, why, nil
}

// mergeBase returns the one merge base of two commits, or "".
func (r *repo) mergeBase(ctx context.Context, q string, a, b object.ID) (string, error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"merge-base", "--all", a.String(), b.String()}, OK: []int{1}, Objects: q})
	if err != nil {
		return "", err
	}
	bases := strings.Fields(string(res.Stdout))
	if len(bases) != 1 {
		return "", nil
	}
	return bases[0], nil
}

// readIn reads blobs, with the objects of a quarantine; of what is not there, no
// blob or larger than a page it is nil.
func (r *repo) readIn(ctx context.Context, q string, names []string) ([][]byte, error) {
	ask := strings.NewReader(strings.Join(names, "\n") + "\n")
	res, err := r.Run(ctx, git.Cmd{Args: []string{"cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)"}, Stdin: ask, Objects: q})
	if err != nil {
		return nil, err
	}
	var ids []string
	at := make([]int, len(names)) // in ids; -1: not read
	for i, line := range strings.Split(strings.TrimSuffix(string(res.Stdout), "\n"), "\n") {
		parts := strings.Fields(line)
		at[i] = -1
		if len(parts) != 3 || parts[1] != "blob" {
			continue
		}
		if size, err := strconv.Atoi(parts[2]); err == nil && size <= maxPage {
			at[i] = len(ids)
			ids = append(ids, parts[0])
		}
	}
	blobs, err := r.catIn(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(names))
	for i, n := range at {
		if n >= 0 {
			out[i] = blobs[n]
		}
	}
	return out, nil
}

// catIn reads objects, with those of a quarantine.
func (r *repo) catIn(ctx context.Context, q string, ids []string) ([][]byte, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	res, err := r.Run(ctx, git.Cmd{Args: []string{"cat-file", "--batch"}, Stdin: strings.NewReader(strings.Join(ids, "\n") + "\n"), Objects: q, Limit: 1 << 30})
	if err != nil {
		return nil, err
	}
	out, rest := make([][]byte, 0, len(ids)), res.Stdout
	for _, id := range ids {
		line, data, ok := bytes.Cut(rest, []byte("\n"))
		parts := strings.Fields(string(line))
		if !ok || len(parts) != 3 {
			return nil, fmt.Errorf("git cat-file answered %.100q for %s", line, id)
		}
		size, err := strconv.Atoi(parts[2])
		if err != nil || size < 0 || size >= len(data) {
			return nil, fmt.Errorf("git cat-file answered %.100q for %s", line, id)
		}
		out, rest = append(out, data[:size:size]), data[size+1:]
	}
	return out, nil
}
