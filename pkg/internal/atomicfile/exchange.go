package atomicfile

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Exchange swaps two paths of one file system, directories too, at one instant. It is
// errors.ErrUnsupported where the file system cannot.
func Exchange(one, two string) error {
	err := unix.Renameat2(unix.AT_FDCWD, one, unix.AT_FDCWD, two, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		return errors.ErrUnsupported
	}
	return err
}
