package bucket

import (
	"cmp"
	"context"
	"errors"

	"github.com/vexa-ai/vexa/pkg/contract/keyringv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// CreateOptions says what a new bucket is like.
type CreateOptions struct {
	Members      []manifestv1.Member // at least one that may sign, the caller
	PostQuantum  bool                // the members' recipients are post-quantum, too
	ObjectFormat string              // sha1 | sha256; default sha1
	Head         string              // default refs/heads/main
}

// Create makes a bucket in an empty store. It returns fault.Conflict where there
// is one. A creation that was killed is taken up again.
func Create(ctx context.Context, opt Options, c CreateOptions) (*Bucket, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	if err := opt.Store.Probe(ctx); err != nil {
		return nil, err
	}
	if _, err := readFormat(ctx, opt.Store); err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err // something is there already
	}
	id, err := writeFormat(ctx, opt.Store)
	if err != nil {
		return nil, unreadable("make a bucket at "+opt.Store.URL(), err)
	}
	b, err := newBucket(opt, id)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b, b.first(ctx, c)
}

// first makes the first generation.
func (b *Bucket) first(ctx context.Context, c CreateOptions) error {
	exists := fault.New(fault.Conflict, "there is a bucket at "+b.store.URL()+" already", "use it: vexa workspace add NAME URL; or choose another place")
	if ok, err := b.hasManifest(ctx, 1); err != nil || ok {
		return cmp.Or[error](err, exists)
	}
	key, err := newEpochKey(c.PostQuantum)
	if err != nil {
		return err
	}
	ring := keyringv1.Keyring{Bucket: b.id, Epoch: 1, Keys: []keyringv1.Key{{Epoch: 1, Secret: key.String()}}}
	m := &manifestv1.Membership{Version: 1, Recipient: key.Recipient(), Members: c.Members}
	if m.Keyring, err = b.storeKeyring(ctx, ring, m); err != nil {
		return err
	}
	b.epoch = []*seal.Identity{key}
	b.ring, b.ringSum = m.Keyring.Name, m.Keyring.SHA256
	next := manifestv1.Manifest{
		Bucket: b.id, Generation: 1, Membership: m, Epoch: 1,
		ObjectFormat: cmp.Or(c.ObjectFormat, formatSHA1), Head: cmp.Or(c.Head, "refs/heads/main"),
		Refs: []manifestv1.Ref{}, Packs: []manifestv1.Pack{},
	}
	_, err = b.publish(ctx, next, *m)
	if errors.Is(err, blob.ErrExist) {
		return exists
	}
	return err
}

func newEpochKey(postQuantum bool) (*seal.Identity, error) {
	if postQuantum {
		return seal.NewHybridIdentity()
	}
	return seal.NewIdentity()
}

// maxKeyringNames is how many names are tried for a keyring: those that a
// process stored and no manifest ever named are passed over.
const maxKeyringNames = 1000

// storeKeyring stores a keyring for the members of a membership, whose version
// it may raise to find a name that is free.
func (b *Bucket) storeKeyring(ctx context.Context, ring keyringv1.Keyring, m *manifestv1.Membership) (manifestv1.Keyring, error) {
	stored, err := encodeKeyring(ring, m.Members, b.opt.Keys.ParseRecipient)
	if err != nil {
		return manifestv1.Keyring{}, err
	}
	for range maxKeyringNames {
		name := keyringName(ring.Epoch, m.Version)
		err := b.store.Create(ctx, name, stored)
		if errors.Is(err, blob.ErrExist) {
			m.Version++
			continue
		}
		if err != nil {
			return manifestv1.Keyring{}, unreadable("store a keyring at "+b.store.URL(), err)
		}
		if err := b.opt.Failpoints.At(ctx, pointMembers); err != nil {
			return manifestv1.Keyring{}, err
		}
		return manifestv1.Keyring{Name: name, SHA256: sum(stored)}, b.local.keepKeyring(name, stored)
	}
	return manifestv1.Keyring{}, fault.New(fault.Conflict, "too many keyrings at "+b.store.URL()+" that nothing names", "")
}
