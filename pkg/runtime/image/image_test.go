package image_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/runtime/image"
)

func read(t *testing.T, open func() (io.ReadCloser, error)) []byte {
	t.Helper()
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

func entries(t *testing.T, data []byte) map[string]*tar.Header {
	t.Helper()
	out := map[string]*tar.Header{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if out[h.Name] != nil {
			t.Errorf("%s stands twice", h.Name)
		}
		out[h.Name] = h
	}
}

func TestEmptyHoldsTheMountPointsAlone(t *testing.T) {
	t.Parallel()
	ref, open, err := image.Resolve(image.Empty)
	if err != nil {
		t.Fatal(err)
	}
	if ref != "localhost/vexa/empty:"+emptyDigest {
		t.Errorf("got %s: the image changed; if that is meant, so must the digest here", ref)
	}
	got := entries(t, read(t, open))
	for _, name := range []string{"workspace/", "workspaces/", ".vexa/run/", ".vexa/session/", ".vexa/history/", ".vexa/bin/vexa", "tmp/", "home/agent/", "etc/passwd", "etc/group"} {
		if got[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for name, h := range got {
		if h.Uid != 0 || h.Gid != 0 || h.Mode&0o6000 != 0 || !h.ModTime.IsZero() && h.ModTime.Unix() != 0 {
			t.Errorf("%s: owner %d:%d, mode %o, time %v", name, h.Uid, h.Gid, h.Mode, h.ModTime)
		}
		if h.Typeflag == tar.TypeReg && h.Mode&0o111 != 0 && h.Size > 0 {
			t.Errorf("%s is a program", name)
		}
	}
}

const emptyDigest = "924d088de83a"

func TestImagesAreReproducible(t *testing.T) {
	t.Parallel()
	fake := filepath.Join(t.TempDir(), "busybox")
	if err := os.WriteFile(fake, staticELF(), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{image.Empty, image.Shell} {
		src := image.Source{Busybox: fake}
		ref1, open1, err1 := src.Resolve(name)
		ref2, open2, err2 := src.Resolve(name)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if ref1 != ref2 || !bytes.Equal(read(t, open1), read(t, open2)) {
			t.Errorf("%s: %s and %s", name, ref1, ref2)
		}
	}
	before, _, err := image.Source{Busybox: fake}.Resolve(image.Shell)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fake, append(staticELF(), 0), 0o700); err != nil {
		t.Fatal(err)
	}
	after, _, err := image.Source{Busybox: fake}.Resolve(image.Shell)
	if err != nil || before == after {
		t.Errorf("another busybox is the same image: %s, %v", after, err)
	}
}

func TestShellHoldsBusybox(t *testing.T) {
	t.Parallel()
	_, open, err := image.Resolve(image.Shell)
	if err != nil {
		require.Missing(t, "busybox", err.Error())
	}
	got := entries(t, read(t, open))
	for _, name := range []string{"bin/busybox", "bin/sh", "bin/ls", "usr/bin/env", "workspace/"} {
		if got[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"bin/mount", "bin/su", "bin/wget", "bin/nc"} {
		if got[name] != nil {
			t.Errorf("%s is of no use there", name)
		}
	}
}

func TestShellNeedsAStaticBusybox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	dynamic := filepath.Join(dir, "dynamic")
	if err := os.WriteFile(dynamic, dynamicELF(), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "none"), text, dynamic} {
		_, _, err := image.Source{Busybox: path}.Resolve(image.Shell)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.HintOf(err), "vexa doctor --fix") {
			t.Errorf("%s: got %v, hint %q", path, err, fault.HintOf(err))
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	if _, err := image.Lookup("builtin:other"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown built-in: %v", err)
	}
	if img, err := image.Lookup("localhost/mine:1"); err != nil || img.Ref != "localhost/mine:1" || img.Open != nil {
		t.Errorf("a person's own: %+v, %v", img, err)
	}
	if img, err := image.Lookup("builtin:empty"); err != nil || img.Open == nil {
		t.Errorf("the empty one: %+v, %v", img, err)
	}
}

// header is a 64-bit little-endian ELF executable with the given segments.
func header(segments ...uint32) []byte {
	b := make([]byte, 64+56*len(segments))
	copy(b, "\x7fELF\x02\x01\x01")
	b[16], b[18], b[20] = 2, 62, 1 // ET_EXEC, x86-64, version
	b[32], b[52], b[54] = 64, 64, 56
	b[56], b[58] = byte(len(segments)), 64
	for i, s := range segments {
		b[64+56*i] = byte(s)
	}
	return b
}

func staticELF() []byte  { return header(1) }
func dynamicELF() []byte { return header(3, 1) }
