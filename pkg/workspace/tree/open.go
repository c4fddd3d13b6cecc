package tree

import (
	"errors"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// beneath is how every path of the tree is resolved.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS

// openBeneath opens path below the directory dir. It never blocks, follows
// nothing and leaves no file system.
func openBeneath(dir int, path string, flags uint64) (int, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC | unix.O_NOFOLLOW, Resolve: beneath}
	for {
		fd, err := unix.Openat2(dir, path, &how)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
}

// openRoot opens the directory that a walk begins at. Its own mode is no part
// of the tree, and it is the agent's to change: where the owner may not list or
// search it, the permission is given back, for else one chmod in the container
// would keep the host from everything in it.
func openRoot(path string) (int, error) {
	const readable = unix.S_IRUSR | unix.S_IXUSR
	at, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(at) //nolint:errcheck // it was only looked at
	var st unix.Stat_t
	if err := unix.Fstat(at, &st); err != nil {
		return -1, err
	}
	if st.Mode&readable != readable {
		if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(at), st.Mode&0o777|unix.S_IRWXU); err != nil {
			return -1, err
		}
	}
	return unix.Openat(at, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

func openDir(dir int, name string) (int, error) {
	return openBeneath(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
}

func openFile(dir int, path string) (int, error) {
	return openBeneath(dir, path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
}

func openLink(dir int, path string) (int, error) {
	return openBeneath(dir, path, unix.O_PATH)
}

// whyNot says in words why a path could not be opened; empty where it is gone.
func whyNot(err error) string {
	switch {
	case errors.Is(err, unix.ENOENT):
		return ""
	case errors.Is(err, unix.EXDEV):
		return "it lies on another file system"
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EISDIR):
		return "it changed while it was read"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return "it may not be read"
	case errors.Is(err, unix.ENXIO):
		return "it is not a file"
	default:
		return "it cannot be read: " + err.Error()
	}
}

// file reads from a descriptor that may be in non-blocking mode.
type file int

func (f file) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := unix.Read(int(f), p)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// names calls fn with the names of an open directory, a batch at a time, until
// fn returns false. The descriptor stays open.
func names(dir int, fn func([]string) bool) error {
	dup, err := unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(dup), "")
	defer f.Close()
	for {
		batch, err := f.Readdirnames(4096)
		if len(batch) > 0 && !fn(batch) {
			return nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
