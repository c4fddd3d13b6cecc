package bucket

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/signature"
)

// Update is what a push wants of one ref.
type Update struct {
	Ref   string
	New   string  // object id; empty: delete
	Force bool    // also where history is lost
	Lease *string // only where the ref is this now; "": only where it is not there
}

// Result says what became of one update: nil, or one of the errors of this
// package.
type Result struct {
	Ref string
	Err error
}

// PushOptions says how a push is made.
type PushOptions struct {
	Atomic bool // all or nothing
	DryRun bool
	// Packs are packs of the repository, "pack-<id>", that have every object
	// which is new; the caller vouches for that, and for what the ids are, and
	// every update has a lease. Nil: git finds the objects.
	Packs []string
	// Approved are the refs whose change enough members have approved; the caller
	// has verified that.
	Approved []string
	// Base are refs that the packs build on, with what they have to be: else every
	// update is stale.
	Base map[string]string
	// Dispatches may move the branches of dispatches, which are nobody else's.
	Dispatches bool
	// Policy is the version of the membership that the push goes by; under another
	// one every update is stale. 0: whatever it is.
	Policy int
}

// Push brings refs and the objects that they need into the bucket. It returns
// the newest state and one result for each update, in order. Whoever pushes at
// the same time, every update that is answered with nil is in the bucket from
// then on; an update that is refused changed nothing. An error means that
// nothing is known: the push may be made again, and then does what is left.
func (b *Bucket) Push(ctx context.Context, r *Repo, updates []Update, opt PushOptions) (*State, []Result, error) {
	for _, u := range updates {
		if err := CheckRef(u.Ref); err != nil {
			return nil, nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &push{b: b, repo: r, updates: updates, opt: opt, types: map[string]string{}}
	st, err := b.change(ctx, func(st *State) (change, bool, error) { return p.decide(ctx, st) })
	return st, p.results, err
}

// push is one push under way.
type push struct {
	b       *Bucket
	repo    *Repo
	updates []Update
	opt     PushOptions
	types   map[string]string // of objects of the repository that were looked at
	results []Result

	packed   bool     // what follows is stored
	excluded []string // what the packs build on, sorted
	over     []string // the packs that had it, sorted
	packs    []manifestv1.Pack
	stored   unnamed
}

// decide judges the updates by a state and stores what those need that go
// through.
func (p *push) decide(ctx context.Context, st *State) (change, bool, error) {
	var c change
	if p.repo.Format != st.ObjectFormat && len(st.Refs) == 0 && len(st.Packs) == 0 {
		c.format = p.repo.Format
	} else if err := p.repo.checkFormat(st, p.b.store.URL()); err != nil {
		return c, false, err
	}
	if err := p.judge(ctx, st); err != nil {
		return c, false, err
	}
	if p.opt.Atomic && slices.ContainsFunc(p.results, func(r Result) bool { return r.Err != nil }) {
		for i := range p.results {
			if p.results[i].Err == nil {
				p.results[i].Err = ErrAtomic
			}
		}
		return c, false, nil
	}
	c.set = map[string]string{}
	for i, u := range p.updates {
		switch {
		case p.results[i].Err != nil || st.Refs[u.Ref] == u.New:
		case u.New == "":
			c.deleted = append(c.deleted, u.Ref)
		default:
			c.set[u.Ref] = u.New
		}
	}
	if p.opt.DryRun || len(c.set)+len(c.deleted) == 0 {
		return c, false, nil
	}
	c.head = newHead(st, c)
	if err := p.pack(ctx, st, slices.Sorted(maps.Values(c.set))); err != nil {
		return c, false, p.repo.trouble(err)
	}
	for _, pack := range p.packs {
		pack.Generation = st.Generation + 1
		c.add = append(c.add, pack)
	}
	return c, true, p.b.opt.Failpoints.At(ctx, pointStored)
}

// newHead moves HEAD to the one branch that a first push brings, where it would
// mean none.
func newHead(st *State, c change) string {
	if st.Refs[st.Head] != "" || c.set[st.Head] != "" {
		return ""
	}
	branch := ""
	for name := range c.set {
		if strings.HasPrefix(name, "refs/heads/") {
			if branch != "" {
				return ""
			}
			branch = name
		}
	}
	for name := range st.Refs {
		if strings.HasPrefix(name, "refs/heads/") {
			return ""
		}
	}
	return branch
}

// judge fills in the results.
func (p *push) judge(ctx context.Context, st *State) error {
	if err := p.look(ctx, st); err != nil {
		return err
	}
	who, err := p.b.self(ctx, st)
	if err != nil {
		return err
	}
	p.results = p.results[:0]
	late, err := p.late(st, who)
	if err != nil {
		return err
	}
	for _, u := range p.updates {
		reason, err := p.refusal(ctx, st, who, u)
		if err != nil {
			return err
		}
		if reason == nil && late {
			if reason = ErrFetchFirst; u.Lease != nil {
				reason = ErrStale
			}
		}
		p.results = append(p.results, Result{Ref: u.Ref, Err: reason})
	}
	p.disentangle(st)
	return nil
}

// late reports whether the bucket is not what the push goes by: another policy, other
// refs that it builds on, or something that has to be proven first. An administrator
// may push over the last, to take it back.
func (p *push) late(st *State, who manifestv1.Member) (bool, error) {
	if p.opt.Policy != 0 && p.opt.Policy != st.Membership.Version {
		return true, nil
	}
	for ref, id := range p.opt.Base {
		if st.Refs[ref] != id {
			return true, nil
		}
	}
	pending, err := p.b.Unproven()
	return pending && !Allows(who, RightAdmin, Everything), err
}

// look finds out what the objects are that the repository has.
func (p *push) look(ctx context.Context, st *State) error {
	if !slices.ContainsFunc(p.updates, func(u Update) bool { return u.New != "" }) {
		return nil
	}
	if len(p.opt.Packs) > 0 {
		for _, u := range p.updates {
			p.types[u.New] = "commit"
		}
		return nil
	}
	var ask []string
	for _, u := range p.updates {
		for _, id := range []string{u.New, st.Refs[u.Ref]} {
			if _, known := p.types[id]; id != "" && !known {
				ask = append(ask, id)
			}
		}
	}
	for _, id := range st.Refs { // what the pack need not hold
		if _, known := p.types[id]; !known {
			ask = append(ask, id)
		}
	}
	slices.Sort(ask)
	ask = slices.Compact(ask)
	got, err := p.repo.Types(ctx, ask)
	if err != nil {
		return err
	}
	for _, id := range ask {
		p.types[id] = got[id]
	}
	return nil
}

// refusal returns why an update is refused, or nil.
func (p *push) refusal(ctx context.Context, st *State, who manifestv1.Member, u Update) (reason, err error) {
	old := st.Refs[u.Ref]
	switch {
	case !mayWrite(who, u.Ref):
		return ErrRights, nil
	case u.New != "" && old == "" && CheckNewRef(u.Ref) != nil:
		return CheckNewRef(u.Ref), nil
	case u.Lease != nil && *u.Lease != old:
		return ErrStale, nil
	case old == u.New && old != "":
		return nil, nil
	case u.New != "" && strings.HasPrefix(u.Ref, dispatches) && !p.opt.Dispatches:
		return ErrDispatch, nil
	case u.New == "":
		if old == "" {
			return ErrNoRef, nil
		}
		if u.Ref == st.Head {
			return ErrCurrent, nil
		}
		if strings.HasPrefix(u.Ref, proposals) {
			return ErrProposal, nil
		}
		return p.unapproved(st, u), nil
	case p.types[u.New] == "":
		return nil, fault.Newf(fault.Invalid, "the repository has no object %s", u.New)
	case strings.HasPrefix(u.Ref, "refs/heads/") && p.types[u.New] != "commit":
		return ErrNotCommit, nil
	case p.unapproved(st, u) != nil:
		return ErrApprovals, nil
	case old == "" || (u.Force || u.Lease != nil) && (len(p.opt.Packs) > 0 || !strings.HasPrefix(u.Ref, proposals) || Allows(who, RightAdmin, Everything)):
		return p.cutOff(ctx, st, u.New)
	case strings.HasPrefix(u.Ref, "refs/tags/"):
		return ErrExists, nil
	case p.types[old] == "":
		return ErrFetchFirst, nil
	}
	forward, err := p.repo.isAncestor(ctx, old, u.New)
	if err != nil {
		return nil, err
	}
	if !forward {
		return ErrNonFastForward, nil
	}
	return p.cutOff(ctx, st, u.New)
}

// unapproved refuses to change a ref that takes nothing but approved proposals.
func (p *push) unapproved(st *State, u Update) error {
	if st.Refs[u.Ref] == "" || Threshold(st.Membership, u.Ref) == 0 || slices.Contains(p.opt.Approved, u.Ref) {
		return nil
	}
	return ErrApprovals
}

// cutOff refuses what a shallow repository has without its history, unless the
// bucket has that: whoever cloned it could not look at it.
func (p *push) cutOff(ctx context.Context, st *State, id string) (reason, err error) {
	if !p.repo.Shallow {
		return nil, nil
	}
	have := slices.DeleteFunc(slices.Collect(maps.Values(st.Refs)), func(id string) bool { return p.types[id] == "" })
	cut, err := p.repo.reachesCut(ctx, id, have)
	if err != nil || !cut {
		return nil, err
	}
	return ErrShallow, nil
}

// MayWrite reports whether this installation may write a ref.
func (b *Bucket) MayWrite(ctx context.Context, st *State, ref string) (bool, error) {
	who, err := b.self(ctx, st)
	if fault.Is(err, fault.Denied) {
		return false, nil
	}
	return err == nil && mayWrite(who, ref), err
}

// self returns the member that this installation signs as.
func (b *Bucket) self(ctx context.Context, st *State) (manifestv1.Member, error) {
	signer, err := b.opt.Keys.Signer(ctx)
	if err != nil {
		return manifestv1.Member{}, err
	}
	return memberWith(st, signer.Key(), b.store.URL())
}

func memberWith(st *State, key signature.Key, url string) (manifestv1.Member, error) {
	who, ok := memberOf(&st.Membership, key.String())
	if !ok {
		return who, fault.New(fault.Denied, "this installation may read the bucket at "+url+" and not write it: its signing key "+key.Fingerprint()+" is no member's",
			"ask a member to add it: vexa key show prints it; or take over a member's key: vexa init --key-file FILE")
	}
	return who, nil
}
