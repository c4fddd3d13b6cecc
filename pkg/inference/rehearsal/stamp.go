package rehearsal

import "golang.org/x/sys/unix"

// stampOf looks at the file through any symbolic link, so that a link that is
// turned to another cassette counts as a change.
func stampOf(path string) (stamp, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return stamp{}, err
	}
	return stamp{
		size: st.Size, ino: st.Ino, dev: uint64(st.Dev), //nolint:unconvert // its width differs between platforms
		mod: [2]int64{int64(st.Mtim.Sec), int64(st.Mtim.Nsec)}, //nolint:unconvert // likewise
		chg: [2]int64{int64(st.Ctim.Sec), int64(st.Ctim.Nsec)}, //nolint:unconvert // likewise
	}, nil
}

// stamp tells one version of a file from another. The change time is in it
// because the modification time can be set.
type stamp struct {
	size     int64
	ino, dev uint64
	mod, chg [2]int64 // seconds, nanoseconds
}
