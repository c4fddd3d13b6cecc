package bucket

import (
	"context"
	"errors"
	"fmt"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// manifest reads the manifest of a generation. The error is blob.ErrNotExist
// where there is none.
func (b *Bucket) manifest(ctx context.Context, g int64) (*signed, error) {
	stored, err := b.readManifest(ctx, g)
	if err != nil {
		return nil, err
	}
	return b.decode(ctx, g, stored)
}

// readManifest reads the stored form of a manifest. The error is
// blob.ErrNotExist where there is none.
func (b *Bucket) readManifest(ctx context.Context, g int64) ([]byte, error) {
	stored, err := blob.ReadAll(ctx, b.store, manifestName(g), maxManifest)
	if err == nil || errors.Is(err, blob.ErrNotExist) {
		return stored, err
	}
	if fault.Is(err, fault.Invalid) {
		return nil, b.damaged(manifestName(g), "the manifest", b.upTo(ctx, g), err)
	}
	return nil, unreadable(fmt.Sprintf("read generation %d of %s", g, b.store.URL()), err)
}

// manifestAt reads the manifest that an anchor names, from this installation's
// copy where there is one. The error is blob.ErrNotExist where there is none,
// and errChanged where its bytes are damaged.
func (b *Bucket) manifestAt(ctx context.Context, a manifestv1.Anchor) (*signed, error) {
	if s := b.anchors[a.SHA256]; s != nil && s.Generation == a.Generation {
		return s, nil
	}
	if stored := b.local.cached(a.SHA256); stored != nil {
		return b.decode(ctx, a.Generation, stored)
	}
	stored, err := b.readManifest(ctx, a.Generation)
	if err != nil {
		return nil, err
	}
	got := sum(stored)
	if got == a.SHA256 {
		return b.decode(ctx, a.Generation, stored)
	}
	_, err = b.decode(ctx, a.Generation, stored)
	switch {
	case err == nil:
		return nil, b.forked(a.Generation, got, a.SHA256)
	case fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied):
		return nil, b.damaged(manifestName(a.Generation), "the manifest", b.upTo(ctx, a.Generation), errChanged)
	default:
		return nil, err
	}
}

// decode opens a manifest and verifies everything of it but whether its signer
// may sign. Where the keys in use do not open it others are looked for.
func (b *Bucket) decode(ctx context.Context, g int64, stored []byte) (*signed, error) {
	s, err := decodeManifest(stored, b.epoch, b.checked.head, b.checked.anchor)
	if errors.Is(err, errOtherKey) {
		var found bool
		if s, found, err = b.decodeWithAny(ctx, g, stored); !found {
			return nil, err
		}
	}
	if err != nil {
		return nil, b.damaged(manifestName(g), "the manifest", b.upTo(ctx, g), err)
	}
	if s.Bucket != b.id {
		return nil, fault.New(fault.Denied, fmt.Sprintf("the manifest %s at %s belongs to another bucket: %s", manifestName(g), b.store.URL(), b.upTo(ctx, g)),
			"somebody has mixed two buckets up; "+repairs)
	}
	if s.Generation != g {
		return nil, fault.New(fault.Denied, fmt.Sprintf("the manifest %s at %s is that of generation %d: %s", manifestName(g), b.store.URL(), s.Generation, b.upTo(ctx, g)),
			"somebody has moved it; "+repairs)
	}
	if s.Membership != nil {
		b.anchors[s.sha256] = s
	}
	return s, nil
}

// membership returns the members after a manifest.
func (b *Bucket) membership(ctx context.Context, s *signed) (*manifestv1.Membership, error) {
	if s.Membership != nil {
		return s.Membership, nil
	}
	if s.Anchor == nil { // signedByMember has refused it
		return nil, fault.New(fault.Internal, b.where(s.Generation)+" has no members", "")
	}
	prev, err := b.membersAt(ctx, *s.Anchor)
	if err != nil {
		return nil, err
	}
	return prev.Membership, nil
}

// snapshot reads the snapshot of a manifest; nil where it has none.
func (b *Bucket) snapshot(ctx context.Context, s *signed) (*manifestv1.Snapshot, error) {
	if s.Snapshot == nil {
		return nil, nil //nolint:nilnil // no snapshot is what most buckets have
	}
	plain, err := b.smallObject(ctx, *s.Snapshot, "the snapshot", func() string { return b.upTo(ctx, s.Generation) })
	if err != nil {
		return nil, err
	}
	out, err := decodeSnapshot(plain, s, b.id, s.sha256 != b.checked.head)
	if err != nil {
		return nil, b.damaged(objectName(s.Snapshot.SHA256), "the snapshot", b.upTo(ctx, s.Generation), err)
	}
	return out, nil
}

// decodeSnapshot reads the text of the snapshot of a manifest.
func decodeSnapshot(text []byte, of *signed, bucket string, check bool) (*manifestv1.Snapshot, error) {
	var out manifestv1.Snapshot
	if err := decodeStrict(text, &out); err != nil {
		return nil, err
	}
	if check {
		if err := checkSnapshot(&out, of.ObjectFormat); err != nil {
			return nil, err
		}
	}
	if out.Bucket != bucket || out.Generation > of.Generation {
		return nil, broken("it belongs to another bucket or generation")
	}
	return &out, nil
}

// smallObject reads an object that encrypt made, and keeps a copy.
func (b *Bucket) smallObject(ctx context.Context, o manifestv1.Object, what string, readable func() string) ([]byte, error) {
	hash, name := o.SHA256, objectName(o.SHA256)
	stored := b.local.cached(hash)
	if stored == nil {
		var err error
		stored, err = blob.ReadAll(ctx, b.store, name, min(o.Size, maxSnapshot))
		switch {
		case errors.Is(err, blob.ErrNotExist):
			return nil, b.missing(name, what, readable())
		case err != nil && !fault.Is(err, fault.Invalid):
			return nil, unreadable("read "+name+" of "+b.store.URL(), err)
		case err != nil || sum(stored) != hash: // longer, or another
			return nil, b.damaged(name, what, readable(), errChanged)
		}
		b.local.keep(hash, stored)
	}
	plain, err := decrypt(stored, b.epoch, maxSnapshot)
	if err != nil {
		return nil, b.damaged(name, what, readable(), err)
	}
	return plain, nil
}

// errChanged is what is wrong with most damaged objects.
var errChanged = errors.New("its bytes are not those that were stored")

// writeSmall stores an object that encrypt makes.
func (b *Bucket) writeSmall(ctx context.Context, plain []byte, to seal.Recipient) (manifestv1.Object, error) {
	stored, err := encrypt(plain, to)
	if err != nil {
		return manifestv1.Object{}, err
	}
	w, err := b.store.Stage(ctx)
	if err != nil {
		return manifestv1.Object{}, err
	}
	defer w.Abort()
	if _, err := w.Write(stored); err != nil {
		return manifestv1.Object{}, err
	}
	hash := sum(stored)
	b.local.keep(hash, stored)
	return manifestv1.Object{SHA256: hash, Size: int64(len(stored))}, w.Commit(ctx, objectName(hash))
}
