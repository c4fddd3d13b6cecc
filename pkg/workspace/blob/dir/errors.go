package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// unavailable is a failure of the storage that may pass.
func unavailable(msg, hint string) *fault.Error {
	return &fault.Error{Kind: fault.Failed, Msg: msg, Err: blob.ErrUnavailable, Hint: hint}
}

// errLink is what the operating system means by too many levels of links.
var errLink = errors.New("a symbolic link is in the way, and none is followed")

func errClosed() error { return fault.New(fault.Internal, "the store is closed", "") }

// explain says what was being done, to which blob of which directory, and why
// it failed. It returns nil for nil.
func (s *Store) explain(op, name string, err error) error {
	if err == nil {
		return nil
	}
	what := op + " " + s.root.path
	if name != "" {
		what = op + " " + name + " in " + s.root.path
	}
	return explain(what, s.root.path, err)
}

// explain classifies what failed in the directory dir: what the operating system
// said, an error of package blob, or one that is classified already.
func explain(what, dir string, err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return &fault.Error{Kind: known.Kind, Msg: what, Err: err}
	}
	kind, hint, as := classify(dir, err)
	if as != nil {
		err = fmt.Errorf("%w: %w", as, err)
	}
	return &fault.Error{Kind: kind, Msg: what, Err: err, Hint: hint}
}

// classify returns the kind of an error, what to do, and the error of package
// blob that it is, if any.
func classify(dir string, err error) (kind fault.Kind, hint string, as error) {
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case is(blob.ErrNotExist):
		return fault.NotFound, "", nil
	case is(blob.ErrExist):
		return fault.Conflict, "", nil
	case is(context.Canceled):
		return fault.Interrupted, "", nil
	case is(context.DeadlineExceeded):
		return fault.Timeout, "", nil
	case is(unix.ENOSPC):
		return fault.Failed, "make room on the disk of " + dir, blob.ErrUnavailable
	case is(unix.EDQUOT):
		return fault.Failed, "your quota on the disk of " + dir + " is used up: make room there", blob.ErrUnavailable
	case is(unix.EROFS):
		return fault.Denied, "the disk of " + dir + " may only be read: mount it so that it may be written", blob.ErrDenied
	case is(unix.EACCES, unix.EPERM):
		return fault.Denied, "see with ls -ld who owns " + dir + " and what is in it: it must be yours to read and to write", blob.ErrDenied
	case is(unix.ELOOP):
		return fault.Denied, "see who put a symbolic link below " + dir + "; Vexa makes none", errLink
	case is(unix.ENOTDIR):
		return fault.Invalid, "see what is below " + dir + " that Vexa did not make", nil
	case is(unix.EXDEV):
		return fault.Invalid, "all of " + dir + " must lie on one file system", nil
	case is(unix.EIO, unix.ESTALE, unix.ENOTCONN, unix.ETIMEDOUT, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENETUNREACH,
		unix.ENETDOWN, unix.ECONNREFUSED, unix.ECONNRESET, unix.ECONNABORTED, unix.EPIPE, unix.ENODEV, unix.ENXIO, unix.EREMOTEIO, unix.ESHUTDOWN):
		return fault.Failed, "see that the disk or share of " + dir + " is mounted and connected", blob.ErrUnavailable
	default:
		return fault.Internal, "", nil
	}
}

// notFile says that something else than a file lies at a blob's name, nil where
// it is a file.
func notFile(mode uint32) error {
	what := "something that is no file"
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFDIR:
		return fault.New(fault.Conflict, "a directory with other blobs has this name", "")
	case unix.S_IFLNK:
		what = "a symbolic link"
	case unix.S_IFIFO:
		what = "a named pipe"
	case unix.S_IFSOCK:
		what = "a socket"
	case unix.S_IFCHR, unix.S_IFBLK:
		what = "a device"
	}
	return fault.New(fault.Denied, what+" has this name", "see who put it there; Vexa makes only files")
}
