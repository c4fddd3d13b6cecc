package workspace

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
)

// The states of a delivery.
const (
	DeliveryWaiting = "waiting" // it is taken up later, see Why
	DeliveryRefused = "refused" // it is not taken up while the members are as they are
	DeliveryTaken   = "taken"
	DeliveryDropped = "dropped" // somebody removed it
)

// Delivery is something that a member delivered who writes and does not read.
type Delivery struct {
	ID     string
	Time   time.Time // when it was stored, or taken up; zero: not known
	Size   int64     // bytes, as stored; 0 once it was taken up
	Member string    // name; empty where nobody is known to have signed it
	Refs   []DeliveredRef
	State  string
	Why    string // it waits or is refused
}

// DeliveredRef is what became of one ref of a delivery.
type DeliveredRef struct {
	Ref     string
	Outcome string // in words; empty while it was not taken up
}

// Deliveries returns what lies in a workspace's inbox, once what can be taken up was,
// in the order in which it was delivered; and before that up to limit deliveries that
// were taken up, the newest first.
func (s *Store) Deliveries(ctx context.Context, nameOrID string, limit int) ([]Delivery, error) {
	r, err := s.open(ctx, nameOrID)
	if err != nil {
		return nil, err
	}
	r.receive(ctx, 0)
	st, err := r.known(ctx)
	if err != nil {
		return nil, err
	}
	out, err := r.takenDeliveries(ctx, limit)
	if err != nil {
		return nil, err
	}
	box := inbox.Of(r.bucket)
	list, err := box.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if e.Named {
			out = append(out, r.waiting(ctx, box, e, st))
		}
	}
	return out, ctx.Err()
}

// waiting describes what lies in the inbox.
func (r *repo) waiting(ctx context.Context, box *inbox.Box, e inbox.Entry, st *bucket.State) Delivery {
	out := Delivery{ID: e.ID, Time: e.Stored, Size: e.Size, State: DeliveryWaiting, Why: "whoever may write everything takes it up when they open the workspace"}
	d, err := box.Read(ctx, e.ID)
	if err == nil {
		who, _ := bucket.EverMemberWith(st.Membership, d.By)
		out.Member = who.Name
		for _, u := range d.Updates {
			out.Refs = append(out.Refs, DeliveredRef{Ref: u.Ref})
		}
		if _, err = depositor(st.Membership, d); err != nil {
			err = &inbox.RefusedError{Err: err}
		}
	}
	was, tried := r.refusedBefore(e.ID)
	if err == nil && tried && was.policy == st.Membership.Version {
		err = was.err
	}
	if err != nil {
		out.Why = err.Error()
		if isRefusal(err) {
			out.State = DeliveryRefused
		}
	}
	return out
}

// takenDeliveries reads the records of what was taken up, the newest first.
func (r *repo) takenDeliveries(ctx context.Context, limit int) ([]Delivery, error) {
	refs, err := r.refsBelow(refDeliveries)
	if err != nil || limit <= 0 {
		return nil, err
	}
	var out []Delivery
	for _, tip := range refs {
		res, err := r.Run(ctx, git.Cmd{Args: []string{"log", "-z", "--no-color", "--no-show-signature", "--first-parent", "--format=%an%x00%ct%x00%B", "-n", strconv.Itoa(limit), tip.String()}})
		if err != nil {
			return nil, err
		}
		fields := strings.Split(strings.TrimSuffix(string(res.Stdout), "\x00"), "\x00")
		for i := 0; i+3 <= len(fields); i += 3 {
			if d, ok := recordedDelivery(fields[i], fields[i+1], fields[i+2]); ok {
				out = append(out, d)
			}
		}
	}
	slices.SortFunc(out, func(a, b Delivery) int {
		return cmp.Or(b.Time.Compare(a.Time), strings.Compare(b.ID, a.ID))
	})
	return out[:min(len(out), limit)], nil
}

// recordedDelivery reads one commit of a record; its first one is of no delivery.
func recordedDelivery(name, seconds, text string) (Delivery, bool) {
	sec, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return Delivery{}, false
	}
	d := Delivery{Member: name, State: DeliveryTaken, Time: time.Unix(sec, 0).UTC()}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if id, ok := strings.CutPrefix(line, trailerDelivery+": "); ok {
			d.ID = id
		}
		if text, ok := strings.CutPrefix(line, trailerOutcome+": "); ok {
			ref, outcome, _ := strings.Cut(text, " ")
			d.Refs = append(d.Refs, DeliveredRef{Ref: ref, Outcome: outcome})
		}
	}
	if len(d.Refs) > 0 && d.Refs[0].Outcome == DeliveryDropped {
		d.State = DeliveryDropped
		for i := range d.Refs {
			d.Refs[i].Outcome = ""
		}
	}
	return d, d.ID != "" && len(d.Refs) > 0
}

// DropDelivery removes a delivery from the inbox that was not taken up, and records that,
// where a member signed it, so that nobody puts it back. It is fault.NotFound where there
// is none of the id.
func (s *Store) DropDelivery(ctx context.Context, nameOrID, id string) error {
	rec, err := s.find(ctx, nameOrID)
	if err != nil {
		return err
	}
	r, err := s.handle(ctx, rec)
	if err != nil {
		return err
	}
	if err := r.follow(ctx); err != nil { // nothing is taken up now
		return err
	}
	st, err := r.known(ctx)
	if err != nil {
		return err
	}
	signer, err := r.bucket.Signer(ctx)
	if err != nil {
		return err
	}
	if me, ok := bucket.MemberWith(st.Membership, signer.Key()); !ok || !bucket.Allows(me, bucket.RightWrite, bucket.Everything) {
		return fault.New(fault.Denied, "you may not write all of "+r.name+", and so drop nothing that was delivered", "ask an administrator: vexa workspace member list "+r.name)
	}
	box := inbox.Of(r.bucket)
	d, err := box.Read(ctx, id)
	switch {
	case errors.Is(err, blob.ErrNotExist):
		return fault.Newf(fault.NotFound, "the inbox of %s has no delivery %.40s", r.name, id).WithHint("vexa workspace inbox " + r.name)
	case isRefusal(err): // nobody can take it up
	case err != nil:
		return err
	default:
		if err := r.change(ctx, func() error { return r.recordDrop(ctx, d) }); err != nil {
			return err
		}
	}
	return box.Remove(ctx, id)
}

// recordDrop records that a delivery is not taken up. The workspace's lock is held.
func (r *repo) recordDrop(ctx context.Context, d inbox.Delivery) error {
	t := &taking{repo: r, delivery: d}
	var err error
	if t.state, err = r.head(ctx); err != nil {
		return err
	}
	var known bool
	if t.who, known = bucket.EverMemberWith(t.state.Membership, d.By); !known {
		return nil // it is nobody's, and stays so
	}
	if taken, err := r.recorded(ctx, d.ID); err != nil || taken {
		return err
	}
	for _, u := range d.Updates {
		t.outcomes = append(t.outcomes, u.Ref+" "+DeliveryDropped)
	}
	record, err := t.record(ctx)
	if err != nil {
		return err
	}
	return r.publishApproved(ctx, []move{record}, nil, approved{policy: t.state.Membership.Version})
}
