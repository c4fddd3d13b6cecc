// Package removetree removes a directory that an agent wrote. What an agent
// may do to a tree of its own must not keep the host from removing it: a
// directory without permissions is given them back, and one that is nested
// beyond any path or number of descriptors is taken apart from the top.
package removetree

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// All removes path and everything below it; a path that does not exist is no
// error. It follows no symbolic link, and holds two descriptors however deep
// the tree is. What belongs to another user stays, and is an error.
func All(path string) error {
	top, err := openDir(unix.AT_FDCWD, path)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return os.Remove(path)
	case err != nil:
		return &os.PathError{Op: "remove", Path: path, Err: err}
	}
	defer unix.Close(top) //nolint:errcheck // it was only read
	r := remover{top: top}
	for more := true; more; {
		if more, err = r.pass(top, r.entry); err != nil {
			return fmt.Errorf("remove what is in %s: %w", path, err)
		}
	}
	return os.Remove(path)
}

// remover takes a tree apart: directories in a directory are moved to the top
// before it is removed, so that none is ever reached by a long way.
type remover struct {
	top   int
	moved uint64
}

// entry removes one name of the top directory.
func (r *remover) entry(name string) error {
	if done, err := unlink(r.top, name); done {
		return err
	}
	dir, err := openDir(r.top, name)
	if err != nil {
		return err
	}
	defer unix.Close(dir) //nolint:errcheck // it was only read
	for more := true; more; {
		more, err = r.pass(dir, func(name string) error { return r.lift(dir, name) })
		if err != nil {
			return err
		}
	}
	return unix.Unlinkat(r.top, name, unix.AT_REMOVEDIR)
}

// lift removes one name of a directory below the top, or moves it to the top
// where it is a directory itself.
func (r *remover) lift(dir int, name string) error {
	if done, err := unlink(dir, name); done {
		return err
	}
	if err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); err == nil {
		return nil
	}
	sub, err := openDir(dir, name) // a directory is moved only by who may write to it
	if err != nil {
		return err
	}
	if err := unix.Close(sub); err != nil {
		return err
	}
	for {
		r.moved++
		err := unix.Renameat2(dir, name, r.top, strconv.FormatUint(r.moved, 36), unix.RENAME_NOREPLACE)
		if !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
}

// pass calls fn with the names of a directory, and reports whether there were
// any: what comes while it is read is seen by the next pass.
func (r *remover) pass(dir int, fn func(name string) error) (found bool, err error) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	for {
		names, err := f.Readdirnames(1024)
		for _, name := range names {
			found = true
			if err := fn(name); err != nil && !errors.Is(err, unix.ENOENT) {
				return found, err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return found, nil
		case err != nil:
			return found, err
		}
	}
}

// unlink removes name where it is no directory. It reports whether that was
// all there is to do.
func unlink(dir int, name string) (done bool, err error) {
	err = unix.Unlinkat(dir, name, 0)
	return !errors.Is(err, unix.EISDIR), err
}

// openDir opens a directory that its owner may list and change afterwards.
func openDir(dir int, name string) (int, error) {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := own(fd); err != nil {
		_ = unix.Close(fd) // it was only looked at
		return -1, err
	}
	return fd, nil
}

// own gives the owner every permission of the directory that fd stands for. It
// goes by the descriptor, so that no link that takes the name's place can lead
// it elsewhere.
func own(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IRWXU == unix.S_IRWXU {
		return nil
	}
	return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), unix.S_IRWXU)
}
