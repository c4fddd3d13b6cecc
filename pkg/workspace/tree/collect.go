package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// File is one regular file that Collect found. Its content is all there.
type File struct {
	Path    string // relative, slash-separated
	Perm    uint32 // permission bits
	ModTime time.Time
	Content []byte
}

// Collect calls fn with the regular files below dir whose path match answers
// yes for, in order, those with several names last. Everything else is passed
// over: links, FIFOs, sockets, devices, other file systems, files that have a
// name outside dir, what may not be read. It opens as Walk does, and a file that
// keeps changing, or a cap that is passed, is fault.Invalid.
func Collect(ctx context.Context, dir string, limits Limits, match func(path string) bool, fn func(File) error) error {
	root, err := openRoot(dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	defer unix.Close(root) //nolint:errcheck // it was only read
	c := &collector{ctx: ctx, limits: limits.withDefaults(), match: match, fn: fn}
	if err := c.dir(root, "", 0); err != nil {
		return err
	}
	for _, l := range c.linked {
		if names := c.names[l.inode]; names == l.names {
			if err := c.take(root, l.path, l.path, names); err != nil {
				return err
			}
		}
	}
	return nil
}

type collector struct {
	ctx    context.Context //nolint:containedctx // a collector lives for one call of Collect
	limits Limits
	match  func(string) bool
	fn     func(File) error
	seen   int
	bytes  int64
	names  map[inode]uint64 // how many names of a file with several were found
	linked []linkedFile     // those of them that are wanted
}

// linkedFile is one name of a file that has several.
type linkedFile struct {
	path  string
	inode inode
	names uint64
}

func (c *collector) dir(fd int, prefix string, depth int) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if depth > c.limits.Depth {
		return fault.Newf(fault.Invalid, "%s is more than %d directories deep", Escape(prefix), c.limits.Depth)
	}
	var list []string
	err := names(fd, func(batch []string) bool {
		c.seen += len(batch)
		list = append(list, batch...)
		return c.seen <= c.limits.Files
	})
	if err != nil {
		return err
	}
	if c.seen > c.limits.Files {
		return fault.Newf(fault.Invalid, "there are more than %d names", c.limits.Files)
	}
	slices.Sort(list)
	for _, name := range list {
		if err := c.name(fd, prefix, name, depth); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) name(fd int, prefix, name string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil
	}
	path := prefix + name
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		sub, err := openDir(fd, name)
		if err != nil {
			return nil
		}
		defer unix.Close(sub) //nolint:errcheck // it was only read
		return c.dir(sub, path+"/", depth+1)
	case unix.S_IFREG:
		if st.Nlink > 1 {
			if c.names == nil {
				c.names = make(map[inode]uint64)
			}
			c.names[inode{st.Dev, st.Ino}]++
		}
		if len(path) > git.MaxPath || !c.match(path) {
			return nil
		}
		if names := uint64(st.Nlink); names > 1 { //nolint:unconvert // its width depends on the platform
			c.linked = append(c.linked, linkedFile{path, inode{st.Dev, st.Ino}, names})
			return nil
		}
		return c.take(fd, name, path, 1)
	default:
		return nil
	}
}

// take reads a file, which may have so many names, and hands it out.
func (c *collector) take(dir int, name, path string, names uint64) error {
	for range tries {
		f, err := c.read(dir, name, names)
		switch {
		case errors.Is(err, object.ErrMoved):
			continue
		case err != nil:
			return err
		case f == nil:
			return nil
		}
		f.Path = path
		return c.fn(*f)
	}
	return fault.Newf(fault.Invalid, "%s changed while it was read", Escape(path))
}

// read opens a file once and takes everything from that descriptor; nil where
// there is no readable regular file any more, or one with more names.
func (c *collector) read(dir int, name string, names uint64) (*File, error) {
	fd, err := openFile(dir, name)
	if err != nil {
		return nil, nil
	}
	defer unix.Close(fd) //nolint:errcheck // it was only read
	var before, after unix.Stat_t
	if err := unix.Fstat(fd, &before); err != nil || before.Mode&unix.S_IFMT != unix.S_IFREG ||
		uint64(before.Nlink) > names { //nolint:unconvert // its width depends on the platform
		return nil, err
	}
	if before.Size > c.limits.FileBytes || c.bytes+before.Size > c.limits.TotalBytes {
		return nil, fault.Newf(fault.Invalid, "there are more than %s bytes",
			strconv.FormatInt(min(c.limits.FileBytes, c.limits.TotalBytes), 10))
	}
	content, err := io.ReadAll(io.LimitReader(file(fd), before.Size+1))
	if err != nil {
		return nil, err
	}
	if err := unix.Fstat(fd, &after); err != nil {
		return nil, err
	}
	if StatOf(&before) != StatOf(&after) || int64(len(content)) != before.Size {
		return nil, object.ErrMoved
	}
	c.bytes += before.Size
	return &File{Perm: before.Mode & 0o777, ModTime: time.Unix(before.Mtim.Unix()), Content: content}, nil
}
