package workspace

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// Commits and trees are read through the process that the repository keeps for
// that, a fraction of what starting git would cost.

// maxEntries is the most that is read of one commit's trees together.
const maxEntries = 1_000_000

// readCommit reads one commit.
func (r *repo) readCommit(ctx context.Context, id object.ID) (object.Commit, error) {
	data, err := r.Object(ctx, id.String(), "commit", object.MaxCommit)
	if err != nil {
		return object.Commit{}, err
	}
	c, err := object.ParseCommit(data)
	if err != nil {
		return c, fmt.Errorf("commit %s: %w", id, err)
	}
	return c, nil
}

// treeOf returns the tree of a commit.
func (r *repo) treeOf(ctx context.Context, commit object.ID) (object.ID, error) {
	c, err := r.readCommit(ctx, commit)
	return c.Tree, err
}

// entry finds the entry at a path of a commit's tree; its ID is zero where
// there is none.
func (r *repo) entry(ctx context.Context, commit object.ID, path string) (object.TreeEntry, error) {
	root, err := r.treeOf(ctx, commit)
	if err != nil {
		return object.TreeEntry{}, err
	}
	at := object.TreeEntry{Mode: object.ModeDir, ID: root}
	for name := range strings.SplitSeq(path, "/") {
		if at.Mode != object.ModeDir {
			return object.TreeEntry{}, nil
		}
		data, err := r.Object(ctx, at.ID.String(), "tree", object.MaxTree)
		if err != nil {
			return object.TreeEntry{}, err
		}
		entries, err := object.ParseTree(data)
		if err != nil {
			return object.TreeEntry{}, fmt.Errorf("tree %s: %w", at.ID, err)
		}
		i := slices.IndexFunc(entries, func(e object.TreeEntry) bool { return e.Name == name })
		if i < 0 {
			return object.TreeEntry{}, nil
		}
		at = entries[i]
	}
	return at, nil
}

// readIndex lists the tree of a commit; nothing is known of any file. It reads
// the trees level by level.
func (r *repo) readIndex(ctx context.Context, commit object.ID) (*tree.Index, error) {
	root, err := r.treeOf(ctx, commit)
	if err != nil {
		return nil, err
	}
	x := &tree.Index{Root: tree.Entry{Mode: object.ModeDir, ID: root}}
	level := []dir{{entry: &x.Root}}
	for left := maxEntries; len(level) > 0; {
		trees, err := r.readTrees(ctx, level)
		if err != nil {
			return nil, err
		}
		var next []dir
		for _, d := range level {
			entries := trees[d.entry.ID]
			if left -= len(entries); left < 0 {
				return nil, fmt.Errorf("commit %s has more than %d names", commit, maxEntries)
			}
			if next, err = d.fill(entries, next); err != nil {
				return nil, err
			}
		}
		level = next
	}
	return x, nil
}

// dir is a directory whose entries are to be read.
type dir struct {
	path  string // with a slash at the end; empty for the root
	entry *tree.Entry
}

// readTrees reads the trees of directories, each once.
func (r *repo) readTrees(ctx context.Context, dirs []dir) (map[object.ID][]object.TreeEntry, error) {
	trees := make(map[object.ID][]object.TreeEntry, len(dirs))
	var ids []string
	for _, d := range dirs {
		if _, known := trees[d.entry.ID]; !known {
			trees[d.entry.ID] = nil
			ids = append(ids, d.entry.ID.String())
		}
	}
	err := r.Objects(ctx, ids, func(o git.Object) error {
		if o.Type != "tree" || o.Size > object.MaxTree {
			return fmt.Errorf("%s is a %s of %d bytes, not a tree", o.ID, o.Type, o.Size)
		}
		data := make([]byte, o.Size)
		if _, err := io.ReadFull(o.Content, data); err != nil {
			return err
		}
		entries, err := object.ParseTree(data)
		if err != nil {
			return fmt.Errorf("tree %s: %w", o.ID, err)
		}
		id, err := object.ParseID(o.ID)
		trees[id] = entries
		return err
	})
	return trees, err
}

// fill gives the directory its children and appends those of them that are
// directories to next.
func (d dir) fill(entries []object.TreeEntry, next []dir) ([]dir, error) {
	children := make([]tree.Entry, 0, len(entries))
	for _, e := range entries {
		path := d.path + e.Name
		if !tree.ValidName(e.Name) || len(path) > git.MaxPath {
			return nil, fmt.Errorf("the commit has a path that must not be written: %s", tree.Escape(path[:min(len(path), git.MaxPath)]))
		}
		switch e.Mode {
		case object.ModeDir, object.ModeFile, object.ModeExec, object.ModeLink, object.ModeGitlink:
		default: // git wrote 100664 once
			e.Mode = object.ModeFile
		}
		children = append(children, tree.Entry{Name: e.Name, Mode: e.Mode, ID: e.ID})
	}
	slices.SortFunc(children, func(a, b tree.Entry) int { return cmp.Compare(a.Name, b.Name) })
	for i := range children {
		if i > 0 && children[i].Name == children[i-1].Name {
			return nil, fmt.Errorf("the commit has %s twice", tree.Escape(d.path+children[i].Name))
		}
		if children[i].Mode == object.ModeDir {
			next = append(next, dir{path: d.path + children[i].Name + "/", entry: &children[i]})
		}
	}
	d.entry.Children = children
	return next, nil
}

// isAncestor reports whether descendant holds every commit of ancestor.
func (r *repo) isAncestor(ctx context.Context, ancestor, descendant object.ID) (bool, error) {
	return r.IsAncestor(ctx, ancestor.String(), descendant.String())
}
