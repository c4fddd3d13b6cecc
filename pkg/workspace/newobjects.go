package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// A pack that is published by its name has to have everything that the bucket has
// not. What that is says a comparison of trees, never what happens to be in the
// repository: an earlier try, or a process that was killed, may have left objects
// there which nobody has published.

// addNew adds to the pack what a tree has and none of the known trees has at the same
// path. It is read from the quarantine q or the repository.
func (r *repo) addNew(ctx context.Context, q string, pack *object.Pack, root object.ID, known ...object.ID) error {
	a := &newObjects{repo: r, ctx: ctx, q: q, pack: pack, seen: map[object.ID]bool{}}
	if err := a.tree(root, known); err != nil {
		return err
	}
	return r.Objects(ctx, a.rest, func(o git.Object) error {
		if o.Type != "blob" {
			return fmt.Errorf("%s is a %s, and is to be a file", o.ID, o.Type)
		}
		_, err := pack.AddStream(object.KindBlob, o.Size, o.Content)
		return err
	})
}

// newObjects is one addNew under way.
type newObjects struct {
	repo *repo
	ctx  context.Context //nolint:containedctx // of the one call
	q    string
	pack *object.Pack
	seen map[object.ID]bool
	rest []string // files that are in the repository alone
}

// tree adds a tree and what is below it; known are those at the same path.
func (a *newObjects) tree(id object.ID, known []object.ID) error {
	if slices.Contains(known, id) {
		return nil
	}
	data, err := a.read(id, object.KindTree)
	if err != nil {
		return err
	}
	entries, err := object.ParseTree(data)
	if err != nil {
		return fmt.Errorf("tree %s: %w", id, err)
	}
	if !a.seen[id] {
		a.seen[id] = true
		if _, err := a.pack.Add(object.KindTree, data); err != nil {
			return err
		}
	}
	have, err := a.entries(known)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := a.entry(e, have[e.Name]); err != nil {
			return err
		}
	}
	return nil
}

// entry adds what an entry names, unless one of those of its name in the known trees
// does.
func (a *newObjects) entry(e object.TreeEntry, known []object.TreeEntry) error {
	var below []object.ID
	for _, k := range known {
		if k.ID == e.ID {
			return nil
		}
		if k.Mode == object.ModeDir {
			below = append(below, k.ID)
		}
	}
	switch {
	case e.Mode == object.ModeDir:
		return a.tree(e.ID, below)
	case e.Mode == object.ModeGitlink || a.seen[e.ID]:
		return nil
	}
	a.seen[e.ID] = true
	data, err := readLoose(a.q, e.ID, object.KindBlob)
	if errors.Is(err, fs.ErrNotExist) {
		a.rest = append(a.rest, e.ID.String())
		return nil
	}
	if err != nil {
		return err
	}
	_, err = a.pack.Add(object.KindBlob, data)
	return err
}

// entries are those of trees, by name.
func (a *newObjects) entries(trees []object.ID) (map[string][]object.TreeEntry, error) {
	out := map[string][]object.TreeEntry{}
	for _, id := range trees {
		data, err := a.read(id, object.KindTree)
		if err != nil {
			return nil, err
		}
		list, err := object.ParseTree(data)
		if err != nil {
			return nil, fmt.Errorf("tree %s: %w", id, err)
		}
		for _, e := range list {
			out[e.Name] = append(out[e.Name], e)
		}
	}
	return out, nil
}

func (a *newObjects) read(id object.ID, want object.Kind) ([]byte, error) {
	return a.repo.objectIn(a.ctx, a.q, id, want)
}

// objectIn reads an object of a quarantine or of the repository.
func (r *repo) objectIn(ctx context.Context, q string, id object.ID, want object.Kind) ([]byte, error) {
	data, err := readLoose(q, id, want)
	if errors.Is(err, fs.ErrNotExist) {
		return r.Object(ctx, id.String(), want.String(), object.MaxTree)
	}
	return data, err
}

// readLoose reads an object that a quarantine has by itself; else it is fs.ErrNotExist.
func readLoose(q string, id object.ID, want object.Kind) ([]byte, error) {
	if q == "" { // there is no quarantine; the working directory is none
		return nil, fs.ErrNotExist
	}
	name := id.String()
	kind, data, err := object.ReadLoose(filepath.Join(q, name[:2], name[2:]))
	if err == nil && kind != want {
		err = fmt.Errorf("%s is a %s, and is to be a %s", id, kind, want)
	}
	return data, err
}
