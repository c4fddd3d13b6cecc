package runner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv1"
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
func (c *Catalog) Add(dir string, f Files, replace bool) (runnerv1.Manifest, error) {
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
	if err := os.MkdirAll(at, 0o700); err != nil {
		return m, fault.Wrap(fault.Internal, "store runner "+m.Name, err)
	}
	lock := filepath.Join(at, LockFile)
	if f.Lock != nil {
		err = atomicfile.WriteFile(lock, f.Lock, 0o600)
	} else if err = os.Remove(lock); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil { // what makes it a runner comes last
		err = atomicfile.WriteFile(filepath.Join(at, ManifestFile), f.Manifest, 0o600)
	}
	if err != nil {
		return m, fault.Wrap(fault.Internal, "store runner "+m.Name, err)
	}
	delete(c.broken, m.Name)
	c.manifests[m.Name], c.own[m.Name] = m, true
	return m, nil
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
