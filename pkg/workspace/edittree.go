package workspace

import (
	"context"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// treeChange says what is to be at a path of a tree.
type treeChange struct {
	path string
	id   object.ID // zero: no file; a directory that is there stays
	mode uint32    // 0: that of the file that is there
}

// editTree makes a tree of another one, the zero id for none, with other files at
// some paths. Directories come and go with what is in them; a file takes the place of
// a directory. New trees are in the quarantine q.
func (r *repo) editTree(ctx context.Context, q string, root object.ID, changes []treeChange) (object.ID, error) {
	var entries []object.TreeEntry
	if !root.IsZero() {
		data, err := r.objectIn(ctx, q, root, object.KindTree)
		if err != nil {
			return root, err
		}
		if entries, err = object.ParseTree(data); err != nil {
			return root, err
		}
	}
	groups := map[string][]treeChange{}
	for _, c := range changes {
		name, rest, _ := strings.Cut(c.path, "/")
		c.path = rest
		groups[name] = append(groups[name], c)
	}
	for name, group := range groups {
		i := slices.IndexFunc(entries, func(e object.TreeEntry) bool { return e.Name == name })
		e := object.TreeEntry{Name: name}
		if i >= 0 {
			e = entries[i]
			entries = slices.Delete(entries, i, i+1)
		}
		e, err := r.editEntry(ctx, q, e, group)
		if err != nil {
			return root, err
		}
		if !e.ID.IsZero() {
			entries = append(entries, e)
		}
	}
	return object.WriteLoose(q, object.KindTree, object.EncodeTree(entries))
}

// editEntry is editTree for one name; the entry without an id is none.
func (r *repo) editEntry(ctx context.Context, q string, e object.TreeEntry, changes []treeChange) (object.TreeEntry, error) {
	none := object.TreeEntry{Name: e.Name}
	var below []treeChange
	file := false // put here
	for _, c := range changes {
		switch {
		case c.path != "":
			below = append(below, c)
		case !c.id.IsZero() && c.mode == 0 && e.Mode != object.ModeFile && e.Mode != object.ModeExec:
			return none, fault.New(fault.Internal, "there is no file "+tree.Escape(e.Name), "")
		case !c.id.IsZero():
			if c.mode != 0 {
				e.Mode = c.mode
			}
			e.ID, file = c.id, true
		case e.Mode != object.ModeDir:
			e = none
		}
	}
	if len(below) == 0 {
		return e, nil
	}
	if file || !e.ID.IsZero() && e.Mode != object.ModeDir {
		if slices.ContainsFunc(below, func(c treeChange) bool { return !c.id.IsZero() }) {
			return none, fault.New(fault.Conflict, "there is a file where a directory is to be: "+tree.Escape(e.Name), "remove one of the two: vexa proposal resolve NAME ID PATH --remove")
		}
		return e, nil
	}
	id, err := r.editTree(ctx, q, e.ID, below)
	if err != nil || id.String() == object.EmptyTree {
		return none, err
	}
	return object.TreeEntry{Name: e.Name, Mode: object.ModeDir, ID: id}, nil
}
