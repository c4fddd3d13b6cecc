package tree

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// refused says that a package holds what no image may have.
func refused(owner string, err error) error {
	return &fault.Error{Kind: fault.Denied, Msg: "refused what " + owner + " holds", Err: err, Hint: "do not use it: an ordinary package has no such entry"}
}

// Disk classifies an error of writing to a disk that is full as fault.Failed
// with a hint; any other is returned as it is.
func Disk(err error, dir string) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return &fault.Error{Kind: fault.Failed, Msg: "the disk of " + dir + " is full", Err: err, Hint: "make free space on it, and try again: what was downloaded is kept"}
	}
	return err
}
