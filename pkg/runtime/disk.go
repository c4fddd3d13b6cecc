package runtime

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxDepth is how deep a measured tree may be. Each level holds one descriptor
// while it is read.
const maxDepth = 128

// perEntry is what a name costs beside its blocks, so that a flood of empty
// files is seen.
const perEntry = 512

var errTooDeep = errors.New("a directory is too deep")

// measure returns the bytes that the writable mounts of a unit take, with one
// walk that never follows a link out of them. It stops early once the result
// is beyond limit. A file that was deleted while it is open is not seen.
func (k *Kernel) measure(f facts, limit int64) (int64, error) {
	m := meter{limit: limit}
	for _, rel := range f.writable {
		fd, err := unix.Open(filepath.Join(k.layout.realRoot, f.unit, rel), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			continue // the unit's directory is being taken away
		}
		if err != nil {
			return 0, err
		}
		if err := m.walk(os.NewFile(uintptr(fd), rel), 0); err != nil {
			return 0, err
		}
	}
	return m.total, nil
}

type meter struct {
	total, limit int64
}

// walk adds what lies in dir, and closes it.
func (m *meter) walk(dir *os.File, depth int) error {
	defer dir.Close()
	if depth > maxDepth {
		return errTooDeep
	}
	fd := int(dir.Fd())
	for m.total <= m.limit {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			if err := m.entry(fd, name, depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *meter) entry(dir int, name string, depth int) error {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil // the agent is at work
	}
	if err != nil {
		return err
	}
	m.total += perEntry
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		m.total += st.Blocks * 512 / int64(max(st.Nlink, 1))
		return nil
	}
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: "a directory", Err: err}
	}
	return m.walk(os.NewFile(uintptr(fd), "dir"), depth+1)
}
