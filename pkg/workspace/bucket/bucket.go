// Package bucket keeps a Git repository encrypted in a blob store: packs and
// their indexes as age files, and for each generation a signed manifest that
// says what the refs are and which packs hold their objects. Whoever keeps the
// storage learns sizes and times and can change nothing unseen; see
// docs/bucket-format.md, which gives every byte.
//
// A push stores its pack under the name of its content and then makes the next
// manifest, create-only: of several that push at once one wins, and the others
// look again. So there is no lock, no mutable head, and a process killed at any
// instant leaves the generation before or the one after.
package bucket

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Keys are the private keys of whoever uses a bucket. Methods are safe for
// concurrent use.
type Keys interface {
	// OpenKeyring decrypts a keyring. The error is fault.Denied where it is
	// encrypted to others, and fault.Locked where a key is needed first.
	OpenKeyring(ctx context.Context, sealed []byte) ([]byte, error)
	// ParseRecipient reads a member's recipient, which a plugin may serve.
	ParseRecipient(text string) (seal.Recipient, error)
	// Signer signs manifests.
	Signer(ctx context.Context) (signature.Signer, error)
}

// Options configures Open and Create.
type Options struct {
	Store blob.Store
	Keys  Keys
	// State is a directory of this installation for what it knows of buckets:
	// the newest generation it saw, and encrypted copies.
	State string
	Now   func() time.Time
	Log   *slog.Logger // nil: nothing is said
	// Grace is how long objects and manifests stay that are no longer used, for
	// those who just read them; default 24 h.
	Grace time.Duration
	// Keep is how many generations keep their manifests at least; default 256.
	Keep int64
	// Prove verifies that a move was approved, with a repository that has its objects:
	// see Move. Nil: no such move is believed.
	Prove func(ctx context.Context, r *Repo, m Move) error
	// Failpoints are the instants at which tests hold a process.
	Failpoints *failpoint.Set
}

// Bucket is one bucket. It is safe for concurrent use, by any number of
// processes on any number of machines.
type Bucket struct {
	opt   Options
	store blob.Store
	id    string
	local local // what this installation knows of it

	mu      sync.Mutex
	epoch   []*seal.Identity // of the keyring, the newest first
	ring    string           // the keyring's name
	ringSum string           // the hash of its stored form
	state   *State           // the newest that was verified

	placed bool // where the bucket is, is remembered

	looked moment // when the newest was looked for last

	anchors map[string]*signed // manifests with a membership that were read, by hash

	// The hashes of the manifests that the pin names: this installation held them
	// and the snapshot of the first to their contract when it accepted them.
	checked struct{ head, anchor string }

	// What the state that is being verified has to prove, see Move.
	unproven []Move
}

const (
	defaultGrace = 24 * time.Hour
	defaultKeep  = 256
	idBytes      = 16
)

func (o *Options) complete() error {
	if o.Store == nil || o.Keys == nil || o.Now == nil || !filepath.IsAbs(o.State) {
		return fault.New(fault.Internal, "a bucket needs a store, keys, a clock and an absolute directory for its state", "")
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	if o.Keep == 0 {
		o.Keep = defaultKeep
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Open opens the bucket in a store. It returns fault.NotFound where there is
// none, fault.Invalid where something else is, and fault.Denied where there was
// another one before.
func Open(ctx context.Context, opt Options) (*Bucket, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	id, err := readFormat(ctx, opt.Store)
	if err != nil {
		return nil, err
	}
	if err := samePlace(opt.State, opt.Store.URL(), id); err != nil {
		return nil, err
	}
	return newBucket(opt, id)
}

func newBucket(opt Options, id string) (*Bucket, error) {
	dir := filepath.Join(opt.State, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Internal, "make the state of a bucket", err)
	}
	return &Bucket{opt: opt, store: opt.Store, id: id, local: local{dir: dir}, anchors: map[string]*signed{}}, nil
}

// ID returns the bucket's random id, 32 hexadecimal digits.
func (b *Bucket) ID() string { return b.id }

// URL returns where the bucket is.
func (b *Bucket) URL() string { return b.store.URL() }

// Probe finds out whether the storage keeps what a bucket needs, see
// blob.Store.
func (b *Bucket) Probe(ctx context.Context) error { return b.store.Probe(ctx) }

// Signer returns the key that signs for this installation.
func (b *Bucket) Signer(ctx context.Context) (signature.Signer, error) { return b.opt.Keys.Signer(ctx) }

// Watch tells of generations that others make, see blob.Watcher.
func (b *Bucket) Watch() (changed <-chan struct{}, stop func(), err error) {
	if w, ok := b.store.(blob.Watcher); ok {
		return w.Watch(manifests)
	}
	return nil, nil, errors.ErrUnsupported
}

// Gone reports whether the bucket's storage is not what was opened any more, so that
// the bucket has to be opened anew, see blob.Placed.
func (b *Bucket) Gone() bool {
	p, ok := b.store.(blob.Placed)
	return ok && p.Gone()
}

// Close closes the bucket's store.
func (b *Bucket) Close() error { return b.store.Close() }

// readFormat reads the id of the bucket in a store.
func readFormat(ctx context.Context, s blob.Store) (string, error) {
	data, err := blob.ReadAll(ctx, s, formatName, maxSmall)
	if errors.Is(err, blob.ErrNotExist) {
		return "", noFormat(ctx, s)
	}
	if err != nil && !fault.Is(err, fault.Invalid) {
		return "", unreadable("read the bucket at "+s.URL(), err)
	}
	line, rest, ok := strings.Cut(string(data), "\n")
	id, ended := strings.CutSuffix(rest, "\n")
	if !ok || !ended || !isHex(id, 2*idBytes) || !strings.HasPrefix(line, formatWord+" ") {
		return "", fault.New(fault.Invalid, "what is at "+s.URL()+" is not a bucket, or its "+formatName+" is damaged: that file says otherwise, and nothing was read",
			"check the address; if it was a bucket, vexa workspace repair NAME puts the file right, or vexa workspace restore NAME --from BACKUP")
	}
	if v := strings.TrimPrefix(line, formatWord+" "); v != formatVersion {
		return "", fault.Newf(fault.Invalid, "the %s of the bucket at %s has version %.20q, and this Vexa reads version %s: nothing was read", formatName, s.URL(), v, formatVersion).
			WithHint("use a newer Vexa; if the file is damaged, vexa workspace repair NAME puts it right")
	}
	return id, nil
}

// noFormat tells an empty store from a bucket that lost its first file.
func noFormat(ctx context.Context, s blob.Store) error {
	newest, err := newestStored(ctx, s, "")
	switch {
	case err != nil:
		return err
	case newest > 0:
		return fault.New(fault.Invalid, fmt.Sprintf("the %s of the bucket at %s is missing: its generations are there, up to %d, and can be read once it is back", formatName, s.URL(), newest),
			"vexa workspace repair NAME writes it again; or vexa workspace restore NAME --from BACKUP")
	default:
		return fault.New(fault.NotFound, "there is no bucket at "+s.URL(), "check the address; vexa workspace create NAME makes one")
	}
}

// newestStored returns the newest generation that a store has a manifest of and
// that comes after a name, 0 where there is none.
func newestStored(ctx context.Context, s blob.Store, after string) (int64, error) {
	newest := int64(0)
	err := s.List(ctx, manifests, after, func(i blob.Info) error {
		newest = max(newest, generationOf(i.Name))
		return nil
	})
	if err != nil {
		return 0, unreadable("list the generations of "+s.URL(), err)
	}
	return newest, nil
}

// formatOf returns a bucket's first file.
func formatOf(id string) []byte { return []byte(formatWord + " " + formatVersion + "\n" + id + "\n") }

// writeFormat makes a bucket's first file and returns the id in it. A creation
// that was killed is taken up again.
func writeFormat(ctx context.Context, s blob.Store) (string, error) {
	var raw [idBytes]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", err
	}
	id := hex.EncodeToString(raw[:])
	err := s.Create(ctx, formatName, formatOf(id))
	if errors.Is(err, blob.ErrExist) {
		return readFormat(ctx, s)
	}
	return id, err
}

// unreadable says what was tried, and keeps the class of the cause.
func unreadable(what string, err error) error {
	return fault.Wrap(fault.KindOf(err), what, err)
}
