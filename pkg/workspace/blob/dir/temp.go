package dir

import (
	"crypto/rand"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// tempDir holds what is being written. It is no name of a blob.
const tempDir = ".tmp"

// attempts bounds how often a step is repeated because another process took
// away an empty directory meanwhile.
const attempts = 5

// temp is a file in tempDir that is open to be written. It is not safe for
// concurrent use.
type temp struct {
	dir  int // tempDir
	name string
	file *os.File // nil once dropped or named
}

// newTemp makes an empty file in tempDir, and removes what is stale there.
func (s *Store) newTemp() (*temp, error) {
	t := &temp{name: rand.Text()}
	err := s.inTempDir(func(dir int) error {
		fd, err := openAt(dir, t.name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
		if err != nil {
			return err
		}
		own, err := unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return errors.Join(err, unix.Close(fd), unix.Unlinkat(dir, t.name, 0))
		}
		t.dir, t.file = own, os.NewFile(uintptr(fd), t.name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.sys.step()
	s.sweep(t.file)
	return t, nil
}

// inTempDir calls fn with tempDir open, which it makes where it is missing.
func (s *Store) inTempDir(fn func(dir int) error) error {
	for left := attempts; ; left-- {
		dir, err := s.root.open(tempDir, dirOnly)
		if err == nil {
			err = fn(dir)
			unix.Close(dir) //nolint:errcheck // it was only looked at
		}
		if !errors.Is(err, unix.ENOENT) || left == 0 {
			return err
		}
		if err := unix.Mkdirat(s.root.fd, tempDir, dirMode); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		s.sys.step()
	}
}

// drop removes the file. It is harmless once the file has its own name.
func (t *temp) drop() {
	if t.file == nil {
		return
	}
	t.file.Close()                      // first, else NFS keeps it under yet another name
	_ = unix.Unlinkat(t.dir, t.name, 0) // what stays is swept
	t.let()
}

// close lets go of a file that is not in tempDir any more.
func (t *temp) close() {
	t.file.Close()
	t.let()
}

func (t *temp) let() {
	t.file = nil
	unix.Close(t.dir) //nolint:errcheck // it was only looked at
}

// name gives t the name base in the open directory to, where it is free, and is
// done with t then. The error is EEXIST where it is taken.
func (s *Store) name(t *temp, to int, base string) error {
	var linked error
	if !s.noLinks.Load() {
		linked = s.sys.link(t.dir, t.name, to, base)
		if linked == nil {
			s.sys.step()
			t.drop()
			s.sys.step()
			return nil
		}
		if !lacksLinks(linked) {
			return linked
		}
	}
	err := s.sys.rename(t.dir, t.name, to, base)
	switch {
	case err == nil:
		s.noLinks.Store(true)
		s.flushes.entered(tempDir) // else the file might come back with two names, but one link
		s.sys.step()
		t.close()
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP):
		return notCreateOnly("it has neither hard links nor a rename that keeps what is there")
	default:
		return err
	}
}

// lacksLinks reports whether link(2) says by err that the file system has no
// hard links. Some say so in the words of a refusal.
func lacksLinks(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.ENOSYS)
}

// notCreateOnly says that the directory cannot keep a bucket.
func notCreateOnly(why string) error {
	return fault.New(fault.Invalid, "its file system cannot make a file only where there is none: "+why,
		"use a directory on a local disk (ext4, XFS, Btrfs) or on an NFS share")
}
