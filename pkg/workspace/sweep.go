package workspace

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// Sweep removes, in every workspace, the branches of dispatches that are over
// and that main holds, which the death of a machine leaves behind, and tidies
// the repositories. A branch that main does not hold stays. It asks live of
// each dispatch whether it may still use its branch.
func (s *Store) Sweep(ctx context.Context, live func(unit string) bool) error {
	records, err := s.records()
	if err != nil {
		return err
	}
	for _, rec := range records {
		if e := s.sweep(ctx, rec, live); e != nil {
			err = errors.Join(err, fault.Wrap(fault.KindOf(e), "sweep workspace "+rec.Name, e))
		}
	}
	return err
}

func (s *Store) sweep(ctx context.Context, rec record, live func(unit string) bool) error {
	r, err := s.handle(ctx, rec)
	if err != nil {
		return err
	}
	st, err := r.head(ctx)
	if err != nil {
		return err
	}
	if _, err := os.Stat(r.Dir()); errors.Is(err, fs.ErrNotExist) && !st.HasBelow(refBranches) {
		return nil // it is closed, and there is nothing to sweep
	}
	if err := r.follow(ctx); err != nil {
		return err
	}
	res, err := r.Run(ctx, git.Cmd{Args: []string{"for-each-ref", "--merged=" + refMain, "--format=%(refname)", refBranches}})
	if err != nil {
		return err
	}
	for ref := range strings.Lines(string(res.Stdout)) {
		ref = strings.TrimSuffix(ref, "\n")
		if live(strings.TrimPrefix(ref, refBranches)) {
			continue
		}
		if err := s.dropBranch(ctx, r, ref); err != nil {
			return err
		}
	}
	return s.tidy(ctx, r)
}
