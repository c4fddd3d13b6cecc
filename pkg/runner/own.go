package runner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// LockFile is the name of what says what a runner's image is made of, in its directory.
const LockFile = "image.json"

// Files are those of a runner's directory that count.
type Files struct {
	Manifest []byte
	Lock     []byte // nil: none
}

// Add makes a runner a person's own: its files are stored below dir, and it is there
// from then on, in the place of one that ships under the same name. It is fault.Invalid
// where the manifest is not right, and fault.Conflict where the person has one of the
// name, unless that is to be replaced, or where another's image has the name of its. Whether the lock is right is the caller's to know.
func (c *Catalog) Add(dir string, f Files, replace bool) (runnerv2.Manifest, error) {
	m, err := Parse(f.Manifest)
	if err != nil {
		return m, fault.Wrap(fault.Invalid, "runner manifest", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.imageFree(m); err != nil {
		return m, err
	}
	at := filepath.Join(dir, m.Name)
	if _, err := os.Stat(filepath.Join(at, ManifestFile)); err == nil && !replace {
		return m, fault.New(fault.Conflict, "there is a runner "+m.Name+" of yours already", "take its place with --replace, or remove it: vexa runner remove "+m.Name)
	}
	if err := place(at, f); err != nil {
		return m, fault.Wrap(fault.Internal, "store runner "+m.Name, err)
	}
	delete(c.broken, m.Name)
	c.manifests[m.Name], c.own[m.Name] = m, true
	return m, nil
}

// newPrefix begins the name of a directory that is in the making: none of a runner.
const newPrefix = ".new-"

// place makes at a directory of exactly these files, at one instant: a manifest with
// the lock of another would be a runner whose image is of something else.
func place(at string, f Files) (err error) {
	dir := filepath.Dir(at)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	stale, err := filepath.Glob(filepath.Join(dir, newPrefix+"*")) // of who was killed
	if err != nil {
		return err
	}
	for _, old := range stale {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	tmp, err := os.MkdirTemp(dir, newPrefix+"*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if err := writeFiles(tmp, f); err != nil {
		return err
	}
	err = atomicfile.Exchange(tmp, at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = os.Rename(tmp, at)
	case errors.Is(err, errors.ErrUnsupported):
		err = placeSlowly(at, f)
	}
	if err != nil {
		return err
	}
	return atomicfile.SyncDir(dir)
}

// placeSlowly is place where two directories cannot be swapped: in between there is
// no runner, rather than half of each.
func placeSlowly(at string, f Files) error {
	if err := os.Remove(filepath.Join(at, ManifestFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(at, 0o700); err != nil {
		return err
	}
	if err := atomicfile.SyncDir(at); err != nil {
		return err
	}
	return writeFiles(at, f)
}

// writeFiles makes the files of a directory these. What makes it a runner comes last.
func writeFiles(dir string, f Files) error {
	lock := filepath.Join(dir, LockFile)
	if f.Lock != nil {
		if err := atomicfile.WriteFile(lock, f.Lock, 0o600); err != nil {
			return err
		}
	} else if err := os.Remove(lock); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, ManifestFile), f.Manifest, 0o600)
}

// Remove removes a person's own runner; one that ships under the name is there again. It
// is fault.NotFound where the person has none of the name. Its image stays.
func (c *Catalog) Remove(dir, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ships := c.shipped[name]
	at := filepath.Join(dir, name)
	if filepath.Base(name) != name || name == "." || name == ".." {
		return fault.Newf(fault.NotFound, "no runner is called %q", name).WithHint("list them with: vexa runner list")
	}
	err := os.Remove(filepath.Join(at, ManifestFile)) // without it the rest is none
	switch {
	case errors.Is(err, fs.ErrNotExist) && ships:
		return fault.New(fault.Conflict, "runner "+name+" comes with Vexa, and is not removed", "add one of the same name to take its place: vexa runner add DIR")
	case errors.Is(err, fs.ErrNotExist):
		return fault.Newf(fault.NotFound, "no runner of yours is called %q", name).WithHint("list them with: vexa runner list")
	case err != nil:
		return fault.Wrap(fault.Internal, "remove runner "+name, err)
	}
	delete(c.broken, name)
	delete(c.manifests, name)
	delete(c.own, name)
	if m, ok := c.shipped[name]; ok {
		c.manifests[name] = m
	}
	return fault.Wrap(fault.Internal, "remove runner "+name, os.RemoveAll(at))
}
