package runtime

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// What a measurement takes at most, so that no tree makes it a long one.
const (
	// maxDepth is how deep a measured tree may be. Each level holds one descriptor
	// while it is read.
	maxDepth = 128

	// perName is what a name is charged beside its blocks: an empty file on a tmpfs
	// takes about that much memory.
	perName = 1 << 10
)

var errTooDeep = errors.New("a directory is too deep")

// usage is what a workload takes of the file system of its writable mounts.
type usage struct {
	charged int64 // bytes of blocks, and perName for each file and directory
	blocks  int64 // bytes of blocks alone
	names   int64 // files and directories, those without a name included
	// blind is set where it holds files whose size cannot be told from outside:
	// descriptors on their way through a socket, or a mapping of a removed file
	// that nobody has open any more.
	blind bool
}

// quota is up to where a workload is measured; beyond it is too much.
type quota struct{ charged, names int64 }

// noQuota allows all.
func noQuota() quota { return quota{charged: math.MaxInt64, names: math.MaxInt64} }

// quota of a workload with these facts.
func (k *Kernel) quota(f facts) quota {
	if f.disk == 0 {
		return noQuota()
	}
	return quota{charged: f.base + f.disk, names: f.names + int64(k.opt.DiskNames)}
}

// over says in which way u is too much; empty: it is not.
func (q quota) over(u usage) string {
	switch {
	case u.charged > q.charged:
		return "its writable mounts grew beyond limits.diskMb"
	case u.names > q.names:
		return "its writable mounts hold too many files"
	default:
		return ""
	}
}

// measure returns what the writable mounts of a workload take: with one walk
// that never follows a link out of them, and with a look at the files that pids
// hold though they were removed. It stops early once the result is beyond q.
//
// Who moves or passes on a file faster than it is looked for is not caught by
// it; the low-water mark of the file system is what holds then.
func (k *Kernel) measure(f facts, pids []int, q quota) (usage, error) {
	m := meter{quota: q}
	h := newHolds()
	for _, rel := range f.writable {
		fd, err := unix.Open(filepath.Join(k.layout.realRoot, f.unit, rel), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			continue // the unit's directory is being taken away
		}
		if err != nil {
			return usage{}, err
		}
		dir := os.NewFile(uintptr(fd), rel)
		if err := h.watch(dir); err != nil {
			return usage{}, errors.Join(err, dir.Close())
		}
		if err := m.walk(dir, 0); err != nil {
			return usage{}, err
		}
	}
	for _, pid := range pids {
		if q.over(m.usage) != "" {
			break
		}
		if err := h.process(pid); err != nil {
			return usage{}, err
		}
	}
	h.addTo(&m.usage)
	return m.usage, nil
}

type meter struct {
	usage
	quota quota
}

// walk adds what lies in dir, and closes it.
func (m *meter) walk(dir *os.File, depth int) error {
	defer dir.Close()
	if depth > maxDepth {
		return errTooDeep
	}
	fd := int(dir.Fd())
	for m.quota.over(m.usage) == "" {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			if err := m.entry(fd, name, depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *meter) entry(dir int, name string, depth int) error {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil // the agent is at work
	}
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		m.add(st.Blocks * 512 / int64(max(st.Nlink, 1)))
		return nil
	}
	m.add(0)
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: "a directory", Err: err}
	}
	return m.walk(os.NewFile(uintptr(fd), "dir"), depth+1)
}

// add charges one file of so many bytes.
func (u *usage) add(blocks int64) {
	u.names++
	u.blocks += blocks
	u.charged += blocks + perName
}
