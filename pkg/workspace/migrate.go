package workspace

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/contract/workspacev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/removetree"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// Workspaces of the time before buckets are bare repositories beside their
// record, readable. They are moved into a bucket when they are first opened:
// everything is in the bucket, and was compared, before the repository goes.
// Killed at any instant, the next time goes on from there.

// oldRepo is the repository of a workspace of that time.
func (s *Store) oldRepo(id string) string { return filepath.Join(s.dir(id), "repo.git") }

// migrate moves a workspace into a bucket and returns where that is.
func (s *Store) migrate(ctx context.Context, rec record) (workspacev1.Workspace, error) {
	unlock, err := s.lock(ctx, filepath.Join(s.opt.Root, ".lock"))
	if err != nil {
		return workspacev1.Workspace{}, err
	}
	defer unlock()
	ws, err := s.contract(rec)
	if err != nil || ws.Encryption.Scheme != schemeNone {
		return ws, err // somebody else was faster
	}
	if err := checkRepo(s.oldRepo(rec.ID), rec.Name); err != nil {
		return ws, err
	}
	b, err := s.bucketFor(ctx, rec.ID)
	if err != nil {
		return ws, err
	}
	defer b.Close()
	st, err := s.moveInto(ctx, b, rec)
	if err != nil {
		return ws, err
	}
	s.step("moved")
	if err := s.writeRecord(s.dir(rec.ID), rec); err != nil {
		return ws, err
	}
	ws = contractOf(rec.ID, b.URL(), st)
	if err := writeContract(s.dir(rec.ID), ws); err != nil {
		return ws, err
	}
	s.step("migrated")
	return ws, s.clearOld(rec.ID)
}

// bucketFor makes the bucket, or opens the one that an earlier try made.
func (s *Store) bucketFor(ctx context.Context, id string) (*bucket.Bucket, error) {
	url, err := s.opt.Buckets.Place(id, "")
	if err != nil {
		return nil, err
	}
	b, err := s.opt.Buckets.Create(ctx, url, CreateBucket{})
	if fault.Is(err, fault.Conflict) {
		return s.opt.Buckets.Open(ctx, url)
	}
	return b, err
}

// moveInto pushes every ref of the old repository and compares.
func (s *Store) moveInto(ctx context.Context, b *bucket.Bucket, rec record) (*bucket.State, error) {
	old := s.opt.Git.Repo(s.oldRepo(rec.ID))
	defer old.Close()
	r, err := bucket.OpenRepo(ctx, old)
	if err != nil {
		return nil, err
	}
	refs, err := r.Refs(ctx)
	if err != nil {
		return nil, err
	}
	var updates []bucket.Update
	for name, id := range refs {
		updates = append(updates, bucket.Update{Ref: name, New: id, Force: true})
	}
	st, results, err := b.Push(ctx, r, updates, bucket.PushOptions{Atomic: true, Dispatches: true})
	if err != nil {
		return nil, err
	}
	for _, res := range results {
		if res.Err != nil {
			return nil, fault.Newf(fault.Internal, "%s: %w", res.Ref, res.Err)
		}
	}
	now, err := r.Refs(ctx)
	if err != nil {
		return nil, err
	}
	if !maps.Equal(now, st.Refs) {
		return nil, fault.New(fault.Conflict, "the repository changed while it was moved", "try again")
	}
	return st, nil
}

// clearOld removes what is readable of a workspace that was moved. A deleted
// file may be found on a disk for some time; vexa doctor says so.
func (s *Store) clearOld(id string) error {
	err := os.Remove(filepath.Join(s.dir(id), oldRecord))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for _, name := range []string{"repo.git", "packs", "quarantine"} {
		err = errors.Join(err, removetree.All(filepath.Join(s.dir(id), name)))
	}
	return err
}

// MigrateAll moves every workspace of the time before buckets, and finishes what
// was interrupted.
func (s *Store) MigrateAll(ctx context.Context) error {
	records, err := s.records()
	if err != nil {
		return err
	}
	var errs []error
	for _, rec := range records {
		ws, err := s.contract(rec)
		switch {
		case err != nil:
		case ws.Encryption.Scheme == schemeNone:
			_, err = s.migrate(ctx, rec)
		default:
			err = s.clearOld(rec.ID)
		}
		if err != nil {
			errs = append(errs, fault.Wrap(fault.KindOf(err), "encrypt workspace "+rec.Name, err))
		}
	}
	return errors.Join(errs...)
}
