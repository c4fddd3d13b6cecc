package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/inboxv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// What a member delivered that writes and does not read is taken up by whoever may
// write everything and opens the workspace: each delivery is one generation of the
// bucket, in which the refs move and the delivery is recorded. It is treated as what
// its member pushes, and as what a dispatch leaves: a ref goes forward or is merged,
// or where that takes people becomes a merge proposal.

// refusal is why a delivery was not taken up.
type refusal struct {
	policy int // version of the membership then
	err    error
	at     time.Time
}

// tryAgain is how long a delivery rests that was not taken up, and not refused either.
const tryAgain = time.Minute

// holds reports whether who opens a workspace need not try it again.
func (r refusal) holds(policy int) bool {
	if isRefusal(r.err) {
		return r.policy == policy
	}
	return time.Since(r.at) < tryAgain
}

// receiveAtOnce is how long whoever opens a workspace waits for what was delivered; the
// next one goes on.
const receiveAtOnce = 3 * time.Second

// receive takes up what waits in the inbox, for as long as limit or, where that is 0,
// all of it. What is wrong with a delivery, or with the inbox, keeps nobody from the
// workspace.
func (r *repo) receive(ctx context.Context, limit time.Duration) {
	begin := time.Now()
	st := r.bucket.Known()
	if st == nil || !inbox.Open(st.Membership) {
		return
	}
	signer, err := r.bucket.Signer(ctx)
	if err != nil {
		return
	}
	if me, ok := bucket.MemberWith(st.Membership, signer.Key()); !ok || !bucket.Allows(me, bucket.RightWrite, bucket.Everything) {
		return
	}
	box := inbox.Of(r.bucket)
	list, err := box.List(ctx)
	if err != nil {
		r.store.opt.Log.WarnContext(ctx, "an inbox could not be looked into", "workspace", r.id, "error", err)
		return
	}
	for _, e := range list {
		if was, ok := r.refusedBefore(e.ID); !e.Named || ok && limit > 0 && was.holds(st.Membership.Version) {
			continue
		}
		if err := r.takeUp(ctx, box, e.ID); err != nil {
			r.refuse(e.ID, refusal{policy: st.Membership.Version, err: err, at: time.Now()})
			r.store.opt.Log.WarnContext(ctx, "a delivery is not taken up", "workspace", r.id, "delivery", e.ID, "error", err)
		}
		if ctx.Err() != nil || limit > 0 && time.Since(begin) > limit {
			return
		}
	}
}

// isRefusal reports whether the error is about the delivery, and not about what it
// takes to look.
func isRefusal(err error) bool {
	_, ok := errors.AsType[*inbox.RefusedError](err)
	return ok
}

func (r *repo) refusedBefore(id string) (refusal, bool) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	was, ok := r.store.refusals[r.id+"/"+id]
	return was, ok
}

func (r *repo) refuse(id string, why refusal) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.store.refusals[r.id+"/"+id] = why
}

// takeUp takes one delivery up, and removes it from the inbox. The error is an
// inbox.RefusedError where the members are such that it is not, and fault.Conflict where it has
// to wait for another one.
func (r *repo) takeUp(ctx context.Context, box *inbox.Box, id string) error {
	d, err := box.Read(ctx, id)
	if errors.Is(err, blob.ErrNotExist) {
		return nil // somebody else did
	}
	if err != nil {
		return err
	}
	t := &taking{repo: r, delivery: d}
	if err := t.look(ctx); err != nil {
		return err
	}
	// What takes long is done before others are kept waiting.
	if !t.taken && d.Pack != nil {
		if err := r.roomFor(2 * d.Pack.Size); err != nil { // with its index
			return err
		}
		if t.objects, err = box.Unpack(ctx, r.asBucketRepo(), d); err != nil {
			return err
		}
	}
	if err := r.change(ctx, func() error { return t.try(ctx) }); err != nil {
		return err
	}
	r.store.step("taken")
	return box.Remove(ctx, d.ID)
}

// look judges the delivery by the newest state.
func (t *taking) look(ctx context.Context) (err error) {
	*t = taking{repo: t.repo, delivery: t.delivery, objects: t.objects, base: map[string]string{}}
	if t.state, err = t.repo.head(ctx); err != nil {
		return err
	}
	if t.who, err = depositor(t.state.Membership, t.delivery); err != nil {
		return &inbox.RefusedError{Err: err}
	}
	if t.taken, err = t.repo.recorded(ctx, t.delivery.ID); err != nil || t.taken {
		return err
	}
	return t.requires(ctx)
}

// try takes the delivery up, unless it is recorded. The workspace's lock is held.
func (t *taking) try(ctx context.Context) error {
	if err := t.look(ctx); err != nil || t.taken {
		return err
	}
	return t.run(ctx)
}

// depositor returns the member that a delivery is by, where that may bring what it
// brings.
func depositor(m manifestv1.Membership, d inbox.Delivery) (manifestv1.Member, error) {
	who, ok := bucket.MemberWith(m, d.By)
	if !ok {
		if was, ok := bucket.EverMemberWith(m, d.By); ok {
			return who, fault.New(fault.Denied, fmt.Sprintf("%s signed it, who is no member any more since generation %d", was.Name, was.Until+1), "")
		}
		return who, fault.New(fault.Denied, "no member signed it: the key is "+d.By.Fingerprint(), "")
	}
	seen := map[string]bool{}
	for _, u := range d.Updates {
		if err := bucket.CheckRef(u.Ref); err != nil {
			return who, err
		}
		if why := inbox.MayDeliver(who, u.Ref); why != nil {
			return who, fault.Wrap(fault.Denied, who.Name+" delivered "+u.Ref, why)
		}
		if seen[u.Ref] {
			return who, fault.New(fault.Invalid, "it names "+u.Ref+" twice", "")
		}
		seen[u.Ref] = true
	}
	return who, nil
}

// taking is a delivery that is being taken up. The workspace's lock is held.
type taking struct {
	repo     *repo
	state    *bucket.State
	delivery inbox.Delivery
	who      manifestv1.Member // that delivered
	objects  map[string]bool   // of its pack, which are in the repository
	taken    bool              // it is recorded
	before   []string          // the records of what they delivered before

	moves    []move
	base     map[string]string // what targets of proposals have to be
	tips     []object.ID       // commits that were delivered
	outcomes []string
}

// requires has a delivery wait that builds on what its member did not deliver before,
// whatever else is here: who cannot read learns nothing by it.
func (t *taking) requires(ctx context.Context) error {
	if t.delivery.ObjectFormat != t.state.ObjectFormat {
		return &inbox.RefusedError{Err: fault.New(fault.Invalid, "its objects are of format "+t.delivery.ObjectFormat, "")}
	}
	var err error
	if t.before, err = t.records(); err != nil || len(t.delivery.Requires) == 0 {
		return err
	}
	lacks, err := t.repo.asBucketRepo().Missing(ctx, t.delivery.Requires, t.before, nil)
	if err == nil && (lacks != "" || len(t.before) == 0) {
		err = fault.New(fault.Conflict, "it builds on an earlier delivery, which was not taken up", "have "+t.who.Name+" take up their invitation again with --anew, and push: then everything is sent")
	}
	return err
}

// records are the newest records of whom the key belongs or belonged to.
func (t *taking) records() ([]string, error) {
	var out []string
	for _, m := range t.state.Membership.Members {
		if !slices.Contains(m.Signers, t.delivery.By.String()) {
			continue
		}
		tip, err := t.repo.ref(deliveriesOf(m.ID))
		if err != nil {
			return nil, err
		}
		if !tip.IsZero() {
			out = append(out, tip.String())
		}
	}
	return out, nil
}

// run publishes what a delivery brings, with its record.
func (t *taking) run(ctx context.Context) error {
	r := t.repo
	ids := make([]string, 0, len(t.delivery.Updates))
	for _, u := range t.delivery.Updates {
		ids = append(ids, u.ID)
	}
	// What else is here does not count: whether it is is not for them to find out.
	switch lacks, err := r.asBucketRepo().Missing(ctx, ids, t.before, t.objects); {
	case err != nil:
		return err
	case lacks != "":
		return &inbox.RefusedError{Err: fault.New(fault.Invalid, "its pack lacks objects", "")}
	}
	for _, u := range t.delivery.Updates {
		what, err := t.update(ctx, u)
		if err != nil {
			return err
		}
		t.outcomes = append(t.outcomes, u.Ref+" "+what)
	}
	record, err := t.record(ctx)
	if err != nil {
		return err
	}
	return r.publishApproved(ctx, append(t.moves, record), nil, approved{policy: t.state.Membership.Version, base: t.base})
}

// update decides what becomes of one ref, in words.
func (t *taking) update(ctx context.Context, u inboxv1.Update) (string, error) {
	r := t.repo
	id, err := object.ParseID(u.ID)
	if err != nil {
		return "", &inbox.RefusedError{Err: fault.Wrap(fault.Invalid, "it names an object of another format", err)}
	}
	commit, kind, err := r.peel(ctx, u.ID)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(u.Ref, "refs/heads/") && kind != "commit" {
		return "", &inbox.RefusedError{Err: fault.New(fault.Invalid, u.Ref+" is to be a "+kind+", and a branch is a commit", "")}
	}
	t.tips = append(t.tips, commit)
	if t.state.Refs[u.Ref] == "" {
		if other := t.inTheWay(u.Ref); other != "" {
			return "kept: " + other + " is in its way", nil
		}
	}
	now, err := r.ref(u.Ref)
	if err != nil {
		return "", err
	}
	switch {
	case now == id:
		return "was there", nil
	case now.IsZero():
		t.moves = append(t.moves, move{ref: u.Ref, to: id})
		return "landed", nil
	case !strings.HasPrefix(u.Ref, "refs/heads/"):
		return "kept: it is another one already", nil
	default:
		return t.land(ctx, u.Ref, now, id)
	}
}

// peel returns the commit that an object leads to, and the object's type.
func (r *repo) peel(ctx context.Context, text string) (commit object.ID, kind string, err error) {
	var types, ids []string
	err = r.Look(ctx, []string{text, text + "^{commit}"}, func(o git.Object) error {
		types, ids = append(types, o.Type), append(ids, o.ID)
		return nil
	})
	if err != nil {
		return commit, "", err
	}
	if types[1] != "commit" {
		return commit, "", &inbox.RefusedError{Err: fault.New(fault.Invalid, text+" leads to no commit", "")}
	}
	commit, err = object.ParseID(ids[1])
	return commit, types[0], err
}

// inTheWay returns the ref that a new one cannot be there with, or "".
func (t *taking) inTheWay(ref string) string {
	for _, m := range t.moves {
		if bucket.Entangled(m.ref, ref) {
			return m.ref
		}
	}
	for name := range t.state.Refs {
		if bucket.Entangled(name, ref) {
			return name
		}
	}
	return ""
}

// land brings a commit to a branch that is there.
func (t *taking) land(ctx context.Context, ref string, now, id object.ID) (string, error) {
	r, s := t.repo, t.repo.store
	c, err := r.readCommit(ctx, id)
	if err != nil {
		return "", err
	}
	msg := message{subject: proposal.Title(c.Message), trailers: [][2]string{{trailerDelivery, t.delivery.ID}, {trailerSubject, t.who.ID}}}
	next, _, conflicts, err := s.mergeInto(ctx, r, now, landing{ref: "refs/heads/" + t.who.Name, id: id, author: t.author(), msg: msg})
	switch {
	case fault.Is(err, fault.Conflict):
		return "kept: it has no commit in common with what is there", nil
	case err != nil:
		return "", err
	case len(conflicts) == 0 && next == now:
		return "was there", nil
	case len(conflicts) > 0 || bucket.Threshold(t.state.Membership, ref) > 0:
		return t.propose(ctx, msg.subject, ref, now, id)
	}
	t.moves = append(t.moves, move{ref: ref, from: now, to: next})
	if next == id {
		return "landed", nil
	}
	return "merged", nil
}

func (t *taking) author() Author { return Author{Subject: t.who.ID, Name: t.who.Name} }

// propose opens a proposal of a commit that its branch does not take by itself.
func (t *taking) propose(ctx context.Context, title, ref string, now, id object.ID) (string, error) {
	r, s := t.repo, t.repo.store
	p, err := r.proposing(ctx, t.state, nil, "")
	if err != nil {
		return "", err
	}
	name := s.opt.NewID()
	m, _, _, err := p.make(ctx, func(p *proposing) (event, error) {
		return p.open(ctx, proposalv1.Proposal{
			Kind: proposalv1.KindProposal, ID: name, Title: title, Target: ref, Source: id.String(), Subject: t.who.ID,
		}, "Delivered by "+t.who.Name+", who writes and does not read: "+t.delivery.ID+".\n")
	})
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.Conflict) { // it cannot say what conflicts
		return "kept: " + err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	t.moves = append(t.moves, m)
	t.base[ref] = now.String()
	return "proposed " + name, nil
}
