package dir

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// List implements blob.Store. It holds the names of one directory in memory for
// each level of the tree, and looks at a file when its turn comes. Files whose
// names are not those of blobs are passed over, and so is what is no file.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blob.Info) error) error {
	l := &listing{s: s, prefix: prefix, after: after, fn: fn, ended: ctx.Err}
	err := s.do(ctx, "list", "", func() error {
		dir, _ := split(prefix)
		if dir != "" && blob.CheckName(dir) != nil {
			return nil //nolint:nilerr // nothing is named so
		}
		if err := s.refresh(parentOf(dir)); err != nil {
			return err
		}
		return l.walk(dir)
	})
	if l.stopped != nil {
		return l.stopped
	}
	return err
}

// listing is one List.
type listing struct {
	s             *Store
	prefix, after string
	fn            func(blob.Info) error
	ended         func() error
	stopped       error // what fn returned
}

// walk lists what is below a directory, in the order of whole names: there a
// directory counts as its name and a slash.
func (l *listing) walk(dir string) error {
	fd, err := l.s.root.open(orDot(dir), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		if errors.Is(absent(err), unix.ENOENT) {
			return nil
		}
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // it was only read
	current(fd)
	above := dir
	if dir != "" {
		above += "/"
	}
	names, err := l.entries(fd, above)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := l.ended(); err != nil {
			return err
		}
		if below, isDir := strings.CutSuffix(name, "/"); isDir {
			err = l.walk(above + below)
		} else {
			err = l.file(fd, above, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// file calls fn with the file name of an open directory.
func (l *listing) file(fd int, above, name string) error {
	var st unix.Stat_t
	err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil // removed or exchanged meanwhile
	}
	if err != nil {
		return err
	}
	l.stopped = l.fn(info(above+name, &st))
	return l.stopped
}

// entries are the names in an open directory that the listing comes to, sorted:
// those of files, and those of directories with a slash.
func (l *listing) entries(fd int, above string) ([]string, error) {
	var names []string
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, err
		case n == 0:
			slices.Sort(names)
			return names, nil
		}
		for rest := buf[:n]; len(rest) > 0; {
			var name string
			var kind byte
			name, kind, rest = entry(rest)
			if kind == unix.DT_UNKNOWN {
				kind = kindOf(fd, name)
			}
			switch {
			case blob.CheckName(above+name) != nil:
			case kind == unix.DT_REG && l.wants(above+name):
				names = append(names, name)
			case kind == unix.DT_DIR && l.enters(above+name+"/"):
				names = append(names, name+"/")
			}
		}
	}
}

// wants reports whether a blob is listed.
func (l *listing) wants(name string) bool {
	return strings.HasPrefix(name, l.prefix) && name > l.after
}

// enters reports whether names that begin with dir may be listed.
func (l *listing) enters(dir string) bool {
	return (strings.HasPrefix(dir, l.prefix) || strings.HasPrefix(l.prefix, dir)) && (dir > l.after || strings.HasPrefix(l.after, dir))
}

// entry takes one entry off what the kernel wrote of a directory.
func entry(data []byte) (name string, kind byte, rest []byte) {
	// struct linux_dirent64: inode and offset of 8 bytes, length of 2, kind, name.
	const length, kindAt, nameAt = 16, 18, 19
	size := binary.NativeEndian.Uint16(data[length:])
	text, _, _ := bytes.Cut(data[nameAt:size], []byte{0})
	return string(text), data[kindAt], data[size:]
}

// kindOf looks at what the directory does not say the kind of.
func kindOf(fd int, name string) byte {
	var st unix.Stat_t
	if unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return unix.DT_UNKNOWN
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return unix.DT_REG
	case unix.S_IFDIR:
		return unix.DT_DIR
	default:
		return unix.DT_UNKNOWN
	}
}
