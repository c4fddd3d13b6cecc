// Package runner knows the agent CLIs that Vexa can run: their manifests
// (agent-runner.v2), the command line of a turn, the files that are a
// conversation, and what an exit code and an output mean together. What a
// runner prints is read by package dialect.
//
// The package starts nothing and reads no environment. The host uses it to
// list runners and to keep session capsules, the worker in the container to
// run turns.
package runner

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/nearest"
)

// ManifestFile is the name of a manifest in its runner's directory.
const ManifestFile = "runner.json"

const maxManifest = 1 << 20

// Catalog is a set of manifests by name. It is safe for concurrent use.
type Catalog struct {
	mu        sync.RWMutex
	shipped   map[string]runnerv2.Manifest // that a person's own take the place of
	manifests map[string]runnerv2.Manifest
	own       map[string]bool  // those of manifests that are a person's own
	broken    map[string]error // by directory; see Own
}

// Load reads NAME/runner.json of every directory of the given file systems. A
// manifest of a later file system replaces one of the same name, so that a
// person's own come after the shipped ones. One manifest that is not right
// fails the whole load with fault.Invalid, naming the file and the rule.
func Load(systems ...fs.FS) (*Catalog, error) {
	c := &Catalog{manifests: map[string]runnerv2.Manifest{}, own: map[string]bool{}, broken: map[string]error{}}
	for _, fsys := range systems {
		dirs, err := directories(fsys)
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			if err := c.load(fsys, dir); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// Own takes a person's own manifests, in the place of those that it took before: it is
// called again whenever they may have changed. One that is not right keeps no other
// from being used: its error is returned, and told to who asks for that runner, rather
// than one of the same name that ships. Where they cannot be listed nothing changes.
func (c *Catalog) Own(fsys fs.FS) (broken []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dirs, err := directories(fsys)
	if err != nil {
		return []error{err}
	}
	if c.shipped == nil {
		c.shipped = c.manifests
	}
	c.manifests = maps.Clone(c.shipped)
	clear(c.own)
	clear(c.broken)
	for _, dir := range dirs {
		if err := c.load(fsys, dir); err != nil {
			delete(c.manifests, dir)
			c.broken[dir] = err
			broken = append(broken, err)
		}
	}
	return broken
}

func directories(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Internal, "list runners", err)
	}
	var dirs []string
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), newPrefix) {
			dirs = append(dirs, entry.Name())
		}
	}
	return dirs, nil
}

func (c *Catalog) load(fsys fs.FS, dir string) error {
	file := path.Join(dir, ManifestFile)
	info, err := fs.Stat(fsys, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a directory without a manifest is none of ours
	}
	if err == nil && info.Size() > maxManifest {
		err = errors.New("it is over 1 MiB")
	}
	var data []byte
	if err == nil {
		data, err = fs.ReadFile(fsys, file)
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, "runner manifest "+file, err)
	}
	m, err := Parse(data)
	if err != nil {
		return fault.Wrap(fault.Invalid, "runner manifest "+file, err)
	}
	if m.Name != dir {
		return fault.Newf(fault.Invalid, "runner manifest %s: the runner is called %q but its directory %q", file, m.Name, dir)
	}
	c.manifests[m.Name] = m
	if c.shipped != nil {
		c.own[m.Name] = true
	}
	return nil
}

// Parse reads one manifest and checks it against its contract and against
// everything that Check knows beyond the schema.
func Parse(data []byte) (runnerv2.Manifest, error) {
	m, err := contract.Decode[runnerv2.Manifest]("agent-runner.v2#Manifest", data)
	if err != nil {
		return runnerv2.Manifest{}, err
	}
	if err := Check(m); err != nil {
		return runnerv2.Manifest{}, err
	}
	return m, nil
}

// Get returns the named manifest, or fault.NotFound, or fault.Invalid where Own
// met one that is not right.
func (c *Catalog) Get(name string) (runnerv2.Manifest, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if err := c.broken[name]; err != nil {
		return runnerv2.Manifest{}, &fault.Error{
			Kind: fault.KindOf(err), Err: err, Hint: "correct it: it is read again when it changes, or after vexa daemon stop",
		}
	}
	m, ok := c.manifests[name]
	if !ok {
		return runnerv2.Manifest{}, fault.Newf(fault.NotFound, "no runner is called %q", name).
			WithHint(nearest.Hint(name, slices.Sorted(maps.Keys(c.manifests)), "list them with: vexa runner list"))
	}
	return m, nil
}

// List returns all manifests, sorted by name.
func (c *Catalog) List() []runnerv2.Manifest {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]runnerv2.Manifest, 0, len(c.manifests))
	for _, name := range slices.Sorted(maps.Keys(c.manifests)) {
		out = append(out, c.manifests[name])
	}
	return out
}
