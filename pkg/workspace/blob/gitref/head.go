package gitref

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// maxCommit is the largest commit that is looked at, in bytes; ours have 200.
const maxCommit = 4 << 10

// commitOf is the one form of a commit that this package makes.
func commitOf(tree object.ID, parents ...object.ID) object.Commit {
	who := object.Signature{Name: "vexa", Email: "vexa@localhost", Time: time.Unix(1577836800, 0)} // 2020-01-01
	return object.Commit{Tree: tree, Parents: parents, Author: who, Committer: who, Message: "bucket"}
}

// readCommit reads a commit of the cache and refuses one that is not ours.
func (s *Store) readCommit(ctx context.Context, id object.ID) (object.Commit, error) {
	data, err := s.cache.repo.Object(ctx, id.String(), "commit", maxCommit)
	if errors.Is(err, git.ErrMissing) || ctx.Err() != nil {
		return object.Commit{}, err
	}
	if err != nil {
		return object.Commit{}, foreign(err.Error())
	}
	c, err := object.ParseCommit(data)
	if err != nil {
		return object.Commit{}, foreign(err.Error())
	}
	if len(c.Parents) > 1 || !bytes.Equal(data, commitOf(c.Tree, c.Parents...).Encode()) {
		return object.Commit{}, foreign("the commit " + id.String() + " was not made by Vexa")
	}
	return c, nil
}

// root returns the tree of the newest state that the cache knows, and the commit
// that has it; both are zero where the remote has no bucket yet.
func (s *Store) root(ctx context.Context) (tree, head object.ID, err error) {
	head, err = s.cache.ref(branch)
	if err != nil || head.IsZero() {
		return tree, head, err
	}
	c, err := s.readCommit(ctx, head)
	return c.Tree, head, err
}

// isConfirmed reports whether the cache has what the remote had at some time
// after since.
func (s *Store) isConfirmed(since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.confirmed.IsZero() && !s.confirmed.Before(since)
}

func (s *Store) confirm(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.After(s.confirmed) {
		s.confirmed = at
	}
}

// refresh brings the cache to what the remote has, unless another call did so
// after since.
func (s *Store) refresh(ctx context.Context, since time.Time) error {
	unlock, err := s.cache.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if s.isConfirmed(since) {
		return nil
	}
	return s.fetch(ctx)
}

// fetch brings the cache to what the remote has, by one connection: where the
// remote has nothing new it is the same as asking for its refs. A new cache takes
// the newest commit alone; what is fetched later comes with the commits in
// between, which say whether the remote went forward. The lock is held.
func (s *Store) fetch(ctx context.Context) error {
	began := time.Now()
	head, err := s.cache.ref(branch)
	if err != nil {
		return err
	}
	found, err := s.remote.Fetch(ctx, branch, incoming, head.IsZero())
	if err != nil {
		return err
	}
	if !found {
		if !head.IsZero() {
			return fault.New(fault.NotFound, "the bucket is gone: the branch vexa-bucket was there and is not any more",
				"if that was on purpose, remove "+s.cache.repo.Dir())
		}
		s.confirm(began)
		return nil
	}
	id, err := s.cache.ref(incoming)
	if err != nil {
		return err
	}
	if id != head {
		if err := s.adopt(ctx, head, id); err != nil {
			return err
		}
	}
	s.confirm(began)
	return nil
}

// adopt makes what was fetched the newest state, where it is ours and not older.
// Commits that do not follow each other are those of a Squash.
func (s *Store) adopt(ctx context.Context, old, id object.ID) error {
	if id.IsZero() {
		return errors.New("git fetched nothing")
	}
	if _, err := s.readCommit(ctx, id); err != nil {
		return err
	}
	follows := old.IsZero()
	if !follows {
		var err error
		if follows, err = s.precedes(ctx, old, id); err != nil {
			return err
		}
	}
	if !follows {
		back, err := s.precedes(ctx, id, old)
		if err != nil {
			return err
		}
		if back {
			return fault.New(fault.Conflict, "the bucket went back to an older state, "+id.String()+", from "+old.String(),
				"find out who did that; if it was on purpose, remove "+s.cache.repo.Dir())
		}
	}
	if err := s.cache.setRef(branch, id); err != nil {
		return err
	}
	if follows {
		s.tidy(ctx)
	} else {
		_ = s.shrink(ctx) // what fails is done by the next Squash
	}
	return nil
}

// precedes reports whether the commit old is new or one that new follows, as far
// as the cache has the history.
func (s *Store) precedes(ctx context.Context, old, newer object.ID) (bool, error) {
	follows, err := s.cache.repo.IsAncestor(ctx, old.String(), newer.String())
	if err != nil {
		return false, fmt.Errorf("compare commits: %w", err)
	}
	return follows, nil
}
