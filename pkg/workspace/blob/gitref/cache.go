package gitref

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
	"github.com/vexa-ai/vexa/pkg/internal/scratchdir"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// config is the whole configuration of the cache. The large threshold is where
// git stops looking for similar objects, which ciphertext has none of; trees are
// smaller.
const config = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	logAllRefUpdates = false
	bigFileThreshold = 1m
[gc]
	auto = 0
[pack]
	writeReverseIndex = false
`

// The cache's files that are not git's.
const (
	ownDir     = "vexa"
	lockFile   = "vexa/lock"
	remoteFile = "vexa/remote" // the remote's URL
)

// cache is the private repository on this machine. Its branch is the newest
// state of the remote's that is known. Who holds the lock may move refs, fetch,
// push and repack; objects are read by everybody at any time.
type cache struct {
	repo  *git.Repo
	turn  chan struct{}   // one of this process at a time
	spool *scratchdir.Dir // where this process keeps what is staged
}

// openCache makes or opens the cache of the remote that is shown as url, and
// removes what killed processes left in it.
func openCache(ctx context.Context, repo *git.Repo, url string) (*cache, error) {
	dir := repo.Dir()
	if !filepath.IsAbs(dir) {
		return nil, fault.New(fault.Internal, "not an absolute path: "+dir, "")
	}
	if err := os.MkdirAll(filepath.Join(dir, ownDir), 0o700); err != nil {
		return nil, fault.Wrap(fault.Denied, "make the cache of "+url, err)
	}
	if st, err := os.Lstat(dir); err != nil || !st.IsDir() || st.Mode().Perm()&0o077 != 0 {
		return nil, fault.New(fault.Denied, dir+" is open to others", "chmod 700 "+dir)
	}
	c := &cache{repo: repo, turn: make(chan struct{}, 1)}
	unlock, err := c.lock(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the cache of %s: %w", url, err)
	}
	defer unlock()
	err = c.prepare(url)
	if err == nil {
		c.spool, err = scratchdir.Make(c.path(ownDir), "spool-")
	}
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), "open the cache of "+url, err)
	}
	return c, nil
}

func (c *cache) path(name string) string { return filepath.Join(c.repo.Dir(), name) }

func (c *cache) packDir() string { return c.path("objects/pack") }

// prepare writes what is missing of the repository, HEAD at last.
func (c *cache) prepare(url string) error {
	if err := c.claim(url); err != nil {
		return err
	}
	for _, d := range []string{"objects/pack", "objects/info", "refs/heads", "refs/vexa"} {
		if err := os.MkdirAll(c.path(d), 0o700); err != nil {
			return err
		}
	}
	for _, name := range []string{branch, incoming} {
		id, err := c.ref(name)
		if err == nil && id.IsZero() {
			err = c.setRef(name, id) // git stops at one that is damaged
		}
		if err != nil {
			return err
		}
	}
	for _, f := range [][2]string{{"config", config}, {"HEAD", "ref: " + branch + "\n"}} {
		if got, err := os.ReadFile(c.path(f[0])); err == nil && string(got) == f[1] {
			continue
		}
		if err := atomicfile.WriteFile(c.path(f[0]), []byte(f[1]), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// claim refuses a directory that is another remote's cache, or none.
func (c *cache) claim(url string) error {
	known, err := os.ReadFile(c.path(remoteFile))
	switch {
	case err == nil && string(known) == url+"\n":
		return nil
	case err == nil:
		return fault.New(fault.Invalid, c.repo.Dir()+" is the cache of "+strings.TrimSpace(string(known)), "use another directory")
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	entries, err := os.ReadDir(c.repo.Dir())
	if err != nil {
		return err
	}
	if len(entries) > 1 {
		return fault.New(fault.Invalid, c.repo.Dir()+" is not empty and no cache", "use another directory")
	}
	return atomicfile.WriteFile(c.path(remoteFile), []byte(url+"\n"), 0o600)
}

// lock waits for the cache and returns what gives it up. Within the process
// waiters queue on a channel; against other processes it is flock(2), tried
// again at a short interval. Who gets it removes the lock files that a git
// process left when it was killed: none runs while nobody holds this lock.
func (c *cache) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the cache: %w", context.Cause(ctx))
	}
	l, err := filelock.Wait(ctx, c.path(lockFile))
	if err == nil {
		if err = c.removeStale(); err != nil {
			l.Release()
		}
	}
	if err != nil {
		<-c.turn
		return nil, fmt.Errorf("lock the cache: %w", err)
	}
	return func() {
		l.Release()
		<-c.turn
	}, nil
}

func (c *cache) removeStale() error {
	for _, name := range []string{"shallow", "packed-refs", "HEAD", "config", branch, incoming} {
		if err := os.Remove(c.path(name) + ".lock"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// ref returns where a ref of the cache points; zero where there is none. One
// that a power loss left damaged counts as none: the remote has it.
func (c *cache) ref(name string) (object.ID, error) {
	data, err := os.ReadFile(c.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return object.ID{}, nil
	}
	if err != nil {
		return object.ID{}, err
	}
	id, err := object.ParseID(strings.TrimSpace(string(data)))
	if err != nil {
		return object.ID{}, nil //nolint:nilerr // see above
	}
	return id, nil
}

// setRef moves a ref of the cache, zero removes it. The lock is held.
func (c *cache) setRef(name string, id object.ID) error {
	return c.put(name, id.String()+"\n", id.IsZero())
}

// put replaces a small file of the cache at once, or removes it. It need not
// survive a power loss.
func (c *cache) put(name, text string, remove bool) error {
	path := c.path(name)
	if remove {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.WriteFile(path+".lock", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".lock", path)
}
