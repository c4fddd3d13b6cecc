package bucket

import (
	"context"
	"io"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/keyringv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
)

// What the tests of attacks need to store what no honest member would.

// The names of blobs.
var (
	ManifestName = manifestName
	ObjectName   = objectName
	KeyringName  = keyringName
	Sum          = sum
)

// NextOf returns the manifest that would follow the newest one and changes
// nothing, less its signature.
func NextOf(ctx context.Context, b *Bucket) (manifestv1.Manifest, error) {
	st, err := b.Head(ctx)
	if err != nil {
		return manifestv1.Manifest{}, err
	}
	next, _ := st.apply(change{})
	next.Time = time.Now().UTC().Format(time.RFC3339)
	return next, nil
}

// EncodeManifest returns the stored form of a manifest, whatever it says.
func EncodeManifest(m manifestv1.Manifest, signer signature.Signer, to string) ([]byte, error) {
	r, err := seal.ParseRecipient(to)
	if err != nil {
		return nil, err
	}
	return encodeManifest(context.Background(), m, signing{signer: signer}, r)
}

// signing are keys that sign and do nothing else.
type signing struct {
	Keys
	signer signature.Signer
}

func (s signing) Signer(context.Context) (signature.Signer, error) { return s.signer, nil }

// Encrypt returns the stored form of a text.
func Encrypt(text []byte, to string) ([]byte, error) {
	r, err := seal.ParseRecipient(to)
	if err != nil {
		return nil, err
	}
	return encrypt(text, r)
}

// Decrypt returns the text of a stored manifest, snapshot or log.
func Decrypt(b *Bucket, stored []byte) ([]byte, error) {
	return decrypt(stored, b.identities(), maxManifest)
}

// DecodeManifest opens a stored manifest with the bucket's keys.
func DecodeManifest(b *Bucket, stored []byte) (manifestv1.Manifest, error) {
	return DecodeManifestWith(stored, b.identities()...)
}

// DecodeSigned reads the text of a manifest.
func DecodeSigned(text []byte) (manifestv1.Manifest, error) {
	s, err := decodeSigned(text, true)
	if err != nil {
		return manifestv1.Manifest{}, err
	}
	return s.Manifest, nil
}

// DecodeManifestWith opens a stored manifest.
func DecodeManifestWith(stored []byte, with ...*seal.Identity) (manifestv1.Manifest, error) {
	s, err := decodeManifest(stored, with)
	if err != nil {
		return manifestv1.Manifest{}, err
	}
	return s.Manifest, nil
}

// DecodeSnapshot reads the text of a snapshot of a bucket.
func DecodeSnapshot(text []byte, format, bucket string) (*manifestv1.Snapshot, error) {
	return decodeSnapshot(text, &signed{Manifest: manifestv1.Manifest{ObjectFormat: format, Generation: 1 << 50}}, bucket, true)
}

// DecodeLog reads the text of a log of removed generations, and EncodeLog is the
// reverse.
var (
	DecodeLog = decodeLog
	EncodeLog = encodeLog
)

// CheckIndex reads a pack index.
func CheckIndex(r io.Reader, format string, objects int64, pack string, size int64) error {
	return checkIndex(r, indexOf{format: format, objects: objects, pack: pack, bytes: size})
}

// DecryptUpTo opens what Encrypt made, up to a size.
func DecryptUpTo(stored []byte, limit int64, with ...*seal.Identity) ([]byte, error) {
	return decrypt(stored, with, limit)
}

// EncodeKeyring returns the stored form of a keyring.
func EncodeKeyring(k keyringv1.Keyring, members ...manifestv1.Member) ([]byte, error) {
	return encodeKeyring(k, members, seal.ParseRecipient)
}

// EpochKeys returns the epochs' keys, the newest first.
func EpochKeys(b *Bucket) []*seal.Identity { return b.identities() }

// ManifestOf returns the newest manifest as it is.
func ManifestOf(s *State) manifestv1.Manifest { return s.manifest }

// WriteSnapshot makes a generation with a snapshot of everything.
func WriteSnapshot(ctx context.Context, b *Bucket) (*State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.change(ctx, func(*State) (change, bool, error) { return change{snapshot: true}, true, nil })
}

// RemoveManifests removes manifests and makes a generation with a log of them.
func RemoveManifests(ctx context.Context, b *Bucket, generations ...int64) (*State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st, err := b.change(ctx, func(st *State) (change, bool, error) {
		hashes := map[int64]string{}
		newest := int64(0)
		for _, g := range generations {
			stored, err := b.readManifest(ctx, g)
			if err != nil {
				return change{}, false, err
			}
			hashes[g], newest = sum(stored), max(newest, g)
		}
		to, err := seal.ParseRecipient(st.Membership.Recipient)
		if err != nil {
			return change{}, false, err
		}
		o, err := b.writeSmall(ctx, encodeLog(hashes), to)
		return change{log: &manifestv1.Log{SHA256: o.SHA256, Size: o.Size, Generation: newest}}, true, err
	})
	for _, g := range generations {
		if err == nil {
			err = b.store.Remove(ctx, manifestName(g))
		}
	}
	return st, err
}

// StorePack stores a pack and an index as a base, and makes a generation that
// has it.
func StorePack(ctx context.Context, b *Bucket, pack, index string, set map[string]string, drop ...string) (*State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.change(ctx, func(st *State) (change, bool, error) {
		to, err := seal.ParseRecipient(st.Membership.Recipient)
		if err != nil {
			return change{}, false, err
		}
		p, err := b.storePack(ctx, to, pack, index, nil)
		p.Generation = st.Generation + 1
		return change{add: []manifestv1.Pack{p}, set: set, drop: drop}, true, err
	})
}

// InitBare makes an empty repository.
var InitBare = initBare

// ReadLimits are the most that is read of a manifest and of a snapshot.
const (
	MaxManifest = maxManifest
	MaxSnapshot = maxSnapshot
)

// Edit is an edit of SetMembership that says beforehand whether a new epoch begins.
func Edit(rotate bool, edit func(*manifestv1.Membership) error) func(*manifestv1.Membership, *State) (bool, error) {
	return func(m *manifestv1.Membership, _ *State) (bool, error) { return rotate, edit(m) }
}
