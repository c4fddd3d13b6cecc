package attach

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// MaxListed is how many names of a directory List looks at.
const MaxListed = 10_000

// List returns the names in a directory of this machine that a message can go on with:
// regular files, and directories, which end with a slash; in order. The directory is
// absolute or in the home, ~/, and ends with a slash, too; links are not followed. It
// reads the disk, so that it belongs into a command.
func List(dir, home string) ([]string, error) {
	path, err := resolve(dir, home)
	if err != nil {
		return nil, err
	}
	fd, err := openat(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	entries, err := f.ReadDir(MaxListed)
	if err != nil && len(entries) == 0 {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		switch {
		case e.IsDir():
			names = append(names, e.Name()+"/")
		case e.Type().IsRegular():
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// openat opens a path that no link is on.
func openat(path string, flags uint64) (int, error) {
	how := unix.OpenHow{Flags: flags | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	for {
		fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
}
