package workspace

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
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

// shut asks the storage of a workspace only where something has to be saved: what is
// readable goes from this machine also while its disk is away.
func (s *Store) shut(ctx context.Context, rec record) error {
	if _, err := os.Stat(s.repoDir(rec.ID)); errors.Is(err, os.ErrNotExist) {
		return s.leave(rec.ID)
	}
	saved, err := s.leaveSaved(ctx, rec)
	if err != nil || saved {
		return err
	}
	r, err := s.handle(ctx, rec)
	if err != nil {
		return cannotSave(rec.Name, err)
	}
	return r.change(ctx, func() error {
		if err := r.saveBranches(ctx); err != nil {
			return cannotSave(rec.Name, err)
		}
		return s.leave(rec.ID)
	})
}

func cannotSave(name string, err error) error {
	return fault.Wrap(fault.Conflict, "workspace "+name+" has changes that cannot be saved", err)
}

// leave closes what is open of a workspace and removes what is readable of it.
func (s *Store) leave(id string) error {
	return errors.Join(s.forget(id), removetree.All(s.openDir(id)))
}

// leaveSaved leaves a workspace whose bucket lacks nothing. It reports whether it did.
func (s *Store) leaveSaved(ctx context.Context, rec record) (saved bool, err error) {
	o, err := s.kept(rec.ID)
	if err != nil {
		return false, err
	}
	r := &repo{store: s, id: rec.ID, name: rec.Name} // it has no bucket
	if o != nil {
		r.Repo = o.repo
	} else {
		r.Repo = s.opt.Git.Repo(s.repoDir(rec.ID))
		defer r.Close()
	}
	err = r.locked(ctx, func() error {
		_, branches, err := r.unsaved(ctx)
		if err != nil {
			return cannotSave(rec.Name, err)
		}
		if saved = len(branches) == 0; saved {
			return s.leave(rec.ID)
		}
		return nil
	})
	return saved, err
}

// unsaved returns the branches of dispatches that have something which the bucket has
// not, and what is followed of that; none where the repository was never made. The
// storage is not asked. The workspace's lock is held.
func (r *repo) unsaved(ctx context.Context) (followed, map[string]object.ID, error) {
	if _, err := os.Stat(filepath.Join(r.Dir(), "HEAD")); errors.Is(err, fs.ErrNotExist) {
		return followed{}, nil, nil
	}
	was, err := r.followed()
	if err != nil { // it was never filled, or its bucket was restored
		was = followed{}
	}
	branches, err := r.beside(ctx)
	maps.DeleteFunc(branches, func(name string, id object.ID) bool { return was.Branches[name] == id.String() })
	return was, branches, err
}

// saveBranches brings the branches of dispatches into the bucket that have
// something which is not there. The workspace's lock is held.
func (r *repo) saveBranches(ctx context.Context) error {
	was, branches, err := r.unsaved(ctx)
	if err != nil || len(branches) == 0 || was.Bucket != "" && was.Bucket != r.bucket.ID() {
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

// ShutIdle does as Shut does with every workspace that was not used for so long and whose
// storage answers.
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
		errs = append(errs, s.shutIdle(ctx, id))
	}
	return errors.Join(errs...)
}

// shutIdle is Shut of a workspace whose storage answers. What nobody asked to be closed
// stays while it does not: it could not be opened again.
func (s *Store) shutIdle(ctx context.Context, id string) error {
	rec, err := s.find(ctx, id)
	if err != nil {
		return err
	}
	r, err := s.handle(ctx, rec)
	if err == nil {
		_, err = r.head(ctx)
	}
	if err != nil {
		s.opt.Log.DebugContext(ctx, "an idle workspace stays open", "workspace", id, "error", err)
		return nil
	}
	return s.shut(ctx, rec)
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
