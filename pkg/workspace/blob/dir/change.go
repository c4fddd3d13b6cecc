package dir

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Replace implements blob.Store. What is replaced is whole even after a power
// loss; which of two it is, is not certain then.
func (s *Store) Replace(ctx context.Context, name string, data []byte) error {
	return s.on(ctx, "replace", name, func() error {
		t, err := s.newTemp()
		if err != nil {
			return err
		}
		defer t.drop()
		if err := s.write(t, data); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		s.sys.step()
		dir, base := split(name)
		err = s.inParent(dir, func(fd int) error { return unix.Renameat(t.dir, t.name, fd, base) })
		switch {
		case err == nil:
			s.sys.step()
			t.close()
			return nil
		case errors.Is(err, unix.EISDIR), errors.Is(err, unix.EEXIST), errors.Is(err, unix.ENOTEMPTY):
			return notFile(unix.S_IFDIR)
		default:
			return err
		}
	})
}

// Remove implements blob.Store. It need not be durable: what comes back after a
// power loss can be removed again.
func (s *Store) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := blob.CheckName(name); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := s.on(ctx, "remove", name, func() error { return s.remove(name) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) remove(name string) error {
	s.dropWaiting(func(as string) bool { return as == name })
	dir, base := split(name)
	fd, err := s.root.open(orDot(dir), dirOnly)
	if err == nil {
		err = unix.Unlinkat(fd, base, 0)
		unix.Close(fd) //nolint:errcheck // it was only looked at
		s.sys.step()
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EISDIR) {
		return nil
	}
	return err
}
