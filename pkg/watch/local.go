package watch

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// remote are the file systems that others may change without this machine's kernel,
// which then tells nobody, by the type that statfs(2) says.
func remote() []int64 {
	return []int64{
		unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC,
		unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC, unix.CODA_SUPER_MAGIC, unix.NCP_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC,
		0x01161970, // GFS2
		0x0bd00bd0, // Lustre
		0x786f4256, // VirtualBox's shared folders
	}
}

// Local reports whether whatever changes below a directory is told to a Watcher. It
// is not where the file system is, or may be, that of a network: there it is told
// what this machine changes, and no more.
func Local(dir string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false, fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	return !slices.Contains(remote(), int64(st.Type)&0xffffffff), nil //nolint:unconvert // it is an int32 on some machines
}

func isNoDir(err error) bool { return errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) }
