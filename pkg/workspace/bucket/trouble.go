package bucket

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// trouble explains what went wrong with the repository itself, which is no
// matter of the bucket: its disk is full, or may not be written.
func (r *Repo) trouble(err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal {
		return err
	}
	_, path := errors.AsType[*fs.PathError](err)
	_, link := errors.AsType[*os.LinkError](err)
	said := ""
	if e, ok := errors.AsType[*git.Error](err); ok {
		said = e.Stderr
	} else if !path && !link {
		return err
	}
	is := func(words string, errs ...error) bool {
		for _, e := range errs {
			if errors.Is(err, e) {
				return true
			}
		}
		return strings.Contains(said, words)
	}
	out := &fault.Error{Msg: "write to the repository " + r.Dir(), Err: err}
	switch {
	case is("No space left on device", unix.ENOSPC), is("Disk quota exceeded", unix.EDQUOT):
		out.Kind, out.Hint = fault.Failed, "make free space on its disk, and try again"
	case is("Read-only file system", unix.EROFS):
		out.Kind, out.Hint = fault.Denied, "mount its disk so that it may be written"
	case is("ermission denied", unix.EACCES, unix.EPERM), is("insufficient permission"):
		out.Kind, out.Hint = fault.Denied, "see with ls -ld who owns it and what is in it"
	default:
		return err
	}
	return out
}
