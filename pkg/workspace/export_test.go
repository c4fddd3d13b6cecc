package workspace

import (
	"context"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// SetStep makes s call fn between the durable steps of its changes.
func SetStep(s *Store, fn func(string)) { s.step = fn }

// IsAncestor reports whether one commit of a workspace holds another.
func IsAncestor(s *Store, name, ancestor, descendant string) (bool, error) {
	ctx := context.Background()
	r, err := s.open(ctx, name)
	if err != nil {
		return false, err
	}
	a, err := object.ParseID(ancestor)
	if err != nil {
		return false, err
	}
	d, err := object.ParseID(descendant)
	if err != nil {
		return false, err
	}
	return r.isAncestor(ctx, a, d)
}

// ReadIndex lists the tree of a commit.
func ReadIndex(s *Store, name, commit string) error {
	ctx := context.Background()
	r, err := s.open(ctx, name)
	if err != nil {
		return err
	}
	id, err := object.ParseID(commit)
	if err != nil {
		return err
	}
	_, err = r.readIndex(ctx, id)
	return err
}

// SetRef moves a ref in the bucket, to an object that the repository has.
func SetRef(s *Store, name, ref, id string) error {
	ctx := context.Background()
	r, err := s.open(ctx, name)
	if err != nil {
		return err
	}
	to, err := object.ParseID(id)
	if err != nil {
		return err
	}
	return r.change(ctx, func() error {
		from, err := r.ref(ref)
		if err != nil {
			return err
		}
		return r.publish(ctx, []move{{ref: ref, from: from, to: to}}, nil)
	})
}

// SetMain moves a workspace's main as the store itself does.
func SetMain(s *Store, name, id, old string) error {
	r, err := s.open(context.Background(), name)
	if err != nil {
		return err
	}
	to, err := object.ParseID(id)
	if err != nil {
		return err
	}
	from, err := object.ParseID(old)
	if err != nil {
		return err
	}
	return r.setRef(refMain, to, from)
}

// Tidy maintains a workspace now.
func (s *Store) Tidy(ctx context.Context, nameOrID string) error {
	r, err := s.open(ctx, nameOrID)
	if err != nil {
		return err
	}
	return s.tidy(ctx, r)
}

// SetReceiveFor sets how long whoever opens a workspace waits for what was delivered.
func SetReceiveFor(s *Store, d time.Duration) { s.receiveFor = d }

// Opens counts the buckets that a store holds open.
func Opens(s *Store) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.opens) + len(s.retired)
}

// KeptUp counts the workspaces that are kept up to their buckets.
func KeptUp(s *Store) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.opens {
		if o.rest != nil {
			n++
		}
	}
	return n
}
