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

// scratch is the directory of readable repositories that one piece of work
// needs. It lies in memory, beside the open repositories.
func (s *Store) scratch() (string, error) {
	dir := filepath.Join(s.opt.Repos, ".scratch")
	return dir, fault.Wrap(fault.Internal, "make room for a repository", os.MkdirAll(dir, 0o700))
}
