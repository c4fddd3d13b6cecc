package workspace

import (
	"context"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// Undo makes a commit on main that takes changes back: by default those of
// main's last commit that no undo took back yet, with Dispatch those of every commit of a unit, with Commit those
// of one, with To everything since a commit. What came later is kept: where it touches the same
// lines, Undone.Conflicts names the paths and a proposal waits for who resolves
// them; so it does where the policy asks for approvals. With To all of main's tree
// becomes that commit's; what came later stays in the history.
func (s *Store) Undo(ctx context.Context, id string, req UndoRequest) (Undone, error) {
	if len(slices.DeleteFunc([]string{req.To, req.Dispatch, req.Commit}, func(s string) bool { return s == "" })) > 1 {
		return Undone{}, fault.New(fault.Invalid, "an undo is to a commit, of a commit or of a dispatch", "give one of the three")
	}
	r, err := s.open(ctx, id)
	if err != nil {
		return Undone{}, err
	}
	var out Undone
	err = r.change(ctx, func() (err error) {
		out, err = s.undo(ctx, r, req)
		return err
	})
	return out, err
}

// undo makes one undo; the workspace's lock is held.
func (s *Store) undo(ctx context.Context, r *repo, req UndoRequest) (Undone, error) {
	main, err := r.ref(refMain)
	if err != nil {
		return Undone{}, err
	}
	q, drop, err := r.quarantine()
	if err != nil {
		return Undone{}, err
	}
	defer drop()
	u := &undo{store: s, repo: r, main: main, req: req, quarantine: q}
	switch {
	case req.To != "":
		err = u.to(ctx)
	case req.Dispatch != "":
		err = u.dispatch(ctx)
	case req.Commit != "":
		err = u.one(ctx)
	default:
		err = u.last(ctx)
	}
	if err != nil {
		return Undone{}, err
	}
	st, err := r.head(ctx)
	if err != nil {
		return Undone{}, err
	}
	if len(u.conflicts) > 0 || bucket.Threshold(st.Membership, refMain) > 0 {
		return u.propose(ctx, st)
	}
	return u.commit(ctx, st)
}

// undo is one undo under way.
type undo struct {
	store     *Store
	repo      *repo
	main      object.ID
	req       UndoRequest
	root      object.ID // the tree that main gets
	subject   string
	reverted  []Commit // newest first
	conflicts []string

	quarantine string // where helpers and merged trees are until they are needed
}

// maxNamed is how many of the commits it takes back an undo names in trailers.
const maxNamed = 100

func nothing() error {
	return fault.New(fault.Conflict, "there is nothing to undo", "vexa workspace log lists the commits")
}

// to makes the tree that of a commit that main holds.
func (u *undo) to(ctx context.Context) error {
	target, err := u.held(ctx, u.req.To)
	if err != nil {
		return err
	}
	if u.reverted, err = u.repo.log(ctx, LogQuery{}, "^"+target.String(), u.main.String()); err != nil {
		return err
	}
	u.subject = "Undo everything since " + target.String()[:12]
	u.root, err = u.repo.treeOf(ctx, target)
	return err
}

// last reverts the newest of main's commits that is in effect: no undo, and not
// taken back by one that is itself in effect. Of a merge it reverts what the
// merge brought to main.
func (u *undo) last(ctx context.Context) error {
	list, err := u.repo.log(ctx, LogQuery{mainline: true}, u.main.String())
	if err != nil {
		return err
	}
	now, err := u.repo.treeOf(ctx, u.main)
	if err != nil {
		return err
	}
	for _, c := range inEffect(list) {
		if len(c.Parents) == 0 {
			break // what the workspace was created with
		}
		if _, err := u.revert(ctx, u.main, c); err != nil || len(u.conflicts) > 0 {
			u.reverted, u.subject = []Commit{c}, "Undo: "+c.Message
			return err
		}
		if u.root == now {
			continue // an undo that names no commits of a merge took it back, or it changed nothing
		}
		u.reverted, u.subject = []Commit{c}, "Undo: "+c.Message
		return nil
	}
	return fault.New(fault.NotFound, "there is nothing left to undo", "vexa workspace log lists the commits; undo --to takes the files of one of them")
}

// inEffect returns the commits of a history, the newest first, that are no undo
// and were not taken back. An undo that was taken back took nothing back.
func inEffect(history []Commit) []Commit {
	var out []Commit
	back := map[string]bool{}
	for _, c := range history {
		switch {
		case back[c.SHA]:
		case len(c.Undoes) > 0:
			for _, sha := range c.Undoes {
				back[sha] = true
			}
		default:
			out = append(out, c)
		}
	}
	return out
}

// dispatch reverts a unit's commits, the newest first, each by a three-way
// merge against what the ones before left. Merges of the unit are passed over:
// they bring nothing of their own.
func (u *undo) dispatch(ctx context.Context) error {
	list, err := u.repo.log(ctx, LogQuery{Unit: u.req.Dispatch}, u.main.String())
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(c Commit) bool { return len(c.Parents) != 1 })
	if len(list) == 0 {
		return fault.New(fault.NotFound, "main holds no commit of dispatch "+u.req.Dispatch, "vexa workspace log lists the commits")
	}
	u.reverted = list
	u.subject = "Undo dispatch " + list[0].Unit
	at := u.main
	for _, c := range list {
		if at, err = u.revert(ctx, at, c); err != nil || len(u.conflicts) > 0 {
			return err
		}
	}
	return nil
}

// one reverts a commit that main holds.
func (u *undo) one(ctx context.Context) error {
	target, err := u.held(ctx, u.req.Commit)
	if err != nil {
		return err
	}
	list, err := u.repo.log(ctx, LogQuery{Limit: 1}, target.String())
	if err != nil {
		return err
	}
	if len(list) == 0 || len(list[0].Parents) == 0 {
		return nothing() // it is what the workspace was created with
	}
	u.reverted, u.subject = list, "Undo: "+list[0].Message
	_, err = u.revert(ctx, u.main, list[0])
	return err
}

// held is a commit that main holds.
func (u *undo) held(ctx context.Context, rev string) (object.ID, error) {
	target, err := u.repo.resolve(ctx, rev)
	if err != nil {
		return target, err
	}
	holds, err := u.repo.isAncestor(ctx, target, u.main)
	if err == nil && !holds {
		err = fault.New(fault.Invalid, "main does not hold the commit "+target.String()[:12], "vexa workspace log lists those it holds")
	}
	return target, err
}

// revert takes one commit back from the commit at. The merge base has to be the
// reverted commit itself: so what is merged is a commit on top of it that has
// its parent's tree. These helpers are never referred to.
func (u *undo) revert(ctx context.Context, at object.ID, c Commit) (object.ID, error) {
	id, err := object.ParseID(c.SHA)
	if err != nil {
		return at, err
	}
	parent, err := object.ParseID(c.Parents[0])
	if err != nil {
		return at, err
	}
	before, err := u.repo.treeOf(ctx, parent)
	if err != nil {
		return at, err
	}
	inverse, err := u.helper(before, id)
	if err != nil {
		return at, err
	}
	u.root, u.conflicts, err = u.repo.mergeIn(ctx, u.quarantine, at, inverse)
	if err != nil || len(u.conflicts) > 0 {
		return at, err
	}
	return u.helper(u.root, u.main)
}

// helper makes a commit that only a merge looks at.
func (u *undo) helper(root, parent object.ID) (object.ID, error) {
	data := u.store.commit(u.req.Author, root, []object.ID{parent}, message{subject: "helper"})
	return object.WriteLoose(u.quarantine, object.KindCommit, data)
}

// message is that of the undo's commit; what it took back is in the trailers.
func (u *undo) message() message {
	msg := message{subject: u.subject, trailers: [][2]string{
		{trailerSubject, u.req.Author.Subject},
		{trailerLauncher, u.req.Launcher},
	}}
	for _, sha := range u.names() {
		msg.trailers = append(msg.trailers, [2]string{trailerUndo, sha})
	}
	return msg
}

// names are the commits that are taken back, as far as an undo names them.
func (u *undo) names() []string {
	out := []string{}
	for _, c := range u.reverted[:min(len(u.reverted), maxNamed)] {
		out = append(out, c.SHA)
	}
	return out
}

// propose leaves an undo that main does not take by itself to people: the proposal
// of a commit that takes back what was to be taken back, from right after it.
func (u *undo) propose(ctx context.Context, st *bucket.State) (Undone, error) {
	out := Undone{Reverted: []string{}, Conflicts: u.conflicts}
	if out.Conflicts == nil {
		out.Conflicts = []string{}
	}
	parent, root := u.main, u.root
	if len(u.conflicts) > 0 {
		var err error
		if parent, root, err = u.inverse(ctx); err != nil || parent.IsZero() {
			return out, err
		}
	} else {
		now, err := u.repo.treeOf(ctx, u.main)
		if err != nil {
			return out, err
		}
		if now == root {
			return out, nothing()
		}
	}
	s, r := u.store, u.repo
	p, err := r.proposing(ctx, st, nil, u.req.Author.Subject)
	if err != nil {
		return out, err
	}
	id := s.opt.NewID()
	p.q, p.pack = u.quarantine, object.NewPack(r.packDir(), nil)
	defer p.pack.Abort()
	commit := s.commit(u.req.Author, root, []object.ID{parent}, u.message())
	source, err := object.WriteLoose(u.quarantine, object.KindCommit, commit) // where the merge finds it
	if err != nil {
		return out, err
	}
	if _, err := p.pack.Add(object.KindCommit, commit); err != nil {
		return out, err
	}
	now, err := r.treeOf(ctx, u.main)
	if err != nil {
		return out, err
	}
	// What is taken back was there once, and is in the bucket; what a clean undo merges
	// is new.
	if err := r.addNew(ctx, u.quarantine, p.pack, root, now); err != nil {
		return out, err
	}
	e, err := p.open(ctx, proposalv1.Proposal{
		Kind: proposalv1.KindProposal, ID: id, Title: proposal.Title(u.subject), Target: refMain, Source: source.String(), Subject: u.req.Author.Subject, Undoes: u.names(),
	}, "")
	if err != nil {
		return out, err
	}
	m, name, err := p.finish(ctx, e)
	if err != nil {
		return out, err
	}
	if err := r.publishApproved(ctx, []move{m}, []string{name}, approved{policy: st.Membership.Version, base: map[string]string{refMain: u.main.String()}}); err != nil {
		return out, err
	}
	out.Proposal = id
	return out, nil
}

// inverse returns what a commit has to be made of that takes back what conflicts:
// the newest of the commits, and the tree from before the oldest. They have to
// follow each other; else the parent is zero.
func (u *undo) inverse(ctx context.Context) (parent, root object.ID, err error) {
	for i, c := range u.reverted {
		if len(c.Parents) == 0 || i > 0 && u.reverted[i-1].Parents[0] != c.SHA {
			return object.ID{}, object.ID{}, nil
		}
	}
	if len(u.reverted) == 0 {
		return object.ID{}, object.ID{}, nil
	}
	if parent, err = object.ParseID(u.reverted[0].SHA); err != nil {
		return parent, root, err
	}
	before, err := object.ParseID(u.reverted[len(u.reverted)-1].Parents[0])
	if err != nil {
		return parent, root, err
	}
	root, err = u.repo.treeOf(ctx, before)
	return parent, root, err
}

// commit puts the tree on main.
func (u *undo) commit(ctx context.Context, st *bucket.State) (Undone, error) {
	now, err := u.repo.treeOf(ctx, u.main)
	if err != nil {
		return Undone{}, err
	}
	if now == u.root {
		return Undone{}, nothing()
	}
	msg := u.message()
	out := Undone{Reverted: []string{}, Conflicts: []string{}}
	for _, c := range u.reverted {
		out.Reverted = append(out.Reverted, c.SHA)
	}
	pack := object.NewPack(u.repo.packDir(), nil)
	defer pack.Abort()
	if err := u.repo.addNew(ctx, u.quarantine, pack, u.root, now); err != nil {
		return Undone{}, err
	}
	id, err := pack.Add(object.KindCommit, u.store.commit(u.req.Author, u.root, []object.ID{u.main}, msg))
	if err != nil {
		return Undone{}, err
	}
	name, err := pack.Finish()
	if err != nil {
		return Undone{}, err
	}
	if err := u.repo.publishApproved(ctx, []move{{ref: refMain, from: u.main, to: id}}, []string{name}, approved{policy: st.Membership.Version}); err != nil {
		return Undone{}, err
	}
	out.SHA = id.String()
	return out, nil
}
