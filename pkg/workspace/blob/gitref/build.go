package gitref

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// edit is what becomes of one name of the tree.
type edit struct {
	name    string
	parts   []object.ID // of the blob; none: it is removed
	replace bool        // where there is such a blob it is replaced, not kept
}

// maxParts is how many parts a blob can have: of 64 MiB, 6.1 TiB.
const maxParts = 99_999

// draft is a directory that is being changed: its entries by name.
type draft map[string]object.TreeEntry

// build writes the trees that change into pack and returns the new root, zero
// where nothing is left. Edits of one name are made in their order.
func (s *Store) build(ctx context.Context, pack *object.Pack, root object.ID, edits []edit) (object.ID, error) {
	old, err := s.directory(ctx, root)
	if err != nil {
		return root, err
	}
	d := make(draft, len(old.entries)+len(edits))
	for _, e := range old.entries {
		d[e.Name] = e
	}
	below := make(map[string][]edit)
	for _, e := range edits {
		first, rest, deeper := strings.Cut(e.name, "/")
		if deeper {
			e.name = rest
			below[first] = append(below[first], e)
		} else if err := d.putLeaf(pack, e); err != nil {
			return root, err
		}
	}
	for name, edits := range below {
		if err := s.putDir(ctx, pack, d, name, edits); err != nil {
			return root, err
		}
	}
	return s.writeTree(pack, root, d)
}

// writeTree writes a directory, unless it is what it was.
func (s *Store) writeTree(pack *object.Pack, was object.ID, d draft) (object.ID, error) {
	if len(d) == 0 {
		return object.ID{}, nil
	}
	entries := make([]object.TreeEntry, 0, len(d))
	for _, e := range d {
		entries = append(entries, e)
	}
	data := object.EncodeTree(entries) // which puts them into git's order
	id, err := object.Name(object.KindTree, data)
	if err != nil || id == was {
		return id, err
	}
	if _, err := pack.Add(object.KindTree, data); err != nil {
		return id, err
	}
	s.trees.put(id, newDirectory(entries))
	return id, nil
}

// putDir makes the edits below the directory name.
func (s *Store) putDir(ctx context.Context, pack *object.Pack, d draft, name string, edits []edit) error {
	if d.hasBlob(name) {
		if slices.ContainsFunc(edits, func(e edit) bool { return len(e.parts) > 0 }) {
			return inTheWay(name)
		}
		return nil // what is to be removed is not there
	}
	id, err := s.build(ctx, pack, d[name].ID, edits)
	if err != nil {
		return err
	}
	delete(d, name)
	if !id.IsZero() {
		d[name] = object.TreeEntry{Name: name, Mode: object.ModeDir, ID: id}
	}
	return nil
}

func (d draft) hasBlob(name string) bool {
	e, ok := d[name]
	_, parts := d[name+partsMark]
	return ok && e.Mode == object.ModeFile || parts
}

// putLeaf makes one edit of a blob in its directory.
func (d draft) putLeaf(pack *object.Pack, e edit) error {
	there := d.hasBlob(e.name)
	switch {
	case there && len(e.parts) > 0 && !e.replace:
		return nil
	case there:
		delete(d, e.name)
		delete(d, e.name+partsMark)
	}
	if _, dir := d[e.name]; dir && len(e.parts) > 0 {
		return inTheWay(e.name)
	}
	switch n := len(e.parts); {
	case n == 0:
		return nil
	case n == 1:
		d[e.name] = object.TreeEntry{Name: e.name, Mode: object.ModeFile, ID: e.parts[0]}
		return nil
	case n > maxParts:
		return errors.New("a blob has too many parts")
	}
	list := make([]object.TreeEntry, len(e.parts))
	for i, id := range e.parts {
		list[i] = object.TreeEntry{Name: partName(i), Mode: object.ModeFile, ID: id}
	}
	id, err := pack.Add(object.KindTree, object.EncodeTree(list))
	d[e.name+partsMark] = object.TreeEntry{Name: e.name + partsMark, Mode: object.ModeDir, ID: id}
	return err
}

func inTheWay(name string) error {
	return fault.New(fault.Conflict, name+" would be a blob and a directory of blobs at once", "")
}
