package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
	"github.com/vexa-ai/vexa/pkg/runner/image/tree"
)

// Cache is a directory of inputs: ALGORITHM/DIGITS for each. An input has its
// name only once it is whole, so that kill -9 at any instant leaves no half one.
// Several processes may use a cache; methods are safe for concurrent use.
type Cache struct{ Dir string }

const tempPrefix = ".part-"

func (c Cache) path(d Digest) string { return filepath.Join(c.Dir, d.algorithm, d.sum) }

// Lock makes the cache's directories, waits until no other process works with
// it, and removes what those that were killed left behind.
func (c Cache) Lock(ctx context.Context) (*filelock.Lock, error) {
	for _, algorithm := range []string{"sha256", "sha512"} {
		if err := os.MkdirAll(filepath.Join(c.Dir, algorithm), 0o700); err != nil {
			return nil, tree.Disk(err, c.Dir)
		}
	}
	lock, err := filelock.Wait(ctx, filepath.Join(c.Dir, "lock"))
	if err != nil {
		return nil, fault.Wrap(fault.Interrupted, "wait for the cache "+c.Dir, err)
	}
	parts, err := filepath.Glob(filepath.Join(c.Dir, "*", tempPrefix+"*"))
	for _, part := range parts {
		err = errors.Join(err, os.Remove(part))
	}
	if err != nil {
		lock.Release()
		return nil, err
	}
	return lock, nil
}

// Open returns an input, verified to its last byte. One that is missing is
// fs.ErrNotExist; one that was damaged is removed, and missing.
func (c Cache) Open(d Digest) (*os.File, error) {
	f, err := os.Open(c.path(d))
	if err != nil {
		return nil, err
	}
	h := d.hash()
	_, err = io.Copy(h, f)
	if err == nil && d.of(h) != d {
		err = errors.Join(&fs.PathError{Op: "open", Path: f.Name(), Err: fs.ErrNotExist}, os.Remove(f.Name()))
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Put takes an input in. What does not have the digest, or is longer than size
// bytes, is fault.Invalid, which names what and both digests, and leaves
// nothing; a full disk is fault.Failed.
func (c Cache) Put(what string, d Digest, size int64, r io.Reader) error {
	path := c.path(d)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return tree.Disk(err, c.Dir)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*")
	if err != nil {
		return tree.Disk(err, c.Dir)
	}
	err = fill(tmp, what, d, size, r)
	err = errors.Join(tree.Disk(err, c.Dir), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}

func fill(tmp *os.File, what string, d Digest, size int64, r io.Reader) error {
	h := d.hash()
	if h == nil {
		return errors.New("no digest is given")
	}
	n, err := io.Copy(io.MultiWriter(tmp, h), io.LimitReader(r, size+1))
	if err != nil {
		return err
	}
	if n > size {
		return &fault.Error{Kind: fault.Invalid, Msg: fmt.Sprintf("%s is longer than the %d bytes that the lock says", what, size), Hint: mismatchHint}
	}
	if got := d.of(h); got != d {
		return &fault.Error{Kind: fault.Invalid, Msg: what + " has the digest " + got.String() + ", the lock says " + d.String(), Hint: mismatchHint}
	}
	return tmp.Sync()
}

const mismatchHint = "it was not used; what served it is damaged or not what it says: name another mirror or registry"

// Copy puts an input of this cache into another one.
func (c Cache) Copy(what string, d Digest, to Cache) error {
	f, err := c.Open(d)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, what+" is not in "+c.Dir, "download it where there is a network: vexa runner build NAME --download-only DIR")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return to.Put(what, d, info.Size(), f)
}
