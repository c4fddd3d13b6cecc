package image_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/runtime/image"
)

// cacheOf is a cache over a program of this test's, and what changes that.
func cacheOf(t *testing.T, later time.Duration) (c *image.Cache, source image.Source, change func(extra string)) {
	t.Helper()
	self, err := os.Executable() // static, as a busybox must be
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "busybox")
	stamp := time.Unix(1_700_000_000, 0)
	change = func(extra string) {
		// In place, of the same size and time, as somebody would who hides it.
		if err := os.WriteFile(path, append(bytes.Clone(data), extra...), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	change("one")
	source = image.Source{Busybox: path}
	return image.NewCache(source, func() time.Time { return time.Now().Add(later) }), source, change
}

func TestCacheKnowsAnImage(t *testing.T) { // alone: it counts allocations
	c, source, _ := cacheOf(t, time.Hour)
	for _, name := range []string{image.Prefix + image.Shell, image.Prefix + image.Empty} {
		want, err := source.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			got, err := c.Lookup(name)
			if err != nil || got.Ref != want.Ref {
				t.Fatalf("%s is %q, want %q; %v", name, got.Ref, want.Ref, err)
			}
			tar, err := got.Open()
			if err != nil {
				t.Fatal(err)
			}
			if data, err := io.ReadAll(tar); err != nil || len(data) < 10_000 {
				t.Errorf("%d bytes, %v", len(data), err)
			}
		}
	}
	if n := testing.AllocsPerRun(20, func() { _, _ = c.Lookup(image.Prefix + image.Shell) }); n > 20 {
		t.Errorf("a known image takes %v allocations: it is made each time", n)
	}
	if got, err := c.Lookup("example.com/x:1"); err != nil || got.Ref != "example.com/x:1" || got.Open != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.Lookup(image.Prefix + "other"); err == nil {
		t.Error("an image that is not built in was found")
	}
}

func TestCacheSeesAChange(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]time.Duration{"of an old file": time.Hour, "just now": 0} {
		c, source, change := cacheOf(t, later)
		first, err := c.Lookup(image.Prefix + image.Shell)
		if err != nil {
			t.Fatal(err)
		}
		held, err := c.Lookup(image.Prefix + image.Shell)
		if err != nil {
			t.Fatal(err)
		}
		for before := changed(t, source.Busybox); changed(t, source.Busybox).Equal(before); { // a tick of the file system's clock
			change("two")
		}
		want, err := source.Lookup(image.Prefix + image.Shell)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Lookup(image.Prefix + image.Shell)
		if err != nil || got.Ref != want.Ref || got.Ref == first.Ref {
			t.Errorf("%s: %q, want %q; %v", name, got.Ref, want.Ref, err)
		}
		if later > 0 {
			if _, err := held.Open(); err == nil {
				t.Errorf("%s: the image of before was made of what is there now", name)
			}
		}
	}
}

// changed is the change time of a file.
func changed(t *testing.T, path string) time.Time {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return time.Unix(st.Ctim.Unix())
}
