package gitremote_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// written are the files of a bucket with their sizes, to tell what was written.
type written map[string]string

// files returns what there is now.
func (w *world) files() written {
	w.tb.Helper()
	out := written{}
	must(w.tb, filepath.WalkDir(w.bucket, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			out[path] = fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano())
		}
		return err
	}))
	return out
}

// since returns how many bytes the files have that are new or others than before.
func (f written) since(before written) (total int64) {
	for path, is := range f {
		if before[path] != is {
			var size int64
			_, _ = fmt.Sscan(is, &size)
			total += size
		}
	}
	return total
}

// thin returns the size of the thin pack of the last commit.
func (m *machine) thin(at string) int64 {
	m.tb.Helper()
	cmd := m.command(at, "git", "pack-objects", "-q", "--revs", "--thin", "--stdout", "--delta-base-offset")
	cmd.Stdin = strings.NewReader("HEAD\n^HEAD~1\n")
	var out bytes.Buffer
	cmd.Stdout = &out
	must(m.tb, cmd.Run())
	return int64(out.Len())
}

// overhead is how many bytes a push may store beyond its thin pack.
const overhead = 4 << 10

// TestBytesOfAPush: a push of one line stores its thin pack and little else, each
// of a hundred in a row.
func TestBytesOfAPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a").faulty() // it starts no maintenance
	at := a.init("notes")
	text := strings.Repeat("A line of a note, of the usual length, that nobody has changed.\n", 200)
	a.commit(at, "dir/note.md", text)
	a.git(at, "push", "-q", "-u", "origin", "main")
	var worst, total int64
	before := w.files()
	for i := range 100 {
		text += fmt.Sprintf("Line %d, which is new.\n", i)
		must(t, os.WriteFile(filepath.Join(at, "dir/note.md"), []byte(text), 0o600))
		a.git(at, "commit", "-q", "-a", "-m", fmt.Sprintf("Line %d", i))
		a.git(at, "push", "-q")
		after := w.files()
		over := after.since(before) - a.thin(at)
		before = after
		total += over
		worst = max(worst, over)
		if over > overhead {
			t.Errorf("push %d stored %d bytes beyond its thin pack, want at most %d", i+1, over, overhead)
		}
	}
	t.Logf("beyond the thin pack: %d bytes at worst, %d on average", worst, total/100)
}
