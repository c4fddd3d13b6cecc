package workspace

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// Verify says what is wrong with the bucket of a workspace. With paranoid git
// looks at every object, trusting no index.
func (s *Store) Verify(ctx context.Context, nameOrID string, paranoid bool) (bucket.Report, error) {
	rec, err := s.find(ctx, nameOrID)
	if err != nil {
		return bucket.Report{}, err
	}
	b, done, err := s.damaged(ctx, rec)
	if err != nil {
		return bucket.Report{}, err
	}
	defer done()
	scratch, err := s.scratch()
	if err != nil {
		return bucket.Report{}, err
	}
	return b.Verify(ctx, bucket.VerifyOptions{Paranoid: paranoid, Git: s.opt.Git, Scratch: scratch})
}

// VerifyOpen has git look at every pack of the open workspaces that this
// installation has not looked at before: whoever stored a pack stored its index,
// too, and may have lied in it. What is wrong is said in the log. It belongs in
// the background, and goes on where it was ended.
func (s *Store) VerifyOpen(ctx context.Context) error {
	scratch, err := s.scratch()
	if err != nil {
		return err
	}
	s.mu.Lock()
	opens := maps.Clone(s.opens)
	s.mu.Unlock()
	var errs []error
	for id, o := range opens {
		if _, err := os.Stat(s.repoDir(id)); err != nil {
			continue // only its bucket was looked at
		}
		found, err := o.bucket.VerifyPacks(ctx, bucket.VerifyPacksOptions{Git: s.opt.Git, Scratch: scratch})
		errs = append(errs, err)
		for _, f := range found.Findings {
			s.opt.Log.ErrorContext(ctx, "a pack of a workspace is not what it says", "workspace", id, "finding", f.String())
		}
	}
	return errors.Join(errs...)
}

// damaged opens the bucket of a workspace, which may be damaged.
func (s *Store) damaged(ctx context.Context, rec record) (b *bucket.Bucket, done func(), err error) {
	r, err := s.handle(ctx, rec)
	if err == nil {
		return r.bucket, func() {}, nil
	}
	ws, cerr := s.contract(rec)
	if cerr != nil || ws.Encryption.Scheme == schemeNone {
		return nil, nil, err
	}
	if b, derr := s.opt.Buckets.OpenDamaged(ctx, ws.Bucket); derr == nil {
		return b, func() { _ = b.Close() }, nil
	}
	return nil, nil, err
}

// Backup copies the bucket of a workspace below at, or to at itself where that
// is a Git remote, and returns where that is. What this installation has seen is
// compared first, so that no bucket that was set back comes into the backup.
func (s *Store) Backup(ctx context.Context, nameOrID, at string, check bool) (url string, out bucket.Copied, err error) {
	rec, err := s.find(ctx, nameOrID)
	if err != nil {
		return "", out, err
	}
	r, err := s.handle(ctx, rec)
	if err != nil {
		return "", out, err
	}
	if _, err := r.head(ctx); err != nil {
		return "", out, err
	}
	if url, err = s.opt.Buckets.Place(rec.ID, at); err != nil {
		return "", out, err
	}
	if out, err = s.opt.Buckets.Backup(ctx, r.bucket.URL(), url, check); err != nil {
		return url, out, err
	}
	return url, out, s.noteBackup(rec.ID, LastBackup{Time: s.opt.Now().UTC(), URL: url, Generation: out.Generation})
}

// RestoreRequest asks to bring the bucket of a workspace back.
type RestoreRequest struct {
	Workspace   string // name or id; or a new name, for a workspace that is lost
	From        string // URL of a backup; empty: only accept what is there
	AcceptOlder bool   // although this installation has seen a newer state, or another history
}

// Restore brings the bucket of a workspace back from a backup: what is missing
// or damaged in it, or all of it where the workspace is not known here.
func (s *Store) Restore(ctx context.Context, req RestoreRequest) (Info, bucket.Copied, error) {
	rec, err := s.find(ctx, req.Workspace)
	if fault.Is(err, fault.NotFound) && req.From != "" {
		return s.restoreNew(ctx, req)
	}
	if err != nil {
		return Info{}, bucket.Copied{}, err
	}
	ws, err := s.contract(rec)
	if err != nil {
		return Info{}, bucket.Copied{}, err
	}
	var out bucket.Copied
	switch {
	case req.From != "":
		out, err = s.opt.Buckets.Restore(ctx, req.From, ws.Bucket, req.AcceptOlder)
	case req.AcceptOlder:
		err = s.acceptNewest(ctx, ws.Bucket)
	default:
		err = fault.New(fault.Usage, "a workspace is restored from a backup", "name it with --from, or accept what is there with --accept-older")
	}
	if err != nil {
		return Info{}, out, err
	}
	s.retire(rec.ID, nil)
	// What an open repository has seen may be another history.
	if err := os.Remove(filepath.Join(s.openDir(rec.ID), seenFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Info{}, out, fault.Wrap(fault.Internal, "restore workspace "+rec.Name, err)
	}
	if req.AcceptOlder {
		s.tellAnew(ctx, rec)
	}
	info, err := s.info(ctx, rec)
	return info, out, err
}

// tellAnew tells those who write and do not read of the membership of a bucket that was
// set back, where this installation administers it.
func (s *Store) tellAnew(ctx context.Context, rec record) {
	r, err := s.handle(ctx, rec)
	if err == nil {
		var st *bucket.State
		if st, err = r.head(ctx); err == nil {
			err = r.renew(ctx, st)
		}
	}
	if err != nil {
		s.opt.Log.WarnContext(ctx, "those who deliver were not told that a bucket was set back", "workspace", rec.ID, "error", err)
	}
}

func (s *Store) acceptNewest(ctx context.Context, url string) error {
	b, err := s.opt.Buckets.Open(ctx, url)
	if err != nil {
		return err
	}
	defer b.Close()
	_, err = b.AcceptNewest(ctx)
	return err
}

// restoreNew makes a workspace of a backup.
func (s *Store) restoreNew(ctx context.Context, req RestoreRequest) (Info, bucket.Copied, error) {
	rec, unlock, err := s.reserve(ctx, req.Workspace)
	if err != nil {
		return Info{}, bucket.Copied{}, err
	}
	defer unlock()
	url, err := s.opt.Buckets.Place(rec.ID, "")
	if err != nil {
		return Info{}, bucket.Copied{}, err
	}
	if err := os.Mkdir(filepath.Join(s.opt.Root, makingPrefix+rec.ID), 0o700); err != nil {
		return Info{}, bucket.Copied{}, err
	}
	out, err := s.opt.Buckets.Restore(ctx, req.From, url, req.AcceptOlder)
	if err == nil {
		err = s.registerRestored(ctx, rec, url)
	}
	if err != nil {
		return Info{}, out, errors.Join(err, s.clearLeftovers(context.WithoutCancel(ctx)))
	}
	info, err := s.info(ctx, rec)
	return info, out, err
}

func (s *Store) registerRestored(ctx context.Context, rec record, url string) error {
	b, err := s.opt.Buckets.Open(ctx, url)
	if err != nil {
		return err
	}
	defer b.Close()
	st, err := b.Head(ctx)
	if err != nil {
		return err
	}
	return s.register(rec, b, contractOf(rec.ID, b.URL(), st))
}

// RepairRequest asks to put the bucket of a workspace right.
type RepairRequest struct {
	Workspace string // name or id
	From      string // the git directory of a clone, absolute; empty: without one
	DryRun    bool   // say what would be done
	PassOver  bool   // generations, too, that others may have a key for
}

// Repair puts right what is wrong with the bucket of a workspace, as far as that
// can be done with what this installation and a clone have.
func (s *Store) Repair(ctx context.Context, req RepairRequest) (bucket.Repaired, error) {
	rec, err := s.find(ctx, req.Workspace)
	if err != nil {
		return bucket.Repaired{}, err
	}
	b, done, err := s.damaged(ctx, rec)
	if err != nil {
		return bucket.Repaired{}, err
	}
	defer done()
	scratch, err := s.scratch()
	if err != nil {
		return bucket.Repaired{}, err
	}
	var from *bucket.Repo
	if req.From != "" {
		clone := s.opt.Git.Repo(req.From)
		defer clone.Close()
		if from, err = bucket.OpenRepo(ctx, clone); err != nil {
			return bucket.Repaired{}, fault.New(fault.NotFound, "there is no clone in "+req.From+": "+err.Error(), "name the directory of a clone of the workspace")
		}
	}
	out, err := b.Repair(ctx, from, bucket.RepairOptions{Git: s.opt.Git, Scratch: scratch, DryRun: req.DryRun, PassOver: req.PassOver})
	if err == nil && !req.DryRun {
		s.retire(rec.ID, nil)
	}
	return out, err
}

// scratch is the directory of readable repositories that one piece of work
// needs. It lies in memory, beside the open repositories.
func (s *Store) scratch() (string, error) {
	dir := filepath.Join(s.opt.Repos, ".scratch")
	return dir, fault.Wrap(fault.Internal, "make room for a repository", os.MkdirAll(dir, 0o700))
}
