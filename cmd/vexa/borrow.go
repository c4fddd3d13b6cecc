package main

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
)

// lender lends the keys of an unlocked daemon to programs of the same user. It
// implements daemon.Keys.
type lender struct{ keys bucketKeys }

// Open implements daemon.Keys.
func (l lender) Open(ctx context.Context, sealed []byte) ([]byte, error) {
	return l.keys.OpenKeyring(ctx, sealed)
}

// Sign implements daemon.Keys.
func (l lender) Sign(ctx context.Context, namespace string, data []byte) (string, []byte, error) {
	signer, err := l.keys.Signer(ctx)
	if err != nil {
		return "", nil, err
	}
	if len(data) == 0 { // who asks wants to know whose signature it would be
		return signer.Key().String(), nil, nil
	}
	if !lent(namespace) {
		return "", nil, fault.Newf(fault.Denied, "the daemon signs manifests and deliveries alone, not %.80q", namespace)
	}
	sig, err := signer.Sign(namespace, data)
	return signer.Key().String(), sig, err
}

// lent reports whether what git-remote-vexa makes is signed in a namespace.
func lent(namespace string) bool {
	return namespace == bucket.Namespace || namespace == inbox.DeliveryNamespace
}

// borrowed are the keys of an unlocked daemon. It implements bucket.Keys, and
// workspace.Sealer for reading.
type borrowed struct {
	client *client.Client
	store  *keys.Store
}

// borrow returns the keys of the daemon, where one runs that is unlocked.
func borrow(ctx context.Context, f *factory.Factory, store *keys.Store) (*borrowed, bool) {
	c, err := f.Dial(false)
	if err != nil {
		return nil, false
	}
	if st, err := c.Status(ctx); err != nil || st.Locked {
		c.Close()
		return nil, false
	}
	return &borrowed{client: c, store: store}, true
}

// OpenKeyring implements bucket.Keys.
func (b *borrowed) OpenKeyring(ctx context.Context, sealed []byte) ([]byte, error) {
	return b.client.OpenSealed(ctx, sealed)
}

// OpenBytes implements workspace.Sealer.
func (b *borrowed) OpenBytes(sealed []byte) ([]byte, error) {
	return b.client.OpenSealed(context.Background(), sealed)
}

// SealBytes implements workspace.Sealer; nothing is sealed with borrowed keys.
func (b *borrowed) SealBytes([]byte) ([]byte, error) {
	return nil, fault.New(fault.Internal, "nothing is sealed with borrowed keys", "")
}

// ParseRecipient implements bucket.Keys.
func (b *borrowed) ParseRecipient(text string) (seal.Recipient, error) {
	return b.store.ParseRecipient(text)
}

// Signer implements bucket.Keys.
func (b *borrowed) Signer(ctx context.Context) (signature.Signer, error) {
	got, err := b.client.Sign(ctx, bucket.Namespace, nil)
	if err != nil {
		return nil, err
	}
	key, err := signature.ParseKey(got.Key)
	if err != nil {
		return nil, err
	}
	return borrowedSigner{ctx: func() context.Context { return ctx }, client: b.client, key: key}, nil
}

// borrowedSigner has the daemon sign.
type borrowedSigner struct {
	ctx    func() context.Context
	client *client.Client
	key    signature.Key
}

// Key implements signature.Signer.
func (s borrowedSigner) Key() signature.Key { return s.key }

// Sign implements signature.Signer; the daemon signs manifests and deliveries alone.
func (s borrowedSigner) Sign(namespace string, data []byte) ([]byte, error) {
	got, err := s.client.Sign(s.ctx(), namespace, data)
	return got.Signature, err
}
