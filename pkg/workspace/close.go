package workspace

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/removetree"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// Close ends what the store keeps running for quick reads. Nothing can be done
// with its workspaces afterwards. What is readable of them stays where it is:
// see Wipe.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	opens := slices.AppendSeq(s.retired, maps.Values(s.opens))
	s.opens, s.retired = nil, nil
	s.mu.Unlock()
	var errs []error
	for _, o := range opens {
		errs = append(errs, o.close())
	}
	return errors.Join(errs...)
}

// Shut saves what the bucket of a workspace lacks and removes what is readable
// of the workspace from this machine. Checkouts stay where they are, and can be
// sealed later. It returns fault.Conflict where something cannot be saved.
func (s *Store) Shut(ctx context.Context, nameOrID string) error {
	rec, err := s.find(ctx, nameOrID)
	if err != nil {
		return err
	}
	return s.shut(ctx, rec)
}

// ShutAll does so with every workspace. It goes on where one fails.
func (s *Store) ShutAll(ctx context.Context) error {
	entries, err := os.ReadDir(s.opt.Repos)
	if err != nil {
		return fault.Wrap(fault.Internal, "close the workspaces", err)
	}
	var errs []error
	for _, e := range entries {
		rec, err := s.record(e.Name())
		if errors.Is(err, os.ErrNotExist) || !idForm.MatchString(e.Name()) {
			errs = append(errs, removetree.All(s.openDir(e.Name()))) // of a workspace that was never made
			continue
		}
		if err == nil {
			err = s.shut(ctx, rec)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Store) shut(ctx context.Context, rec record) error {
	if _, err := os.Stat(s.repoDir(rec.ID)); errors.Is(err, os.ErrNotExist) {
		return errors.Join(s.forget(rec.ID), removetree.All(s.openDir(rec.ID)))
	}
	r, err := s.handle(ctx, rec)
	if err != nil {
		return err
	}
	return r.change(ctx, func() error {
		if err := r.saveBranches(ctx); err != nil {
			return fault.Wrap(fault.Conflict, "workspace "+r.name+" has changes that cannot be saved", err)
		}
		return errors.Join(s.forget(rec.ID), removetree.All(s.openDir(rec.ID)))
	})
}

// saveBranches brings the branches of dispatches into the bucket that have
// something which is not there. The workspace's lock is held.
func (r *repo) saveBranches(ctx context.Context) error {
	was, err := r.followed()
	if err != nil || was.Bucket != r.bucket.ID() {
		return nil //nolint:nilerr // it was never filled
	}
	branches, err := r.beside(ctx)
	maps.DeleteFunc(branches, func(name string, id object.ID) bool { return was.Branches[name] == id.String() })
	if err != nil || len(branches) == 0 {
		return err // whoever may not read the bucket any more has nothing to save either
	}
	st, err := r.head(ctx)
	if err != nil {
		return err
	}
	if was.Generation != st.Generation {
		if err := r.sync(ctx, st); err != nil {
			return err
		}
	}
	if branches, err = r.beside(ctx); err != nil {
		return err
	}
	for name, id := range branches {
		if st.Refs[name] == id.String() {
			continue
		}
		m, err := branchMove(st, landing{ref: name, id: id})
		if err != nil {
			return err
		}
		if err := r.publish(ctx, []move{m}, nil); err != nil {
			return err
		}
	}
	return nil
}

// beside returns the branches of dispatches that main does not hold: what it holds
// is in the bucket.
func (r *repo) beside(ctx context.Context) (map[string]object.ID, error) {
	branches, err := r.refsBelow(refBranches)
	if err != nil {
		return nil, err
	}
	for name, id := range branches {
		held, err := r.holds(ctx, id)
		if err != nil {
			return nil, err
		}
		if held {
			delete(branches, name)
		}
	}
	return branches, nil
}

// ShutIdle does as Shut does with every workspace that was not used for so long.
func (s *Store) ShutIdle(ctx context.Context, idle time.Duration) error {
	isIdle := func(o *opened) bool { return time.Since(o.used) > idle }
	var ids []string
	var retired []*opened
	left, err := s.Opened()
	if err != nil {
		return err
	}
	s.mu.Lock()
	for id, o := range s.opens {
		delete(s.left, id)
		if isIdle(o) {
			ids = append(ids, id)
		}
	}
	// What an earlier daemon left open, or a storage that went, nobody uses.
	for _, id := range left {
		if s.opens[id] != nil {
			continue
		}
		since, noticed := s.left[id]
		if !noticed {
			s.left[id] = time.Now()
		} else if time.Since(since) > idle {
			ids = append(ids, id)
		}
	}
	s.retired = slices.DeleteFunc(s.retired, func(o *opened) bool {
		if isIdle(o) {
			retired = append(retired, o)
		}
		return isIdle(o)
	})
	s.mu.Unlock()
	var errs []error
	for _, o := range retired {
		errs = append(errs, o.close())
	}
	for _, id := range ids {
		errs = append(errs, s.Shut(ctx, id))
	}
	return errors.Join(errs...)
}

// Opened returns the ids of the workspaces that are readable on this machine.
func (s *Store) Opened() ([]string, error) {
	entries, err := os.ReadDir(s.opt.Repos)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "look for open workspaces", err)
	}
	var ids []string
	for _, e := range entries {
		if idForm.MatchString(e.Name()) && !strings.HasPrefix(e.Name(), ".") {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}
