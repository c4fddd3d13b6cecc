package dir

import (
	"os"

	"golang.org/x/sys/unix"
)

// SetOrdered says whether the file system is taken for one that keeps order.
func SetOrdered(s *Store, ordered bool) { s.ordered = ordered }

// Ordered reports whether the file system was found to be one that keeps order.
func Ordered(s *Store) bool { return s.ordered }

// SetNoLinks makes link(2) fail as where there are no hard links.
func SetNoLinks(s *Store) { SetLink(s, unix.EPERM) }

// SetLink makes link(2) fail, until restore is called.
func SetLink(s *Store, err error) (restore func()) {
	link := s.sys.link
	s.sys.link = func(int, string, int, string) error { return err }
	return func() { s.sys.link = link }
}

// SetRename makes the rename fail that keeps what is there.
func SetRename(s *Store, err error) {
	s.sys.rename = func(int, string, int, string) error { return err }
}

// SetFlush puts fn, which is given the real one, in the place of fsync(2).
func SetFlush(s *Store, fn func(f *os.File, flush func() error) error) {
	s.sys.flush = func(f *os.File) error { return fn(f, f.Sync) }
}

// SetStep has fn called between every two system calls that change something.
func SetStep(s *Store, fn func()) { s.sys.step = fn }

// SetOverwriting makes link(2) and the rename overwrite what is there.
func SetOverwriting(s *Store) {
	s.sys.link, s.sys.rename = unix.Renameat, unix.Renameat
}

// SetLinkTwice makes link(2) be asked twice, as after an answer that was lost.
func SetLinkTwice(s *Store) {
	link := s.sys.link
	s.sys.link = func(olddir int, oldname string, newdir int, newname string) error {
		if err := link(olddir, oldname, newdir, newname); err != nil {
			return err
		}
		return link(olddir, oldname, newdir, newname)
	}
}
