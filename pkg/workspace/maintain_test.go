package workspace_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

func (w *world) packs(t *testing.T, id string) []string {
	t.Helper()
	dir := filepath.Join(w.repo(id), "objects/pack")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".pack") {
			list = append(list, filepath.Join(dir, e.Name()))
		}
	}
	return list
}

// TestPacksStayFew seals many turns while others are sealed and released, and
// loses nothing to the packs being joined.
func TestPacksStayFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "a"})
	const units, turns = 4, 25
	var wg sync.WaitGroup
	for u := range units {
		c := w.checkout(t, fmt.Sprintf("01U%d", u))
		wg.Go(func() {
			for i := range turns {
				write(t, c.Dir(), map[string]string{fmt.Sprintf("u%d-%d", u, i): strings.Repeat(fmt.Sprint(i), 100)})
				if out, err := w.trySeal(c, "x"); err != nil || !out.Merged {
					t.Errorf("%+v, %v", out, err)
				}
				if i%10 == 9 {
					short, err := w.tryCheckout(fmt.Sprintf("01U%dS%d", u, i), unitv1.ReadWrite)
					if err == nil {
						err = w.Release(context.Background(), short, false)
					}
					if err != nil {
						t.Error(err)
					}
				}
			}
			if err := w.Release(context.Background(), c, false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(w.packs(t, info.ID)); n > 60 {
		t.Errorf("%d packs after %d turns", n, units*turns)
	}
	files, err := w.Files(context.Background(), "notes", "")
	if err != nil || len(files) != 1+units*turns {
		t.Errorf("%d files, %v", len(files), err)
	}
	w.fsck(t, info.ID)
}

// TestCutHistoryIsRemoved: what a private ref no longer holds leaves the disk,
// once it is not recent.
func TestCutHistoryIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"a.md": "a"})
	put := func(text string) {
		t.Helper()
		err := w.PutPrivate(ctx, "notes", "sessions/u/s", 3, []workspace.PrivateFile{{Name: "f", Write: func(out io.Writer) error {
			_, err := io.WriteString(out, text)
			return err
		}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 { // the fourth starts a new history
		put(fmt.Sprintf("capsule %d", i))
	}
	old := time.Now().Add(-24 * time.Hour)
	for _, p := range w.packs(t, info.ID) {
		if err := os.Chtimes(p, old, old); err != nil {
			t.Fatal(err)
		}
	}
	c := w.checkout(t, "01X")
	write(t, c.Dir(), map[string]string{"b.md": "b"})
	w.seal(t, c, "x")
	if err := w.Release(ctx, c, false); err != nil {
		t.Fatal(err)
	}
	w.fsck(t, info.ID)
	all := plainGit(t, "/", "--git-dir="+w.repo(info.ID), "cat-file", "--batch-all-objects", "--batch")
	if strings.Contains(all, "capsule 0") || strings.Contains(all, "capsule 2") || !strings.Contains(all, "capsule 3") {
		t.Error("the wrong capsules are there")
	}
	var got string
	err := w.ReadPrivate(ctx, "notes", "sessions/u/s", "f", func(r io.Reader) error {
		data, err := io.ReadAll(r)
		got = string(data)
		return err
	})
	if err != nil || got != "capsule 3" {
		t.Errorf("%q, %v", got, err)
	}
	if data := w.read(t, "b.md"); data != "b" {
		t.Errorf("main has %q", data)
	}
}

// TestThoroughSealSeesMappedWrites is why a thorough seal exists: on tmpfs a write through a
// mapping that was read before leaves no trace in the file's stat.
func TestThoroughSealSeesMappedWrites(t *testing.T) {
	t.Parallel()
	shm, err := os.MkdirTemp("/dev/shm", "vexa-test-*")
	if err != nil {
		require.Missing(t, "shm", err.Error())
	}
	t.Cleanup(func() { _ = os.RemoveAll(shm) })
	w := newWorld(t)
	w.tmp = shm
	w.create(t, "notes", map[string]string{"data": strings.Repeat("a", 8192)})
	c := w.checkout(t, "01MAP")
	mapped(t, filepath.Join(c.Dir(), "data"), "hello")
	out, err := w.Seal(context.Background(), workspace.SealRequest{Checkout: c, Author: jane, Unit: "01MAP", Thorough: true})
	if err != nil || out.Files != 1 || !strings.HasPrefix(w.read(t, "data"), "hello") {
		t.Errorf("%+v, %v", out, err)
	}
}

// mapped changes the start of a file through a shared mapping.
func mapped(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	if m[0] != 'a' { // this read maps the page, writable
		t.Fatal("not the file")
	}
	copy(m, text)
	if err := unix.Munmap(m); err != nil {
		t.Fatal(err)
	}
}
