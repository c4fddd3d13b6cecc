package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/filelock"
	"github.com/vexa-ai/vexa/pkg/runner/image/oci"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
	"github.com/vexa-ai/vexa/pkg/runner/image/tree"
)

// Labels of an image.
const (
	LabelRunner = "ai.vexa.runner" // the runner's name
	LabelLock   = "ai.vexa.lock"   // Lock.Digest of what it was made of
)

// Options say how an image is made. Cache and Arch are wanted.
type Options struct {
	Arch    string // as Go names it
	Cache   store.Cache
	Sources Sources
	Client  *http.Client // default: one without a time limit for the whole, see store.NewClient
	Offline bool         // fetch nothing
	Import  string       // a directory that Download wrote, whose inputs are taken into the cache first
	Stall   time.Duration
	Notice  func(store.Input) // before a download; nil: none
	Keep    []Lock            // whose inputs the cache keeps, besides those of the image
}

// Made is an image that was made. Its bytes lie on the disk of the cache until
// Close.
type Made struct {
	oci.Image
	Fetched, Cached int64         // bytes that were downloaded, and that were there already
	Freed           int64         // bytes of inputs that the cache does not need any more
	FetchTime       time.Duration // of downloading and verifying
	MakeTime        time.Duration // of unpacking and hashing
	spool           io.Closer
	lock            *filelock.Lock
}

// Close gives back what the image holds. It is called once.
func (m *Made) Close() error {
	err := m.spool.Close()
	m.lock.Release()
	return err
}

// Digest names what an image of an architecture is made of.
func (l Lock) Digest(arch string) (store.Digest, error) {
	data, err := json.Marshal(struct {
		System  System
		Program Program
		Locked  Inputs
		Arch    string
	}{l.System, l.Program, l.Locked[arch], arch})
	return store.SHA256(data), err
}

// Make fetches what the lock says and makes the image of runner name of it.
// Errors are those of [store.Fetcher.Get] and [tree.Tree.Extract]; an
// architecture that the lock does not have is fault.NotFound.
func Make(ctx context.Context, name string, lock Lock, o Options) (_ *Made, err error) {
	inputs, err := lock.resolve(o.Arch, o.Sources)
	if err != nil {
		return nil, err
	}
	held, err := o.Cache.Lock(ctx)
	if err != nil {
		return nil, err
	}
	m := &Made{lock: held}
	defer func() {
		if err != nil {
			if m.spool != nil {
				err = errors.Join(err, m.spool.Close())
			}
			held.Release()
		}
	}()
	began := time.Now()
	if m.Fetched, err = fetch(ctx, inputs, o); err != nil {
		return nil, err
	}
	if m.Freed, err = trim(lock, o); err != nil {
		return nil, err
	}
	for _, in := range inputs {
		m.Cached += in.Size
	}
	m.Cached -= m.Fetched
	m.FetchTime = time.Since(began)
	began = time.Now()
	spool, err := tree.NewSpool(o.Cache.Dir)
	if err != nil {
		return nil, err
	}
	m.spool = spool
	files, err := lock.unpack(ctx, o, spool)
	if err != nil {
		return nil, err
	}
	m.Image, err = lock.image(name, o.Arch, files)
	m.MakeTime = time.Since(began)
	return m, err
}

// image makes an image of a tree.
func (l Lock) image(name, arch string, t *tree.Tree) (oci.Image, error) {
	digest, err := l.Digest(arch)
	if err != nil {
		return oci.Image{}, err
	}
	var layers []oci.Blob
	for i := range t.Layers() {
		b, err := oci.NewBlob(func(w io.Writer) error { return t.WriteLayer(w, i) })
		if err != nil {
			return oci.Image{}, fmt.Errorf("layer %d: %w", i, err)
		}
		layers = append(layers, b)
	}
	return oci.New(oci.Config{
		Architecture: arch, User: "1000:1000", WorkingDir: "/workspace",
		Labels: map[string]string{LabelRunner: name, LabelLock: digest.String()},
	}, layers)
}
