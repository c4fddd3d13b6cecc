package gitref

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/internal/textform"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

const (
	maxName    = 200      // bytes of a blob's name
	maxTree    = 64 << 20 // bytes of one tree that is read
	maxEntries = 50_000   // tree entries kept in memory
	partsMark  = "+"      // ends the name of a directory that holds the parts of one blob
)

var entryForm = textform.Regexp(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// directory is what one tree holds. It is not changed once it is read.
type directory struct {
	entries []object.TreeEntry // in git's order
	byName  map[string]int     // where in entries a name is
}

func newDirectory(entries []object.TreeEntry) *directory {
	d := &directory{entries: entries, byName: make(map[string]int, len(entries))}
	for i := range entries {
		d.byName[entries[i].Name] = i
	}
	return d
}

// get returns the entry of a name with a mode.
func (d *directory) get(name string, mode uint32) (object.TreeEntry, bool) {
	if i, ok := d.byName[name]; ok && d.entries[i].Mode == mode {
		return d.entries[i], true
	}
	return object.TreeEntry{}, false
}

// trees keeps what was read.
type trees struct {
	mu   sync.Mutex
	read map[object.ID]*directory
	size int // entries
}

func (t *trees) get(id object.ID) *directory {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.read[id]
}

func (t *trees) put(id object.ID, d *directory) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.read == nil || t.size+len(d.entries) > maxEntries {
		t.read, t.size = make(map[object.ID]*directory), 0
	}
	t.read[id] = d
	t.size += len(d.entries)
}

// directory reads a tree of the branch. A zero id is the empty tree.
func (s *Store) directory(ctx context.Context, id object.ID) (*directory, error) {
	if id.IsZero() {
		return newDirectory(nil), nil
	}
	if d := s.trees.get(id); d != nil {
		return d, nil
	}
	data, err := s.cache.repo.Object(ctx, id.String(), "tree", maxTree)
	if err != nil {
		return nil, err
	}
	entries, err := object.ParseTree(data)
	if err != nil {
		return nil, foreign(err.Error())
	}
	d := newDirectory(entries)
	for _, e := range entries {
		if err := checkEntry(e); err != nil {
			return nil, err
		}
	}
	if len(d.byName) != len(entries) {
		return nil, foreign("a directory has a name twice")
	}
	s.trees.put(id, d)
	return d, nil
}

// checkEntry refuses what no tree of ours holds: links, submodules, programs,
// and names that no blob has.
func checkEntry(e object.TreeEntry) error {
	name := e.Name
	switch e.Mode {
	case object.ModeFile:
	case object.ModeDir:
		name = strings.TrimSuffix(name, partsMark)
	default:
		return foreign(fmt.Sprintf("%s has the mode %o", strconv.QuoteToASCII(name), e.Mode))
	}
	if !entryForm.MatchString(name) {
		return foreign("a file is named " + strconv.QuoteToASCII(name[:min(len(name), 80)]))
	}
	return nil
}

// parts returns the objects of a blob that is a directory.
func (s *Store) parts(ctx context.Context, id object.ID) ([]object.ID, error) {
	d, err := s.directory(ctx, id)
	if err != nil {
		return nil, err
	}
	ids := make([]object.ID, len(d.entries))
	for i, e := range d.entries {
		if e.Mode != object.ModeFile || e.Name != partName(i) {
			return nil, foreign("parts of a blob are missing before " + e.Name)
		}
		ids[i] = e.ID
	}
	if len(ids) == 0 {
		return nil, foreign("a blob has no parts")
	}
	return ids, nil
}

func partName(i int) string { return fmt.Sprintf("%05d", i) }

// find returns the objects of a blob, in order; none where there is no such blob.
func (s *Store) find(ctx context.Context, root object.ID, name string) ([]object.ID, error) {
	for at := root; ; {
		d, err := s.directory(ctx, at)
		if err != nil {
			return nil, err
		}
		first, rest, deeper := strings.Cut(name, "/")
		if deeper {
			dir, ok := d.get(first, object.ModeDir)
			if !ok {
				return nil, nil
			}
			at, name = dir.ID, rest
			continue
		}
		if file, ok := d.get(name, object.ModeFile); ok {
			return []object.ID{file.ID}, nil
		}
		if parts, ok := d.get(name+partsMark, object.ModeDir); ok {
			return s.parts(ctx, parts.ID)
		}
		return nil, nil
	}
}

// sizes returns the bytes of each object, all of them files of the tree.
func (s *Store) sizes(ctx context.Context, ids []object.ID) ([]int64, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	sizes := make([]int64, 0, len(ids))
	err := s.cache.repo.Headers(ctx, names, func(o git.Object) error {
		if o.Type != "blob" {
			return foreign("a file of it is a " + o.Type)
		}
		sizes = append(sizes, o.Size)
		return nil
	})
	return sizes, err
}

// have reports whether the cache has all of the objects.
func (s *Store) have(ctx context.Context, ids []object.ID) (bool, error) {
	_, err := s.sizes(ctx, ids)
	if errors.Is(err, git.ErrMissing) {
		return false, nil
	}
	return err == nil, err
}
