package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/inboxv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/tap"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// The reasons for which a ref is not delivered, beside those of package bucket.
var (
	ErrDelete = errors.New("who may write and not read deletes nothing, for want of seeing what it is")
	ErrKind   = errors.New("who may write and not read brings branches and tags alone")
)

// maxRequired is how many of the refs that were delivered before a delivery builds on,
// and maxUpdates how many it brings (bucket-inbox.v1).
const (
	maxRequired = 256
	maxUpdates  = 64
)

// PushOptions says how a delivery is made.
type PushOptions struct {
	Atomic bool // all or nothing
	DryRun bool
}

// Push delivers refs of a repository with the objects that they need, and returns one
// result for each update, in order. What was delivered before, and is known here, is
// left out; with Force everything is sent. Where the result is nil the delivery is
// durable, and waits to be taken up; an error means that nothing is known.
func (x *Box) Push(ctx context.Context, r *bucket.Repo, updates []bucket.Update, opt PushOptions) ([]bucket.Result, error) {
	n, err := x.Newest(ctx)
	if err != nil {
		return nil, err
	}
	signer, err := x.Keys.Signer(ctx)
	if err != nil {
		return nil, err
	}
	who, err := n.self(signer.Key(), x.Store.URL())
	if err != nil {
		return nil, err
	}
	if r.Format != n.ObjectFormat {
		return nil, fault.New(fault.Invalid, "the repository is of format "+r.Format+", and the bucket at "+x.Store.URL()+" of "+n.ObjectFormat, "make a repository with git init --object-format="+n.ObjectFormat)
	}
	if len(updates) > maxUpdates {
		return nil, fault.Newf(fault.Invalid, "a delivery brings at most %d refs, and these are %d", maxUpdates, len(updates)).WithHint("push fewer at once")
	}
	before, err := x.Delivered(ctx)
	if err != nil {
		return nil, err
	}
	p := &push{box: x, repo: r, notice: n, signer: signer, who: who, before: before, updates: updates}
	if err := p.judge(ctx); err != nil {
		return nil, err
	}
	if opt.Atomic && slices.ContainsFunc(p.results, func(r bucket.Result) bool { return r.Err != nil }) {
		for i := range p.results {
			if p.results[i].Err == nil {
				p.results[i].Err = bucket.ErrAtomic
			}
		}
		return p.results, nil
	}
	if opt.DryRun {
		return p.results, nil
	}
	return p.results, p.deliver(ctx)
}

// push is one delivery that is made.
type push struct {
	box     *Box
	repo    *bucket.Repo
	notice  Notice
	signer  signature.Signer
	who     manifestv1.Member
	before  map[string]string // refs that were delivered, and what they were
	updates []bucket.Update
	results []bucket.Result
	types   map[string]string // of objects of the repository
}

// judge fills in the results.
func (p *push) judge(ctx context.Context) error {
	ask := slices.Collect(maps.Values(p.before))
	for _, u := range p.updates {
		if u.New != "" {
			ask = append(ask, u.New)
		}
	}
	slices.Sort(ask)
	var err error
	if p.types, err = p.repo.Types(ctx, slices.Compact(ask)); err != nil {
		return err
	}
	for _, u := range p.updates {
		reason, err := p.refusal(ctx, u)
		if err != nil {
			return err
		}
		p.results = append(p.results, bucket.Result{Ref: u.Ref, Err: reason})
	}
	return nil
}

// refusal returns why an update is refused, or nil. What is there nobody here sees: it
// goes by what was delivered.
func (p *push) refusal(ctx context.Context, u bucket.Update) (reason, err error) {
	if err := bucket.CheckRef(u.Ref); err != nil {
		return nil, err
	}
	old := p.before[u.Ref]
	switch {
	case u.New == "":
		return ErrDelete, nil
	case p.types[u.New] == "":
		return nil, fault.Newf(fault.Invalid, "the repository has no object %s", u.New)
	case MayDeliver(p.who, u.Ref) != nil:
		return MayDeliver(p.who, u.Ref), nil
	case strings.HasPrefix(u.Ref, branches) && p.types[u.New] != "commit":
		return bucket.ErrNotCommit, nil
	case p.types[u.New] != "commit" && p.types[u.New] != "tag":
		return ErrKind, nil
	case p.repo.Shallow:
		return bucket.ErrShallow, nil
	case u.Lease != nil && *u.Lease != old:
		return bucket.ErrStale, nil
	case old == "" || old == u.New || u.Force:
		return nil, nil
	case strings.HasPrefix(u.Ref, tags):
		return bucket.ErrExists, nil
	case p.types[old] == "":
		return bucket.ErrNonFastForward, nil
	}
	forward, err := p.repo.IsAncestor(ctx, old, u.New)
	if err == nil && !forward {
		reason = bucket.ErrNonFastForward
	}
	return reason, err
}

// The refs that are delivered.
const (
	branches   = "refs/heads/"
	tags       = "refs/tags/"
	dispatches = "refs/heads/vexa/"
)

// MayDeliver returns why a member may not deliver a ref, or nil.
func MayDeliver(who manifestv1.Member, ref string) error {
	switch {
	case bucket.CheckNewRef(ref) != nil:
		return bucket.CheckNewRef(ref)
	case strings.HasPrefix(ref, dispatches):
		return bucket.ErrDispatch
	case !strings.HasPrefix(ref, branches) && !strings.HasPrefix(ref, tags):
		return ErrKind
	case !bucket.Allows(who, bucket.RightWrite, ref):
		return bucket.ErrRights
	default:
		return nil
	}
}

// deliver stores what is new, unless nothing is.
func (p *push) deliver(ctx context.Context) (err error) {
	x := p.box
	d := inboxv1.Delivery{
		Kind: inboxv1.KindDelivery, Bucket: x.Bucket, ID: ulid.MustNew(ulid.Timestamp(x.Now()), ulid.DefaultEntropy()).String(), Epoch: p.notice.Epoch, ObjectFormat: p.repo.Format,
		Time: x.Now().UTC().Format(time.RFC3339),
	}
	whole := false
	var ids []string
	for i, u := range p.updates {
		if p.results[i].Err != nil || p.before[u.Ref] == u.New && !u.Force {
			continue
		}
		d.Updates = append(d.Updates, inboxv1.Update{Ref: u.Ref, ID: u.New})
		whole = whole || u.Force
		ids = append(ids, u.New)
	}
	if len(d.Updates) == 0 {
		return nil
	}
	if !whole {
		if d.Requires, err = p.builtOn(ctx, ids); err != nil {
			return err
		}
	}
	to, err := seal.ParseRecipient(p.notice.Recipient)
	if err != nil {
		return err
	}
	if d.Pack, err = x.storePack(ctx, to, d.ID, func(w io.Writer) (int64, error) { return p.repo.Pack(ctx, ids, d.Requires, w) }); err != nil {
		return err
	}
	if err := x.Failpoints.At(ctx, pointPacked); err != nil {
		return err
	}
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if err := contract.Validate(contractDelivery, line); err != nil {
		return err
	}
	text, err := signature.SignLine(p.signer, DeliveryNamespace, line)
	if err != nil {
		return err
	}
	stored, err := seal.EncryptBytes(text, to)
	if err != nil {
		return err
	}
	if err := x.Store.Create(ctx, deliveryName(d.ID), stored); err != nil {
		return fault.Wrap(fault.KindOf(err), "deliver to "+x.Store.URL(), err)
	}
	if err := x.packStays(ctx, d); err != nil {
		return err
	}
	if err := x.Failpoints.At(ctx, pointDelivered); err != nil {
		return err
	}
	return x.noteDelivered(ctx, d.Updates)
}

// builtOn returns the commits on which what is new builds, of those that were delivered
// before; none where they are too many to name, and everything is sent.
func (p *push) builtOn(ctx context.Context, ids []string) ([]string, error) {
	var have []string
	for id := range maps.Values(p.before) {
		if p.types[id] == "commit" {
			have = append(have, id)
		}
	}
	if len(have) == 0 {
		return nil, nil
	}
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, id+"^{commit}")
	}
	tips, err := p.repo.Resolve(ctx, names)
	if err != nil {
		return nil, err
	}
	out, err := p.repo.Boundary(ctx, tips, have)
	if len(out) > maxRequired {
		out = nil
	}
	return out, err
}

// packStays makes sure that a pack, which somebody may have taken for abandoned, is there
// with the delivery that names it.
func (x *Box) packStays(ctx context.Context, d inboxv1.Delivery) error {
	if d.Pack == nil {
		return nil
	}
	_, err := x.Store.Stat(ctx, packName(d.ID))
	if errors.Is(err, blob.ErrNotExist) {
		return errors.Join(fault.New(fault.Failed, "the objects that were delivered to "+x.Store.URL()+" are gone: it took too long", "push again"), x.Store.Remove(ctx, deliveryName(d.ID)))
	}
	return err
}

// storePack encrypts a pack and stores it beside a delivery; nil where it is empty.
func (x *Box) storePack(ctx context.Context, to seal.Recipient, id string, write func(io.Writer) (int64, error)) (*inboxv1.Pack, error) {
	stage, err := x.Store.Stage(ctx)
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), "deliver to "+x.Store.URL(), err)
	}
	defer stage.Abort()
	out := &tap.Hash{W: stage, H: sha256.New()}
	w, err := seal.Encrypt(out, to)
	if err != nil {
		return nil, err
	}
	objects, err := write(w)
	if err != nil || objects == 0 {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := stage.Commit(ctx, packName(id)); err != nil {
		return nil, fault.Wrap(fault.KindOf(err), "deliver to "+x.Store.URL(), err)
	}
	return &inboxv1.Pack{SHA256: hex.EncodeToString(out.H.Sum(nil)), Size: out.N, Objects: objects}, nil
}
