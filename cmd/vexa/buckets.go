package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/watch"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/gitref"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// buckets makes and opens the buckets of one installation. It is the one place
// that names the adapters of package blob. It implements workspace.Buckets.
type buckets struct {
	home    home.Home
	git     *git.Git
	keys    bucket.Keys
	members func(postQuantum bool) ([]manifestv1.Member, error)
	files   *watch.Watcher // tells of changes in directories; nil: they are seen when they are looked at
	prompt  bool           // a person may be asked for the password of a Git remote
	log     *slog.Logger
}

var _ workspace.Buckets = (*buckets)(nil)

// Place implements workspace.Buckets.
func (b *buckets) Place(id, at string) (string, error) {
	if at == "" {
		return (&url.URL{Scheme: "file", Path: filepath.Join(b.home.Buckets(), id)}).String(), nil
	}
	place, err := parsePlace(at)
	if err != nil || place.kind == placeGit {
		return place.url, err // one workspace for each Git remote
	}
	return strings.TrimSuffix(place.url, "/") + "/" + id, nil
}

// Members implements workspace.Buckets.
func (b *buckets) Members(postQuantum bool) ([]manifestv1.Member, error) {
	return b.members(postQuantum)
}

// Discard implements workspace.Buckets.
func (b *buckets) Discard(_ context.Context, id string) error {
	return os.RemoveAll(filepath.Join(b.home.Buckets(), id))
}

// Open implements workspace.Buckets.
func (b *buckets) Open(ctx context.Context, address string) (*bucket.Bucket, error) {
	store, err := b.store(ctx, address, false)
	if err != nil {
		return nil, err
	}
	return bucket.Open(ctx, b.options(store))
}

// Join implements workspace.Buckets.
func (b *buckets) Join(ctx context.Context, address string, c bucket.Checkpoint) (*bucket.Bucket, *bucket.State, error) {
	store, err := b.store(ctx, address, false)
	if err != nil {
		return nil, nil, err
	}
	return bucket.Join(ctx, b.options(store), c)
}

// Create implements workspace.Buckets.
func (b *buckets) Create(ctx context.Context, address string, opt workspace.CreateBucket) (*bucket.Bucket, error) {
	members, err := b.members(opt.PostQuantum)
	if err != nil {
		return nil, err
	}
	store, err := b.store(ctx, address, true)
	if err != nil {
		return nil, err
	}
	return bucket.Create(ctx, b.options(store), bucket.CreateOptions{Members: members, PostQuantum: opt.PostQuantum})
}

func (b *buckets) options(store blob.Store) bucket.Options {
	return bucket.Options{
		Store: store, Keys: b.keys, State: b.home.BucketState(), Now: time.Now, Log: b.log, Prove: proposal.Prove,
		Failpoints: failpoint.New(os.Getenv(failpoint.Env)),
	}
}

// The kinds of place.
const (
	placeDir = iota
	placeS3
	placeGit
)

// place is where a bucket is, or where buckets are.
type place struct {
	kind int
	url  string
	path string // of a directory
}

// scpForm is USER@HOST:REPO.git, as git takes it.
const scpForm = `^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^:]+$`

// parsePlace reads an address: DIR, file:///DIR, s3://BUCKET/PREFIX, or the URL
// of a Git remote, which on this machine ends in .git.
func parsePlace(address string) (place, error) {
	if filepath.IsAbs(address) {
		address = (&url.URL{Scheme: "file", Path: filepath.Clean(address)}).String()
	}
	if strings.Contains(address, "@") && regexp.MustCompile(scpForm).MatchString(address) {
		return place{kind: placeGit, url: address}, nil
	}
	u, err := url.Parse(address)
	bad := fault.Newf(fault.Invalid, "not the address of a bucket: %.200q", address).WithHint("give the name of a workspace, DIR/ID with an absolute DIR, s3://BUCKET/PREFIX/ID, https://HOST/REPO.git or file:///REPO.git")
	if err != nil {
		return place{}, bad
	}
	switch {
	case u.Scheme == "s3" && u.Host != "":
		return place{kind: placeS3, url: address}, nil
	case u.Scheme == "file" && strings.HasSuffix(u.Path, ".git"), u.Scheme == "https", u.Scheme == "http", u.Scheme == "ssh":
		return place{kind: placeGit, url: address}, nil
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path):
		return place{kind: placeDir, url: address, path: filepath.Clean(u.Path)}, nil
	default:
		return place{}, bad
	}
}

// store opens the storage at an address. With create a directory is made.
func (b *buckets) store(ctx context.Context, address string, create bool) (blob.Store, error) {
	at, err := parsePlace(address)
	if err != nil {
		return nil, err
	}
	switch at.kind {
	case placeS3:
		spool := filepath.Join(b.home.State, "spool")
		if err := os.MkdirAll(spool, 0o700); err != nil {
			return nil, err
		}
		return s3.Open(at.url, s3.Options{Env: os.Getenv, Home: os.Getenv("HOME"), Spool: spool})
	case placeGit:
		cache := filepath.Join(b.home.State, "remotes")
		if err := os.MkdirAll(cache, 0o700); err != nil {
			return nil, err
		}
		return gitref.Open(ctx, at.url, gitref.Options{
			Git: b.git, Cache: filepath.Join(cache, cacheName(at.url)), Env: os.Environ(), Prompt: b.prompt,
		})
	}
	if create { // what the place itself lies in must be there: a disk that is not mounted is not made
		if err := os.Mkdir(filepath.Dir(at.path), 0o700); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return nil, fault.Wrap(fault.Denied, "make "+filepath.Dir(at.path), err)
		}
	}
	store, err := dir.Open(at.path, dir.Options{Make: create, Files: b.files})
	if fault.Is(err, fault.NotFound) && !create {
		err = fault.New(fault.NotFound, "there is no bucket at "+at.path, "check the address; vexa workspace create NAME makes one")
	}
	return store, err
}

// bucketKeys are the keys of an installation as buckets use them.
type bucketKeys struct {
	chain *seal.Keychain
	store *keys.Store
}

// OpenKeyring implements bucket.Keys.
func (k bucketKeys) OpenKeyring(_ context.Context, sealed []byte) ([]byte, error) {
	ids, err := keys.Identities(k.chain)
	if err != nil {
		return nil, err
	}
	return seal.DecryptBytes(sealed, ids...)
}

// ParseRecipient implements bucket.Keys.
func (k bucketKeys) ParseRecipient(text string) (seal.Recipient, error) {
	return k.store.ParseRecipient(text)
}

// Signer implements bucket.Keys.
func (k bucketKeys) Signer(context.Context) (signature.Signer, error) {
	return keys.Signer(k.chain.Classic())
}
