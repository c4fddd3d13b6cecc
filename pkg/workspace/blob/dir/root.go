package dir

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// beneath is how every path below the root is resolved.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS

// dirOnly opens a directory to name what is in it.
const dirOnly = unix.O_PATH | unix.O_DIRECTORY

// permissions of what is made.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// root is the open directory that everything lies below. It stays open until
// the last use of it is done.
type root struct {
	path     string
	fd       int
	dev, ino uint64

	mu   sync.Mutex
	uses int // calls in progress, and one until the store is closed
}

func openRoot(path string, create bool) (*root, error) {
	if create {
		if err := makeRoot(path); err != nil {
			return nil, err
		}
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	r := &root{path: path, fd: fd, uses: 1}
	here, err := r.open(".", dirOnly) // may it be searched?
	if err == nil {
		unix.Close(here) //nolint:errcheck // it was only looked at
	}
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	r.dev, r.ino = st.Dev, st.Ino
	return r, nil
}

// makeRoot makes a root where nothing is, and flushes its name: who made one that
// is there may have been killed before.
func makeRoot(path string) error {
	err := os.Mkdir(path, dirMode)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	flushed := atomicfile.SyncDir(filepath.Dir(path))
	if err != nil {
		return nil //nolint:nilerr // another made it, and what it lies in may be closed to this user
	}
	return flushed
}

// use begins a call. It reports whether the root is open.
func (r *root) use() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.uses == 0 {
		return false
	}
	r.uses++
	return true
}

// done ends a use.
func (r *root) done() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uses--
	if r.uses == 0 {
		unix.Close(r.fd) //nolint:errcheck // it was only read
	}
}

// same fails where the root's path leads elsewhere by now: what is written
// below the open directory would not be where others look for it.
func (r *root) same() error {
	var st unix.Stat_t
	err := unix.Stat(r.path, &st)
	if err == nil && (st.Dev != r.dev || st.Ino != r.ino) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return unavailable("the directory is not the one that was opened", "see that its disk is mounted, and try again")
	}
	return err
}

var _ blob.Placed = (*Store)(nil)

// Gone implements blob.Placed: another directory came into the root's place, or none is
// there, because its disk went.
func (s *Store) Gone() bool {
	return errors.Is(s.root.same(), blob.ErrUnavailable)
}

// open opens a path below the root. It follows nothing and leaves no file
// system. With O_CREAT the file is of fileMode.
func (r *root) open(path string, flags uint64) (int, error) { return openAt(r.fd, path, flags) }

func openAt(dir int, path string, flags uint64) (int, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: beneath}
	if flags&unix.O_CREAT != 0 {
		how.Mode = fileMode
	}
	for {
		fd, err := unix.Openat2(dir, path, &how)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
}

// rootFault says why a root cannot be opened.
func rootFault(path string, err error) error {
	what := "open the storage " + path
	switch {
	case errors.Is(err, unix.ENOENT):
		e := unavailable("there is no such directory", "mount its disk, or make it")
		return &fault.Error{Kind: fault.NotFound, Msg: what, Err: e, Hint: e.Hint}
	case errors.Is(err, unix.ENOTDIR):
		return &fault.Error{Kind: fault.Invalid, Msg: what, Err: err, Hint: "name a directory"}
	default:
		return explain(what, path, err)
	}
}
