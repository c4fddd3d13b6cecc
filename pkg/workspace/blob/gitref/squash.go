package gitref

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// Squash makes the newest state of the branch its only commit, at the remote and
// in the cache, so that what was removed is no longer part of it. It is the one
// push that drops commits; it does so only while the branch is where it was
// looked at, and begins again where a Create was faster. What waits for a Create
// goes on waiting.
//
// The remote frees the space when it collects its garbage. A forge may keep what
// was dropped for weeks, or for ever, and hand it out to who knows the commit's
// id. A branch that is protected against rewriting is fault.Denied.
func (s *Store) Squash(ctx context.Context) error {
	return s.do(ctx, "squash", func() error {
		for lost := 1; ; lost++ {
			began := time.Now()
			out, err := s.squash(ctx)
			if out == finished || lost >= stuck {
				return err
			}
			if err := pause(ctx, lost, time.Since(began)); err != nil {
				return err
			}
		}
	})
}

func (s *Store) squash(ctx context.Context) (outcome, error) {
	unlock, err := s.cache.lock(ctx)
	if err != nil {
		return finished, err
	}
	defer unlock()
	began := time.Now()
	if err := s.fetch(ctx); err != nil {
		return finished, err
	}
	tree, head, err := s.root(ctx)
	if err != nil || head.IsZero() {
		return finished, err
	}
	pack := object.NewStoredPack(s.cache.packDir())
	defer pack.Abort()
	id, err := finish(pack, commitOf(tree))
	if err != nil {
		return finished, err
	}
	// A state that was squashed before would look as if the remote went back.
	if known, err := s.precedes(ctx, id, head); known || err != nil {
		return finished, errors.Join(err, s.shrink(ctx))
	}
	if err := s.remote.Rewrite(ctx, id.String(), head.String(), branch); err != nil {
		if isMoved(err) {
			return again, err
		}
		if now, ferr := s.fetched(ctx); ferr != nil || now != id { // else its answer was lost
			return finished, squashFault(err)
		}
	}
	if err := s.cache.setRef(branch, id); err != nil {
		return finished, err
	}
	s.confirm(began)
	return finished, s.shrink(ctx)
}

// fetched returns the newest commit that the remote has now.
func (s *Store) fetched(ctx context.Context) (object.ID, error) {
	if err := s.fetch(ctx); err != nil {
		return object.ID{}, err
	}
	return s.cache.ref(branch)
}

func squashFault(err error) error {
	if failed, ok := errors.AsType[*git.RemoteError](err); ok && failed.Trouble == git.Refused {
		return &fault.Error{Kind: fault.Denied, Err: fmt.Errorf("%w: %w", blob.ErrDenied, err), Hint: "let the branch vexa-bucket be rewritten: see which rules of the repository protect it"}
	}
	return err
}
