package dir

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// place gives t the name of a blob, and is done with t then. The error is EEXIST
// where there is a file of that name. In either case the name is durable after
// the next flushDirs.
func (s *Store) place(t *temp, name string) error {
	dir, base := split(name)
	err := s.inParent(dir, func(fd int) error { return s.name(t, fd, base) })
	if errors.Is(err, unix.EEXIST) {
		if err := s.isFile(name); err != nil {
			return err
		}
	}
	if err == nil || errors.Is(err, unix.EEXIST) {
		s.flushes.entered(dir)
	}
	if errors.Is(err, unix.ENOENT) {
		return unavailable("its file in "+tempDir+" was removed before it had its name", "store it again")
	}
	return err
}

// isFile fails where there is something else than a file of the name. Where
// there is nothing any more it does not.
func (s *Store) isFile(name string) error {
	_, err := s.stat(name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// inParent calls fn with the directory dir open, which it makes where it is
// missing.
func (s *Store) inParent(dir string, fn func(fd int) error) error {
	for left := attempts; ; left-- {
		fd, err := s.root.open(orDot(dir), dirOnly)
		if err == nil {
			err = fn(fd)
			unix.Close(fd) //nolint:errcheck // it was only looked at
		} else if errors.Is(err, unix.ENOTDIR) {
			return fault.New(fault.Conflict, "a blob has the name of a directory on the way to it", "")
		}
		if !errors.Is(err, unix.ENOENT) || left == 0 {
			return err
		}
		if err := s.makeDirs(dir); err != nil {
			return err
		}
	}
}

// makeDirs makes a directory and those above it where they are missing.
func (s *Store) makeDirs(dir string) error {
	if dir == "" {
		return nil
	}
	above, base := split(dir)
	if err := s.makeDirs(above); err != nil {
		return err
	}
	fd, err := s.root.open(orDot(above), dirOnly)
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil // removed again; the caller looks once more
		}
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // it was only looked at
	err = unix.Mkdirat(fd, base, dirMode)
	switch {
	case err == nil:
		s.flushes.made(dir)
		s.sys.step()
		return nil
	case errors.Is(err, unix.EEXIST), errors.Is(err, unix.ENOENT):
		return nil
	default:
		return err
	}
}
