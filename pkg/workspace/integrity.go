package workspace

import (
	"context"
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
	r, err := s.handle(ctx, rec)
	if err != nil {
		return bucket.Report{}, err
	}
	scratch, err := s.scratch()
	if err != nil {
		return bucket.Report{}, err
	}
	return r.bucket.Verify(ctx, bucket.VerifyOptions{Paranoid: paranoid, Git: s.opt.Git, Scratch: scratch})
}

// RepairRequest asks to put the bucket of a workspace right.
type RepairRequest struct {
	Workspace string // name or id
	From      string // the git directory of a clone, absolute; empty: without one
	DryRun    bool   // say what would be done
}

// Repair puts right what is wrong with the bucket of a workspace, as far as that
// can be done with what this installation and a clone have.
func (s *Store) Repair(ctx context.Context, req RepairRequest) (bucket.Repaired, error) {
	rec, err := s.find(ctx, req.Workspace)
	if err != nil {
		return bucket.Repaired{}, err
	}
	r, err := s.handle(ctx, rec)
	if err != nil {
		return bucket.Repaired{}, err
	}
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
	out, err := r.bucket.Repair(ctx, from, bucket.RepairOptions{Git: s.opt.Git, Scratch: scratch, DryRun: req.DryRun})
	if err == nil && !req.DryRun {
		s.reopen(rec.ID)
	}
	return out, err
}

// scratch is the directory of readable repositories that one piece of work
// needs. It lies in memory, beside the open repositories.
func (s *Store) scratch() (string, error) {
	dir := filepath.Join(s.opt.Repos, ".scratch")
	return dir, fault.Wrap(fault.Internal, "make room for a repository", os.MkdirAll(dir, 0o700))
}
