package dir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// keepsOrder reports whether a name that survives a power loss implies that
// every name given before it on this file system survives, too. A journal of
// all changes in their order implies it: XFS has one, and ext4 unless it was
// made without. Btrfs flushes one directory without another, network file
// systems know more than can be seen from here, and of the rest nothing is
// known. Where in doubt the answer is no, and costs a flush.
func keepsOrder(fd int) bool {
	var kind unix.Statfs_t
	var st unix.Stat_t
	if unix.Fstatfs(fd, &kind) != nil || unix.Fstat(fd, &st) != nil {
		return false
	}
	switch kind.Type {
	case unix.XFS_SUPER_MAGIC:
		return true
	case unix.EXT4_SUPER_MAGIC:
		return hasJournal(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
	default:
		return false
	}
}

// hasJournal asks the kernel which task writes the journal of the ext4 on a
// device.
func hasJournal(device string) bool {
	at, err := os.Readlink(device)
	if err != nil {
		return false
	}
	task, err := os.ReadFile(filepath.Join("/sys/fs/ext4", filepath.Base(at), "journal_task"))
	said := strings.TrimSpace(string(task))
	return err == nil && said != "" && said != "<none>"
}
