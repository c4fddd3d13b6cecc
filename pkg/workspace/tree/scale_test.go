package tree_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
	"github.com/vexa-ai/vexa/pkg/workspace/zootest"
)

// counted is a Writer that counts the bytes it is given.
type counted struct {
	memory
	bytes *int64
}

func (c counted) Add(kind object.Kind, data []byte) (object.ID, error) {
	*c.bytes += int64(len(data))
	return c.memory.Add(kind, data)
}

// TestLargeFilesAreNotRead: what is beyond a cap is refused by its size alone.
func TestLargeFilesAreNotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"ok": "ok"})
	for name, size := range map[string]int64{"one": zootest.Sparse, "two": 1 << 42} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	n := int64(0)
	res, err := tree.Walk(ctx, dir, tree.Options{}, counted{memory{}, &n})
	if err != nil {
		t.Fatal(err)
	}
	if got := reasons(res.Rejected); len(got) != 2 || !strings.Contains(got["one"], "larger") || !strings.Contains(got["two"], "larger") {
		t.Errorf("refused %v", got)
	}
	if res.Read != 1 || n > 1000 {
		t.Errorf("it read %d files, and wrote %d bytes", res.Read, n)
	}
}

// TestBytesInAll: many files that are not large each are taken up to the cap,
// and those beyond it are named.
func TestBytesInAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const files, each, fit = 12, 1 << 20, 8
	for i := range files {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("f%02d", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Truncate(each), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	res, _ := walk(t, dir, tree.Options{Limits: tree.Limits{TotalBytes: fit * each}})
	if len(res.Index.Root.Children) != fit || len(res.Rejected) != files-fit {
		t.Fatalf("took %d, refused %v", len(res.Index.Root.Children), res.Rejected)
	}
	if r := res.Rejected[0]; r.Path != "f08" || !strings.Contains(r.Reason, "the workspace is larger than 8388608 bytes") {
		t.Errorf("refused %+v", r)
	}
}

// TestNamesInAll makes more names than a workspace may have: so many are taken,
// and where the rest begin is said. What was committed before stays.
func TestNamesInAll(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/dev/shm", "vexa-test-*") // where checkouts are
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	limits := tree.Limits{Files: 2500}
	n := 3500
	if scale(1, 0) == 1 {
		limits, n = tree.Limits{}, 253_000 // the default: 250,000
	}
	if err := zootest.Many(dir, n); err != nil {
		t.Fatal(err)
	}
	res, _ := walk(t, dir, tree.Options{Limits: limits})
	got := 0
	if err := res.Index.Files(func(string, *tree.Entry) error { got++; return nil }); err != nil {
		t.Fatal(err)
	}
	most := limits.Files
	if most == 0 {
		most = 250_000
	}
	if got > most || got < most-most/100-10 {
		t.Errorf("took %d names of %d; the cap is %d", got, n, most)
	}
	if len(res.Rejected) == 0 || len(res.Rejected) > 5 {
		t.Fatalf("refused %d: %.200v", len(res.Rejected), res.Rejected)
	}
	for _, r := range res.Rejected {
		if !strings.Contains(r.Reason, fmt.Sprintf("more than %d names", most)) || !strings.HasPrefix(r.Path, "d") {
			t.Errorf("refused %+v", r)
		}
	}
	again, _ := walk(t, dir, tree.Options{Limits: tree.Limits{Files: 10}, Prev: res.Index})
	if again.Index.Root.ID != res.Index.Root.ID {
		t.Error("a smaller cap took away what was committed")
	}
}
