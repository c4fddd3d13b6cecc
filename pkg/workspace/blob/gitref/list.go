package gitref

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// listed is how many blobs are looked at together.
const listed = 1000

// List implements blob.Store. It asks the remote once, whatever was asked
// before: of a list nobody can tell that something is missing.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blob.Info) error) error {
	l := &lister{store: s, prefix: prefix, after: after, fn: fn}
	err := s.do(ctx, "list", func() error {
		if err := s.refresh(ctx, time.Now()); err != nil {
			return err
		}
		l.waiting = s.waitingInfos(prefix, after)
		root, _, err := s.root(ctx)
		if err == nil {
			err = l.walk(ctx, root, "")
		}
		if err == nil {
			err = l.flush(ctx)
		}
		if err == nil {
			err = l.passWaiting("")
		}
		return err
	})
	if l.ended != nil {
		return l.ended
	}
	return err
}

// waitingInfos describes what waits for the next Create, in the order of names.
func (s *Store) waitingInfos(prefix, after string) []blob.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []blob.Info
	for _, name := range slices.Sorted(maps.Keys(s.pending)) {
		if strings.HasPrefix(name, prefix) && name > after {
			list = append(list, blob.Info{Name: name, Size: s.pending[name].size})
		}
	}
	return list
}

// lister goes through the tree in git's order, which is that of the blobs'
// names: '+' comes before every other byte that can follow in a name.
type lister struct {
	store         *Store
	prefix, after string
	fn            func(blob.Info) error
	names         []string // found and not told yet
	ids           []object.ID
	counts        []int // parts of each
	waiting       []blob.Info
	ended         error // by fn
}

// tell calls fn.
func (l *lister) tell(info blob.Info) error {
	l.ended = l.fn(info)
	return l.ended
}

// walk finds the blobs of one directory; path ends in a slash or is empty.
func (l *lister) walk(ctx context.Context, tree object.ID, path string) error {
	if len(path) > maxName {
		return foreign("its directories are too deep")
	}
	d, err := l.store.directory(ctx, tree)
	if err != nil {
		return err
	}
	for _, e := range d.entries {
		name, whole := path+strings.TrimSuffix(e.Name, partsMark), strings.HasSuffix(e.Name, partsMark)
		switch {
		case e.Mode == object.ModeDir && !whole:
			if l.reaches(name + "/") {
				err = l.walk(ctx, e.ID, name+"/")
			}
		case !strings.HasPrefix(name, l.prefix) || name <= l.after:
		case whole:
			var ids []object.ID
			if ids, err = l.store.parts(ctx, e.ID); err == nil {
				err = l.found(ctx, name, ids)
			}
		default:
			err = l.found(ctx, name, []object.ID{e.ID})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reaches reports whether a name below a directory can be one that is asked for.
func (l *lister) reaches(dir string) bool {
	return (strings.HasPrefix(dir, l.prefix) || strings.HasPrefix(l.prefix, dir)) && (dir > l.after || strings.HasPrefix(l.after, dir))
}

func (l *lister) found(ctx context.Context, name string, ids []object.ID) error {
	if n := len(l.names); n > 0 && l.names[n-1] == name {
		return foreign(name + " is there twice")
	}
	l.names, l.ids, l.counts = append(l.names, name), append(l.ids, ids...), append(l.counts, len(ids))
	if len(l.names) < listed {
		return nil
	}
	return l.flush(ctx)
}

// flush tells what was found.
func (l *lister) flush(ctx context.Context) error {
	sizes, err := l.store.sizes(ctx, l.ids)
	if err != nil {
		return err
	}
	for i, name := range l.names {
		info := blob.Info{Name: name}
		for _, n := range sizes[:l.counts[i]] {
			info.Size += n
		}
		sizes = sizes[l.counts[i]:]
		if err := l.passWaiting(name); err != nil {
			return err
		}
		if len(l.waiting) > 0 && l.waiting[0].Name == name {
			info, l.waiting = l.waiting[0], l.waiting[1:]
		}
		if err := l.tell(info); err != nil {
			return err
		}
	}
	l.names, l.ids, l.counts = l.names[:0], l.ids[:0], l.counts[:0]
	return nil
}

// passWaiting tells what waits and comes before a name; all of it for "".
func (l *lister) passWaiting(name string) error {
	for len(l.waiting) > 0 && (name == "" || l.waiting[0].Name < name) {
		info := l.waiting[0]
		l.waiting = l.waiting[1:]
		if err := l.tell(info); err != nil {
			return err
		}
	}
	return nil
}
