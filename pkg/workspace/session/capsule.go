package session

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// archive writes the matching files of dir as a tar archive and counts them.
func (s *Store) archive(ctx context.Context, w io.Writer, dir string, match func(string) bool, meta *Meta) error {
	tw := tar.NewWriter(w)
	meta.Files, meta.Bytes = 0, 0
	err := tree.Collect(ctx, dir, s.opt.Limits, match, func(f tree.File) error {
		meta.Files++
		meta.Bytes += int64(len(f.Content))
		head := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.Path, Size: int64(len(f.Content)),
			Mode: int64(f.Perm), ModTime: f.ModTime, Format: tar.FormatPAX,
		}
		if err := tw.WriteHeader(head); err != nil {
			return fmt.Errorf("%s: %w", tree.Escape(f.Path), err)
		}
		_, err := tw.Write(f.Content)
		return err
	})
	return errors.Join(err, tw.Close())
}

// unpack writes an archive's files below dir. A name that is not a plain
// relative path, anything but regular files and directories, a name that comes
// twice, and what passes the caps is refused, and then dir is removed.
func unpack(ctx context.Context, r io.Reader, dir string, limits tree.Limits) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		return fault.New(fault.Conflict, dir+" is not empty", "a session is restored into a directory of its own")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	u := unpacker{root: root, limits: limits}
	for tr := tar.NewReader(r); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		head, err := tr.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, r) // the seal's last byte is checked too
			return err
		}
		if err != nil {
			return fmt.Errorf("read the capsule: %w", err)
		}
		if err := u.entry(head, tr); err != nil {
			return err
		}
	}
}

type unpacker struct {
	root   *os.Root
	limits tree.Limits
	names  int
	bytes  int64
}

func (u *unpacker) entry(head *tar.Header, r io.Reader) error {
	u.names++
	u.bytes += max(head.Size, 0)
	if u.names > u.limits.Files || u.bytes > u.limits.TotalBytes || head.Size > u.limits.FileBytes {
		return fault.New(fault.Invalid, "the capsule is too large", "")
	}
	name := head.Name
	if head.Typeflag == tar.TypeDir {
		name = path.Clean(name)
	}
	if name == "." || path.Clean(name) != name || !filepath.IsLocal(name) {
		return fault.New(fault.Denied, "the capsule has a path that is not plain: "+tree.Escape(head.Name), "")
	}
	switch head.Typeflag {
	case tar.TypeDir:
		return u.root.MkdirAll(name, 0o755)
	case tar.TypeReg:
		return u.file(name, head, r)
	default:
		return fault.New(fault.Denied, "the capsule has something that is not a file: "+tree.Escape(head.Name), "")
	}
}

func (u *unpacker) file(name string, head *tar.Header, r io.Reader) error {
	if dir := path.Dir(name); dir != "." {
		if err := u.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	perm := head.FileInfo().Mode().Perm() | 0o600
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err := errors.Join(err, f.Chmod(perm), f.Close()); err != nil {
		return err
	}
	return u.root.Chtimes(name, head.ModTime, head.ModTime)
}
