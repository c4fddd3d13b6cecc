package dir

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	var file *os.File
	err := s.on(ctx, "open", name, func() error {
		return s.lookTwice(name, func() (err error) {
			file, _, err = s.openFile(name)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return &reader{s: s, name: name, file: file, ended: ctx.Err}, nil
}

// reader reads a blob until its context ends.
type reader struct {
	s     *Store
	name  string
	file  *os.File
	ended func() error
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ended(); err != nil {
		return 0, r.s.explain("read", r.name, err)
	}
	n, err := r.file.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.s.explain("read", r.name, err)
	}
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.file.Close() }

// Stat implements blob.Store. The time is when the last byte was written.
func (s *Store) Stat(ctx context.Context, name string) (blob.Info, error) {
	var st unix.Stat_t
	err := s.on(ctx, "look at", name, func() error {
		return s.lookTwice(name, func() (err error) {
			st, err = s.stat(name)
			return err
		})
	})
	if err != nil {
		return blob.Info{}, err
	}
	return info(name, &st), nil
}

// openFile opens a blob to be read. The error is ENOENT where there is none.
func (s *Store) openFile(name string) (*os.File, unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := s.root.open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if errors.Is(err, unix.ENXIO) { // a socket, which cannot be opened
		if _, err := s.stat(name); err != nil {
			return nil, st, err
		}
	}
	if err != nil {
		return nil, st, absent(err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err = unix.Fstat(fd, &st); err == nil {
		err = notFile(st.Mode)
	}
	if err != nil {
		f.Close()
		return nil, st, err
	}
	return f, st, nil
}

// absent makes ENOENT of what the operating system says of a name below a file.
func absent(err error) error {
	if errors.Is(err, unix.ENOTDIR) {
		return unix.ENOENT
	}
	return err
}

func info(name string, st *unix.Stat_t) blob.Info {
	return blob.Info{Name: name, Size: st.Size, Time: time.Unix(st.Mtim.Unix())}
}

// stat describes the file of a blob. The error is ENOENT where there is none.
func (s *Store) stat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := s.root.open(name, unix.O_PATH)
	if err != nil {
		return st, absent(err)
	}
	defer unix.Close(fd) //nolint:errcheck // it was only looked at
	if err := unix.Fstat(fd, &st); err != nil {
		return st, err
	}
	return st, notFile(st.Mode)
}

// lookTwice calls look, and once more where it found no blob of the name, with
// the directories on the way made current: a network file system may remember
// for a minute that there was none. The error is blob.ErrNotExist then, as it is
// where the name is that of a directory.
func (s *Store) lookTwice(name string, look func() error) error {
	err := look()
	if errors.Is(err, unix.ENOENT) {
		dir, _ := split(name)
		if err := s.refresh(dir); err != nil {
			return err
		}
		err = look()
	}
	if errors.Is(err, unix.ENOENT) || fault.Is(err, fault.Conflict) {
		return blob.ErrNotExist
	}
	return err
}

// refresh has the storage asked for the state of a directory and of those on the
// way to it, as far as there are any.
func (s *Store) refresh(dir string) error {
	if dir != "" {
		if err := s.refresh(parentOf(dir)); err != nil {
			return err
		}
	}
	fd, err := s.root.open(orDot(dir), dirOnly)
	if err != nil {
		if errors.Is(absent(err), unix.ENOENT) {
			return nil
		}
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // it was only looked at
	current(fd)
	return nil
}

// current has the storage asked for the state of an open directory: where that
// changed, what this machine remembers of its names is forgotten.
func current(fd int) {
	var st unix.Statx_t
	_ = unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_FORCE_SYNC, unix.STATX_MTIME|unix.STATX_CTIME, &st) // at worst it is late
}
