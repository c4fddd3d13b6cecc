package image

import (
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// Cache is a Source that remembers the references of its images, so that a
// container's start does not wait for one to be made. It looks at the busybox
// each time: one that was changed or replaced makes another image. It is safe
// for concurrent use.
type Cache struct {
	source Source
	now    func() time.Time

	mu    sync.Mutex
	known map[string]known // by the name of the image
}

// known is an image that was made before.
type known struct {
	ref  string
	from identity
}

// identity is what changes when a file's content does.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

// NewCache returns an empty cache.
func NewCache(s Source, now func() time.Time) *Cache {
	return &Cache{source: s, now: now, known: make(map[string]known)}
}

// Lookup is Source.Lookup. The bytes of an image are made again when they are
// asked for.
func (c *Cache) Lookup(name string) (runtime.Image, error) {
	builtin, ok := strings.CutPrefix(name, Prefix)
	if !ok {
		return c.source.Lookup(name)
	}
	from, steady := c.identify(builtin)
	c.mu.Lock()
	k, found := c.known[builtin]
	c.mu.Unlock()
	if found && steady && k.from == from {
		return runtime.Image{Ref: k.ref, Open: func() (io.ReadCloser, error) { return c.open(builtin, k.ref) }}, nil
	}
	image, err := c.source.Lookup(name)
	if err != nil || !steady {
		return image, err
	}
	if again, steady := c.identify(builtin); steady && again == from {
		c.mu.Lock()
		c.known[builtin] = known{ref: image.Ref, from: from}
		c.mu.Unlock()
	}
	return image, nil
}

// settled is how old a change must be for the next one to have another time.
const settled = 2 * time.Second

// identify tells what the image is made from. It is not steady where a change
// could go unseen.
func (c *Cache) identify(builtin string) (from identity, steady bool) {
	if builtin != Shell {
		return identity{}, true
	}
	info, err := os.Stat(c.source.busybox())
	if err != nil {
		return identity{}, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode().Type() != fs.FileMode(0) {
		return identity{}, false
	}
	from = identity{dev: st.Dev, ino: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim}
	return from, c.now().Sub(time.Unix(st.Ctim.Unix())) > settled
}

// open makes the bytes of an image, which must still be that one.
func (c *Cache) open(builtin, want string) (io.ReadCloser, error) {
	ref, open, err := c.source.Resolve(builtin)
	if err != nil {
		return nil, err
	}
	if ref != want {
		return nil, fault.New(fault.Conflict, "the host's busybox was changed just now", "try again")
	}
	return open()
}
