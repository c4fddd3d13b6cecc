package bucket

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// paranoid brings every pack into a repository of its own, compares what git
// says is in it with the stored index, and walks from every ref.
func (in *inspection) paranoid(ctx context.Context) error {
	if !in.opt.Paranoid || in.state == nil {
		return nil
	}
	repo, err := in.b.newScratchRepo(ctx, in.opt.Git, in.opt.Scratch, in.state.ObjectFormat, "")
	if err != nil {
		return err
	}
	defer repo.Close()
	for _, p := range in.state.Packs {
		if in.bad[p.SHA256] != "" {
			continue
		}
		got, err := repo.bring(ctx, p, true)
		if err := in.take(err, Finding{
			Object: objectName(p.SHA256), Generation: p.Generation, Kind: KindForged, Readable: readableWithout(p),
			Repair: "vexa workspace repair NAME --from CLONE; ask who pushed generation " + decimal(p.Generation),
		}); err != nil {
			return err
		}
		if got.name == "" {
			continue
		}
		if err := in.paranoidIndex(ctx, repo, got, p); err != nil {
			return err
		}
	}
	whole, err := repo.whole(ctx, in.state.Refs)
	if err != nil {
		return err
	}
	in.report.Refs = len(in.state.Refs)
	for _, ref := range slices.Sorted(maps.Keys(in.state.Refs)) {
		if !whole[ref] {
			in.find(Finding{
				Object: ref, Generation: in.state.Generation, Kind: KindNotWhole, What: "something that " + in.state.Refs[ref] + " reaches is not in the bucket",
				Readable: "the other refs", Repair: "vexa workspace repair NAME --from CLONE, of a clone that has it",
			})
		}
	}
	return nil
}

// paranoidIndex compares the index of a pack with what git made of it, and
// remembers of a pack that is sound that it is.
func (in *inspection) paranoidIndex(ctx context.Context, repo *scratchRepo, got brought, p manifestv1.Pack) error {
	if p.Index != nil {
		if in.bad[p.Index.SHA256] != "" {
			return nil
		}
		err := repo.sameIndex(ctx, got, p)
		if err != nil {
			return in.take(err, Finding{
				Object: objectName(p.Index.SHA256), Generation: p.Generation, Kind: KindForged, Readable: withoutIndex,
				Repair: "vexa workspace repair NAME makes it again from its pack; ask who pushed generation " + decimal(p.Generation),
			})
		}
	}
	return in.b.local.noteVerified(p)
}

// take notes an error that says something of an object, and returns others.
func (in *inspection) take(err error, f Finding) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errGone) || !isFinding(err):
		return err
	}
	f.What = err.Error()
	in.bad[objectOf(f.Object)] = f.Kind
	in.find(f)
	return nil
}

// isFinding reports whether an error is about what was read, not about reading.
func isFinding(err error) bool { return fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied) }

// whole reports of each ref whether everything that it reaches is there.
func (r *Repo) whole(ctx context.Context, refs map[string]string) (map[string]bool, error) {
	out := make(map[string]bool, len(refs))
	ids := slices.Compact(slices.Sorted(maps.Values(refs)))
	all, err := r.reachesAll(ctx, ids, nil)
	if err != nil {
		return nil, err
	}
	good := map[string]bool{}
	var base []string // what is known to be whole needs no second walk
	for _, id := range ids {
		ok := all
		if !ok {
			if ok, err = r.reachesAll(ctx, []string{id}, base); err != nil {
				return nil, err
			}
		}
		if good[id] = ok; ok && !all {
			base = append(base, id)
		}
	}
	for name, id := range refs {
		out[name] = good[id]
	}
	return out, nil
}

// reachesAll reports whether everything that the ids reach is there, apart from
// what the others reach, which is known to be.
func (r *Repo) reachesAll(ctx context.Context, ids, others []string) (bool, error) {
	if len(ids) == 0 {
		return true, nil
	}
	res, err := r.Run(ctx, git.Cmd{
		Args:  []string{"rev-list", "--objects", "--stdin", "--quiet"},
		Stdin: revs(ids, others), OK: []int{1, 128},
	})
	return err == nil && res.Code == 0, err
}
