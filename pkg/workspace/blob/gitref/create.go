package gitref

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// Create implements blob.Store: one commit with this blob and what was staged
// and replaced before, and one push. What was staged is pushed ahead, in commits
// of at most 1 GiB, where it is more. A push whose answer was lost is recognised
// by the commit being there, or the blob.
func (s *Store) Create(ctx context.Context, name string, data []byte) error {
	return s.doOn(ctx, "create", name, func() error {
		ids, err := s.partIDs(data)
		if err != nil {
			return err
		}
		c := &creation{
			store: s, since: time.Now(), ids: ids, waiting: s.waiting(),
			own: &addition{name: name, content: &pending{data: data, size: int64(len(data))}},
		}
		return s.change(ctx, c.plan, func() { s.settle(c.waiting) })
	})
}

// creation is one Create under way.
type creation struct {
	store   *Store
	since   time.Time
	own     *addition
	ids     []object.ID // of its parts
	waiting []*addition // what it takes along
}

// plan implements the type plan.
func (c *creation) plan(ctx context.Context, root object.ID) (step, error) {
	s := c.store
	there, err := s.find(ctx, root, c.own.name)
	if err != nil {
		return step{}, err
	}
	missing := len(there) == 0
	switch {
	case !missing && !s.isConfirmed(c.since):
		return step{}, errStale
	case !missing && !slices.Equal(there, c.ids):
		return step{}, blob.ErrExist
	}
	if staged := c.staged(); missing && staged != nil {
		same, err := staged.holds(c.own.content.data)
		if err != nil || !same {
			return step{}, cmp.Or(err, blob.ErrExist)
		}
		missing = false
	}
	st, err := s.carry(ctx, root, c.waiting)
	if err == nil && !st.more && missing {
		st.put = append(st.put, c.own)
	}
	return st, err
}

// staged returns what was committed under the name before, or nil.
func (c *creation) staged() *pending {
	for _, a := range c.waiting {
		if a.name == c.own.name {
			return a.content
		}
	}
	return nil
}

// waiting returns what was committed or replaced and is not at the remote yet,
// in the order of names.
func (s *Store) waiting() []*addition {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*addition, 0, len(s.pending))
	for _, name := range slices.Sorted(maps.Keys(s.pending)) {
		list = append(list, &addition{name: name, content: s.pending[name]})
	}
	return list
}

// carry returns a step that takes along what a tree does not have, as much as
// one push may hold. What waits no more was taken along by another Create, or
// removed.
func (s *Store) carry(ctx context.Context, root object.ID, waiting []*addition) (step, error) {
	var st step
	var size int64
	for _, a := range waiting {
		if a.content.replace || s.waits(a.name) != a.content {
			continue
		}
		there, err := s.find(ctx, root, a.name)
		if err != nil {
			return st, err
		}
		if len(there) > 0 {
			continue
		}
		if size += a.content.size; size > s.limits.batch && len(st.put) > 0 {
			st.more = true
			return st, nil
		}
		st.put = append(st.put, a)
	}
	for _, a := range waiting { // at last, and the newest content only
		if a.content.replace && s.waits(a.name) == a.content {
			st.put = append(st.put, a)
		}
	}
	return st, nil
}

// settle forgets what is at the remote now.
func (s *Store) settle(sent []*addition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range sent {
		if s.pending[a.name] == a.content {
			delete(s.pending, a.name)
		}
		a.content.drop()
	}
}

// Remove implements blob.Store: one commit and one push for all names, and none
// where none of them is there. The bytes stay in the history until Squash.
func (s *Store) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := blob.CheckName(name); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return nil
	}
	return s.do(ctx, "remove from", func() error {
		since := time.Now()
		s.forget(names)
		return s.change(ctx, func(ctx context.Context, root object.ID) (step, error) {
			var st step
			for _, name := range names {
				there, err := s.find(ctx, root, name)
				if err != nil {
					return step{}, err
				}
				if len(there) == 0 && !s.isConfirmed(since) {
					return step{}, errStale
				}
				if len(there) > 0 {
					st.edits = append(st.edits, edit{name: name})
				}
			}
			return st, nil
		}, func() {})
	})
}

// forget drops what is not at the remote yet.
func (s *Store) forget(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if p := s.pending[name]; p != nil {
			p.drop()
			delete(s.pending, name)
		}
	}
}
