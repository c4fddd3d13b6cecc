// Package workspacetest gives tests what a workspace store needs: buckets in
// directories, and a person's keys.
package workspacetest

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/watch"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// Buckets implements workspace.Buckets, bucket.Keys and workspace.Sealer for one
// person, whose key rests in a file, so that another process is the same person.
type Buckets struct {
	*seal.Identity
	root   string
	files  *watch.Watcher // nil: nobody tells of changes
	signer signature.Signer

	signing  *seal.Identity // what is encrypted to the signing key opens with it
	recovery *manifestv1.Member
}

// New returns the buckets below a directory of a test.
func New(tb testing.TB, root string) *Buckets {
	tb.Helper()
	if err := os.MkdirAll(root, 0o700); err != nil {
		tb.Fatal(err)
	}
	key := filepath.Join(root, "key")
	if _, err := os.Stat(key); os.IsNotExist(err) {
		id, err := seal.NewIdentity()
		if err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(key, []byte(id.String()), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	text, err := os.ReadFile(key)
	if err != nil {
		tb.Fatal(err)
	}
	id, err := seal.ParseIdentity(string(text))
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := signature.Derive(id.String())
	if err != nil {
		tb.Fatal(err)
	}
	signing, err := seal.SSHIdentity(signer.Private())
	if err != nil {
		tb.Fatal(err)
	}
	return &Buckets{Identity: id, root: root, signer: signer, signing: signing}
}

// Watch has the buckets that are opened from now on tell of what others change in them.
func (b *Buckets) Watch(tb testing.TB) {
	tb.Helper()
	files, err := watch.New()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = files.Close() })
	b.files = files
}

// Place implements workspace.Buckets.
func (b *Buckets) Place(id, at string) (string, error) {
	if at != "" {
		return at + "/" + id, nil
	}
	return (&url.URL{Scheme: "file", Path: b.Dir(id)}).String(), nil
}

// Dir is the directory of a bucket that Place placed.
func (b *Buckets) Dir(id string) string { return filepath.Join(b.root, "buckets", id) }

func (b *Buckets) options(address string, create bool) (bucket.Options, error) {
	u, err := url.Parse(address)
	if err != nil {
		return bucket.Options{}, err
	}
	if create {
		if err := os.MkdirAll(filepath.Dir(u.Path), 0o700); err != nil {
			return bucket.Options{}, err
		}
	}
	store, err := dir.Open(u.Path, dir.Options{Make: create, Files: b.files})
	return bucket.Options{Store: store, Keys: b, State: filepath.Join(b.root, "state"), Now: time.Now, Prove: proposal.Prove}, err
}

// Open implements workspace.Buckets.
func (b *Buckets) Open(ctx context.Context, address string) (*bucket.Bucket, error) {
	opt, err := b.options(address, false)
	if err != nil {
		return nil, err
	}
	return bucket.Open(ctx, opt)
}

// Join implements workspace.Buckets.
func (b *Buckets) Join(ctx context.Context, address string, c bucket.Checkpoint) (*bucket.Bucket, *bucket.State, error) {
	opt, err := b.options(address, false)
	if err != nil {
		return nil, nil, err
	}
	return bucket.Join(ctx, opt, c)
}

// Create implements workspace.Buckets.
func (b *Buckets) Create(ctx context.Context, address string, _ workspace.CreateBucket) (*bucket.Bucket, error) {
	opt, err := b.options(address, true)
	if err != nil {
		return nil, err
	}
	members, err := b.Members(false)
	if err != nil {
		return nil, err
	}
	return bucket.Create(ctx, opt, bucket.CreateOptions{Members: members})
}

// Members implements workspace.Buckets.
func (b *Buckets) Members(bool) ([]manifestv1.Member, error) {
	all := []manifestv1.Right{{Refs: "refs/*", Allow: []string{"write", "admin"}}}
	out := []manifestv1.Member{{
		ID: "u_test", Name: "test", Recipients: []string{b.Recipient()}, Signers: []string{b.signer.Key().String()}, Rights: all,
	}}
	if b.recovery != nil {
		out = append(out, *b.recovery)
	}
	return out, nil
}

// MakeRecovery gives the person a recovery key, in place of the one before, and
// returns its recipient.
func (b *Buckets) MakeRecovery(tb testing.TB) string {
	tb.Helper()
	id, err := seal.NewIdentity()
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := signature.Derive(id.String())
	if err != nil {
		tb.Fatal(err)
	}
	b.recovery = &manifestv1.Member{
		ID: "recovery", Name: "recovery key", Recipients: []string{id.Recipient()}, Signers: []string{signer.Key().String()}, Recovery: true,
		Rights: []manifestv1.Right{{Refs: "refs/*", Allow: []string{"write", "admin"}}},
	}
	return id.Recipient()
}

// OpenDamaged implements workspace.Buckets.
func (b *Buckets) OpenDamaged(ctx context.Context, address string) (*bucket.Bucket, error) {
	opt, err := b.options(address, false)
	if err != nil {
		return nil, err
	}
	return bucket.OpenDamaged(ctx, opt, "")
}

// Backup implements workspace.Buckets.
func (b *Buckets) Backup(ctx context.Context, from, to string, check bool) (bucket.Copied, error) {
	src, dst, err := b.both(from, to)
	if err != nil {
		return bucket.Copied{}, err
	}
	return bucket.Backup(ctx, src, dst, bucket.CopyOptions{Check: check})
}

// Restore implements workspace.Buckets.
func (b *Buckets) Restore(ctx context.Context, from, to string, acceptOlder bool) (bucket.Copied, error) {
	src, dst, err := b.both(from, to)
	if err != nil {
		return bucket.Copied{}, err
	}
	return bucket.Restore(ctx, src, dst, bucket.RestoreOptions{State: filepath.Join(b.root, "state"), AcceptOlder: acceptOlder, Keys: b})
}

func (b *Buckets) both(from, to string) (src, dst blob.Store, err error) {
	one, err := b.options(from, false)
	if err != nil {
		return nil, nil, err
	}
	other, err := b.options(to, true)
	return one.Store, other.Store, err
}

// Discard implements workspace.Buckets.
func (b *Buckets) Discard(_ context.Context, id string) error { return os.RemoveAll(b.Dir(id)) }

// OpenKeyring implements bucket.Keys.
func (b *Buckets) OpenKeyring(_ context.Context, sealed []byte) ([]byte, error) {
	return seal.DecryptBytes(sealed, b.Identity, b.signing)
}

// ParseRecipient implements bucket.Keys.
func (b *Buckets) ParseRecipient(text string) (seal.Recipient, error) {
	return seal.ParseRecipient(text)
}

// Signer implements bucket.Keys.
func (b *Buckets) Signer(context.Context) (signature.Signer, error) { return b.signer, nil }
