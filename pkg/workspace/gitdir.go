package workspace

import (
	"crypto/sha1" //nolint:gosec // the trailer of git's index format
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// disposableConfig suits a container whose user and devices are not the host's.
const disposableConfig = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = false
	logAllRefUpdates = true
	checkStat = minimal
	trustctime = false
[user]
	name = agent
	email = agent@localhost
[gc]
	auto = 0
`

// writeGitDir makes the .git that the container's git works with: HEAD on main,
// objects read from the history mount, an index that matches the files. The
// host never reads it again.
func writeGitDir(c *Checkout, when time.Time) error {
	dir := c.gitDir()
	for _, d := range []string{"", "objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags", "info"} {
		path := filepath.Join(dir, d)
		if err := errors.Join(os.Mkdir(path, 0o755), os.Chmod(path, 0o755)); err != nil { //nolint:gosec // the container's user reads it
			return err
		}
	}
	for name, data := range map[string]string{
		"HEAD":                    "ref: " + refMain + "\n",
		"config":                  disposableConfig,
		"description":             "A disposable clone: what is committed here is not kept, what is in the files is.\n",
		"info/attributes":         attributes,
		"objects/info/alternates": HistoryMount(c.note.Workspace) + "\n",
		refMain:                   c.note.Base + "\n",
		"index":                   string(gitIndex(c.index, when)),
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(data), 0o644), os.Chmod(path, 0o644)); err != nil { //nolint:gosec // likewise
			return err
		}
	}
	return nil
}

// gitIndex is a version 2 index of the files, all of them modified at when.
// With core.checkStat=minimal git compares nothing else but size and mode.
func gitIndex(x *tree.Index, when time.Time) []byte {
	type item struct {
		path string
		e    *tree.Entry
	}
	var items []item
	_ = x.Files(func(path string, e *tree.Entry) error {
		items = append(items, item{path, e})
		return nil
	})
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.path, b.path) })
	buf := make([]byte, 12, 64+len(items)*112)
	copy(buf, "DIRC\x00\x00\x00\x02")
	binary.BigEndian.PutUint32(buf[8:], uint32(len(items)))
	sec := uint32(when.Unix())
	for _, it := range items {
		start := len(buf)
		buf = binary.BigEndian.AppendUint32(buf, uint32(it.e.Stat.Ctime/1e9))
		buf = binary.BigEndian.AppendUint32(buf, uint32(it.e.Stat.Ctime%1e9))
		buf = binary.BigEndian.AppendUint32(buf, sec)
		buf = append(buf, make([]byte, 12)...) // nanoseconds, device, inode: not compared
		buf = binary.BigEndian.AppendUint32(buf, it.e.Mode)
		buf = append(buf, make([]byte, 8)...) // owner, group: not compared
		buf = binary.BigEndian.AppendUint32(buf, uint32(it.e.Stat.Size))
		buf = append(buf, it.e.ID[:object.Size]...) //
		buf = binary.BigEndian.AppendUint16(buf, uint16(min(len(it.path), 0xfff)))
		buf = append(buf, it.path...)
		buf = append(buf, make([]byte, 8-(len(buf)-start)%8)...) // 1 to 8 NULs
	}
	sum := sha1.Sum(buf) //nolint:gosec // the trailer of git's index format
	return append(buf, sum[:]...)
}
