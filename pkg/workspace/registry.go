package workspace

import (
	"context"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// List returns the workspaces by name, without Files and Unmerged. It opens none
// of them. What is wrong with one is in its Problem.
func (s *Store) List(ctx context.Context) ([]Info, error) {
	records, err := s.records()
	if err != nil {
		return nil, err
	}
	out := make([]Info, 0, len(records))
	for _, rec := range records {
		info, err := s.info(ctx, rec)
		if err != nil {
			info.Problem = err.Error()
		}
		out = append(out, info)
	}
	return out, ctx.Err()
}

// info reads what a List shows of a workspace.
func (s *Store) info(ctx context.Context, rec record) (Info, error) {
	info := Info{ID: rec.ID, Name: rec.Name, CreatedAt: rec.CreatedAt, UpdatedAt: rec.CreatedAt, Files: -1}
	ws, err := s.contract(rec)
	if err != nil {
		return info, err
	}
	info.Bucket, info.Mode, info.Encrypted = ws.Bucket, unitv1.Mode(ws.Mode), ws.Encryption.Scheme != schemeNone
	if info.WriteOnly = rec.WriteOnly; rec.WriteOnly {
		return info, nil
	}
	r, err := s.handle(ctx, rec)
	if err != nil {
		return info, err
	}
	st, err := r.head(ctx)
	if err != nil {
		return info, err
	}
	info.Encrypted = true // where it was not, handle has seen to it
	info.Head, info.Generation = st.Refs[refMain], st.Generation
	if t, err := time.Parse(time.RFC3339, st.Time); err == nil {
		info.UpdatedAt = t
	}
	return info, nil
}

// Lookup finds a workspace by name or id and describes it in full.
func (s *Store) Lookup(ctx context.Context, nameOrID string) (Info, error) {
	r, err := s.open(ctx, nameOrID)
	if err != nil {
		return Info{}, err
	}
	rec, err := s.record(r.id)
	if err != nil {
		return Info{}, err
	}
	info, err := s.info(ctx, rec)
	if err != nil {
		return Info{}, err
	}
	main, err := r.mainCommit()
	if err != nil {
		return Info{}, err
	}
	c, err := r.readCommit(ctx, main)
	if err != nil {
		return Info{}, err
	}
	info.Head, info.UpdatedAt = main.String(), c.Committer.Time
	res, err := r.Run(ctx, git.Cmd{Args: []string{"ls-tree", "-r", "-z", "--full-tree", "--name-only", info.Head}})
	if err != nil {
		return Info{}, err
	}
	info.Files = strings.Count(string(res.Stdout), "\x00")
	info.Unmerged, err = r.unmerged(ctx)
	return info, err
}

// Unmerged lists the dispatches' branches that main does not hold, "vexa/<unit>".
func (s *Store) Unmerged(ctx context.Context, id string) ([]string, error) {
	r, err := s.open(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.unmerged(ctx)
}

func (r *repo) unmerged(ctx context.Context) ([]string, error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"for-each-ref", "--format=%(refname:lstrip=2)", "--no-merged=" + refMain, refBranches}})
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(res.Stdout)), nil
}
