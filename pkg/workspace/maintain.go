package workspace

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
)

const (
	// maxPacks is how many packs a repository may have before the small ones
	// are made into one: each change adds a pack.
	maxPacks = 40
	// spared is how long objects that nothing refers to are kept: longer than
	// any change takes from its first object to its ref.
	spared = "2.hours.ago"
	// pruneFile asks for what nothing refers to to be removed.
	pruneFile = "prune-wanted"
	// cutFile has one byte for each time that something was cut off.
	cutFile = "cut"
)

// tidy keeps a repository quick: its many small packs become few, and what was
// cut from the history of a private ref goes. It is called where nobody waits.
func (s *Store) tidy(ctx context.Context, r *repo) error {
	unlock, err := s.lock(ctx, filepath.Join(s.dir(r.id), "tidy.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.maintainInbox(ctx, r); err != nil {
		s.opt.Log.WarnContext(ctx, "an inbox could not be maintained", "workspace", r.id, "error", err)
	}
	if err := s.maintainBucket(ctx, r); err != nil {
		// It is tried again, and what was released is none the worse for it.
		s.opt.Log.WarnContext(ctx, "a bucket could not be maintained", "workspace", r.id, "error", err)
	}
	return s.tidyRepo(ctx, r)
}

// tidyRepo does so with the open repository.
func (s *Store) tidyRepo(ctx context.Context, r *repo) error {
	marker := filepath.Join(s.dir(r.id), pruneFile)
	if _, err := os.Stat(marker); err == nil {
		if err := r.prune(ctx); err != nil {
			return fault.Wrap(fault.Internal, "tidy workspace "+r.name, err)
		}
		return os.Remove(marker)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(r.packDir())
	if err != nil || len(entries) <= 2*maxPacks { // a pack and its index
		return err
	}
	// Geometric repacking keeps every object of the packs it joins, referred to
	// or not, so that a change under way loses nothing.
	_, err = r.Run(ctx, git.Cmd{Args: []string{"repack", "--geometric=2", "-d", "-n", "-q"}})
	return fault.Wrap(fault.Internal, "tidy workspace "+r.name, err)
}

// prune removes what nothing refers to and is not recent. The workspace's lock
// is held: a merge may just be taking up an object that nothing referred to.
func (r *repo) prune(ctx context.Context) error {
	unlock, err := r.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := r.Run(ctx, git.Cmd{Args: []string{"repack", "-A", "-d", "-n", "-q", "--unpack-unreachable=" + spared}}); err != nil {
		return err
	}
	_, err = r.Run(ctx, git.Cmd{Args: []string{"prune", "--expire=" + spared}})
	return err
}

// wantPrune notes that something was cut off; the next tidy removes it.
func (r *repo) wantPrune() error {
	return errors.Join(r.noteCut(), os.WriteFile(filepath.Join(r.store.dir(r.id), pruneFile), nil, 0o600))
}

// fullAfter is how often something was cut off before the bucket's packs are
// written again without it: sessions whose history begins anew, above all.
const fullAfter = 64

// maintainBucket joins the bucket's packs and removes what it does not use.
func (s *Store) maintainBucket(ctx context.Context, r *repo) error {
	scratch, err := s.scratch()
	if err != nil {
		return err
	}
	counter := filepath.Join(s.dir(r.id), cutFile)
	st, err := os.Stat(counter)
	full := err == nil && st.Size() >= fullAfter
	err = r.bucket.Maintain(ctx, bucket.ConsolidateOptions{
		Git: s.opt.Git, Scratch: scratch, Alternates: []string{filepath.Join(r.Dir(), "objects")}, Full: full,
	})
	if err == nil && full {
		err = os.Remove(counter)
	}
	return fault.Wrap(fault.KindOf(err), "maintain workspace "+r.name, err)
}

// abandonedAfter is how long a pack lies in an inbox without the delivery that names
// it, by the storage's clock, until it is taken for what a killed process left.
const abandonedAfter = 24 * time.Hour

// maintainInbox tells those who deliver of a change that they were not told of, and
// removes what they were killed over.
func (s *Store) maintainInbox(ctx context.Context, r *repo) error {
	st, err := r.known(ctx)
	if err != nil || !inbox.Open(st.Membership) {
		return err
	}
	if err := r.announce(ctx, st, false); err != nil {
		return err
	}
	box := inbox.Of(r.bucket)
	list, err := box.List(ctx)
	if err != nil {
		return err
	}
	for _, e := range list {
		if !e.Named && !e.Stored.IsZero() && s.opt.Now().Sub(e.Stored) > abandonedAfter {
			if err := box.RemoveAbandoned(ctx, e.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// noteCut counts what was cut off.
func (r *repo) noteCut() error {
	f, err := os.OpenFile(filepath.Join(r.store.dir(r.id), cutFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(".")
	return errors.Join(err, f.Close())
}
