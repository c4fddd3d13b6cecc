package workspace

import (
	"context"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// Seal commits what a turn left in the checkout to the dispatch's branch and
// merges that into main; the checkout itself is not touched. Where nothing
// changed there is no commit and Sealed.SHA is empty. What conflicts stays on
// the branch, Merged is false and Conflicts names the paths; a later seal of
// the same checkout tries again.
//
// Killed at any instant, the same call may be made again, through OpenCheckout:
// a commit that was made but not reported is then reported, and with
// SealRequest.Reported one that was reported and forgotten, too.
func (s *Store) Seal(ctx context.Context, req SealRequest) (Sealed, error) {
	c := req.Checkout
	if c == nil || c.note.Mode != unitv1.ReadWrite {
		return Sealed{}, fault.New(fault.Denied, "a read-only checkout is never sealed", "")
	}
	if req.Unit != c.note.Unit {
		return Sealed{}, fault.New(fault.Invalid, "the checkout belongs to dispatch "+c.note.Unit+", not "+strconv.Quote(req.Unit), "")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := s.open(ctx, c.note.Workspace)
	if err != nil {
		return Sealed{}, err
	}
	out, err := s.seal(ctx, r, req)
	if err != nil {
		return Sealed{}, fault.Wrap(fault.KindOf(err), "seal workspace "+r.name, err)
	}
	return out, nil
}

func (s *Store) seal(ctx context.Context, r *repo, req SealRequest) (Sealed, error) {
	c := req.Checkout
	out := Sealed{Workspace: c.note.Workspace, Branch: c.Branch()}
	tip, err := s.currentTip(ctx, r, c)
	if err != nil {
		return out, err
	}
	unreported := tip.String() != c.note.Tip || req.Reported != "" && req.Reported != tip.String()
	msg := message{subject: req.Message, trailers: [][2]string{
		{trailerUnit, req.Unit},
		{trailerSubject, req.Author.Subject},
		{trailerLauncher, req.Launcher},
		{trailerRunner, req.Runner},
		{trailerSession, req.Session},
		{trailerTurn, req.Turn},
	}}
	id, pack, res, err := s.snapshot(ctx, r, req, tip, msg)
	if err != nil {
		return out, err
	}
	out.Rejected, out.Ignored = fromTree(res.Rejected), res.Ignored
	changed := id != tip
	switch {
	case changed:
		out.Files = tree.Changed(c.index, res.Index)
	case unreported:
		if out.Files, err = r.changedBy(ctx, tip, c.index); err != nil {
			return out, err
		}
	}
	if !changed && !unreported && c.note.Merged {
		c.index = res.Index
		return out, c.save(res.Read > 0)
	}
	if err := s.land(ctx, r, landing{ref: c.ref(), tip: tip, id: id, pack: pack, author: req.Author, msg: msg}, &out); err != nil {
		return out, err
	}
	if changed || unreported || out.Merged {
		out.SHA = id.String()
	}
	c.index, c.note.Tip, c.note.Merged = res.Index, id.String(), out.Merged
	s.step("saving")
	return out, c.save(true)
}

// currentTip returns the branch's commit and sees to it that the checkout's
// index is that commit's. It differs from the noted one only where an earlier
// seal was killed after it moved the branch.
func (s *Store) currentTip(ctx context.Context, r *repo, c *Checkout) (object.ID, error) {
	tip, err := r.ref(c.ref())
	if err != nil {
		return tip, err
	}
	if tip.IsZero() { // the workspace was closed meanwhile, and main holds what was on the branch
		if tip, err = r.restoreBranch(ctx, c); err != nil {
			return tip, err
		}
	}
	if tip.String() != c.note.Tip {
		c.index, err = r.readIndex(ctx, tip)
	}
	return tip, err
}

// restoreBranch makes the branch of a checkout again at the commit that it noted.
func (r *repo) restoreBranch(ctx context.Context, c *Checkout) (object.ID, error) {
	tip, err := object.ParseID(c.note.Tip)
	if err != nil {
		return tip, fault.New(fault.Invalid, "the note of a checkout is damaged", "")
	}
	if _, err := r.readCommit(ctx, tip); err != nil {
		return tip, fault.Wrap(fault.NotFound, "the branch "+c.Branch()+" is gone", err)
	}
	return tip, r.locked(ctx, func() error { return r.setRef(c.ref(), tip, object.ID{}) })
}

// changedBy counts the files that a commit with the given index changed.
func (r *repo) changedBy(ctx context.Context, id object.ID, index *tree.Index) (int, error) {
	c, err := r.readCommit(ctx, id)
	if err != nil || len(c.Parents) == 0 {
		return 0, err
	}
	before, err := r.readIndex(ctx, c.Parents[0])
	if err != nil {
		return 0, err
	}
	return tree.Changed(before, index), nil
}

// snapshot reads the working tree into the repository and returns the commit
// that holds it, with its pack: tip where the tree is tip's.
func (s *Store) snapshot(ctx context.Context, r *repo, req SealRequest, tip object.ID, msg message) (id object.ID, name string, res tree.Result, err error) {
	c := req.Checkout
	var have map[object.ID]struct{}
	pack := object.NewPack(r.packDir(), func(id object.ID) bool {
		if have == nil {
			have = c.index.IDs()
		}
		_, ok := have[id]
		return ok
	})
	defer pack.Abort()
	res, err = tree.Walk(ctx, c.note.Dir, tree.Options{Prev: c.index, Limits: s.opt.Limits, Thorough: req.Thorough}, pack)
	if err != nil {
		return tip, "", res, err
	}
	s.step("walked")
	if res.Index.Root.ID == c.index.Root.ID {
		return tip, "", res, nil
	}
	id, err = pack.Add(object.KindCommit, s.commit(req.Author, res.Index.Root.ID, []object.ID{tip}, msg))
	if err != nil {
		return tip, "", res, err
	}
	name, err = pack.Finish()
	s.step("packed")
	return id, name, res, err
}
