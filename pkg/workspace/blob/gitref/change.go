package gitref

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/sleep"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// plan says what is to be changed about a tree; it is asked again for each tree
// that another writer left meanwhile. Its error may be errStale, where it has to
// know what the remote has now.
type plan func(ctx context.Context, root object.ID) (step, error)

// step is one commit. One without anything in it needs no push.
type step struct {
	put   []*addition
	edits []edit // of what is there
	more  bool   // another step follows
}

// errStale reports that the cache may be behind the remote.
var errStale = errors.New("the cache may be behind")

// How often a push is made again, before that is the error.
const (
	tries = 3 // which the remote does not answer, or refuses without a reason that is known
	stuck = 8 // which is said to come too late, where nobody wrote: the branch is locked there
)

// change makes commits as planned, each on top of the newest state, until the
// remote has them. Between two tries it gives up the cache and waits, for longer
// the more often it lost. It calls done when the remote has all, before another
// change of this process can begin.
func (s *Store) change(ctx context.Context, p plan, done func()) error {
	w := &writer{store: s, plan: p, left: tries}
	for lost := 1; ; {
		out, err := w.try(ctx, done)
		switch {
		case err != nil || out == finished:
			return err
		case out == next:
			continue
		}
		if err := pause(ctx, lost, w.took); err != nil {
			return err
		}
		lost++
	}
}

// pause waits for a random time of up to 2^lost tries.
func pause(ctx context.Context, lost int, try time.Duration) error {
	try = min(max(try, 20*time.Millisecond), 2*time.Second)
	//nolint:gosec // it spreads writers and keeps no secret
	if sleep.For(ctx, rand.N(try<<min(lost, 5))) != nil {
		return context.Cause(ctx)
	}
	return nil
}

// outcome is what became of one try.
type outcome int

const (
	finished outcome = iota
	next             // go on at once
	again            // somebody was faster, or the remote did not answer: go on later
)

// writer is one change under way.
type writer struct {
	store *Store
	plan  plan
	stale bool // what the remote has is to be fetched first
	left  int  // tries
	late  int  // pushes in a row that came too late, and nobody wrote
	last  object.ID
	maybe []sent
	took  time.Duration // of the last try, without waiting for the cache
}

// sent is a commit that may be at the remote: nothing was answered.
type sent struct {
	id  object.ID
	out outcome // where it is
}

// try makes one commit and pushes it. It holds the cache all the while.
func (w *writer) try(ctx context.Context, done func()) (outcome, error) {
	unlock, err := w.store.cache.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	began := time.Now()
	out, err := w.step(ctx)
	w.took = time.Since(began)
	if err == nil && out == finished {
		done()
	}
	return out, err
}

func (w *writer) step(ctx context.Context) (outcome, error) {
	s := w.store
	if w.stale || !s.isConfirmed(time.Time{}) {
		if err := s.fetch(ctx); err != nil {
			return 0, err
		}
		w.stale = false
	}
	tree, head, err := s.root(ctx)
	if err != nil {
		return 0, err
	}
	st, err := w.plan(ctx, tree)
	if errors.Is(err, errStale) {
		w.stale = true
		return next, nil
	}
	if err != nil || len(st.put)+len(st.edits) == 0 {
		return finished, err
	}
	out := finished
	if st.more {
		out = next
	}
	commit, err := s.write(ctx, tree, head, st)
	if err != nil || commit == head {
		return out, err
	}
	return w.push(ctx, sent{commit, out}, head)
}

// push pushes a commit that follows head.
func (w *writer) push(ctx context.Context, c sent, head object.ID) (outcome, error) {
	s := w.store
	began := time.Now()
	err := s.remote.Push(ctx, c.id.String(), branch)
	if err == nil {
		w.maybe = nil
		return c.out, s.pushed(ctx, c.id, began)
	}
	failed, ok := errors.AsType[*git.RemoteError](err)
	if !ok || failed.Trouble == git.Denied || failed.Trouble == git.Missing {
		return 0, err
	}
	w.stale = true
	if failed.Trouble != git.Moved {
		w.left--
		w.maybe = append(w.maybe, c)
	}
	if w.late++; w.last != head {
		w.late, w.last = 0, head
	}
	if w.late >= stuck {
		return 0, err
	}
	if len(w.maybe) == 0 {
		return again, nil
	}
	now, ferr := s.fetched(ctx)
	if ferr != nil {
		return 0, err // not answered either
	}
	if out, ok, err := w.landed(ctx, now); ok || err != nil {
		return out, err
	}
	if w.left <= 0 || failed.Trouble == git.Refused && now == head {
		return 0, err
	}
	return again, nil
}

// landed looks for the commits of which nothing was answered in the history of
// the newest one.
func (w *writer) landed(ctx context.Context, now object.ID) (outcome, bool, error) {
	if now.IsZero() {
		return 0, false, nil
	}
	for _, c := range w.maybe {
		if there, err := w.store.precedes(ctx, c.id, now); there || err != nil {
			w.maybe, w.stale = nil, false
			return c.out, there, err
		}
	}
	return 0, false, nil
}

// pushed notes what the remote took. The lock is held.
func (s *Store) pushed(ctx context.Context, id object.ID, began time.Time) error {
	if err := s.cache.setRef(branch, id); err != nil {
		return err
	}
	s.confirm(began)
	s.tidy(ctx)
	return nil
}
