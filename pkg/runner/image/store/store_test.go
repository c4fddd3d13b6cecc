package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
)

func TestDigests(t *testing.T) {
	t.Parallel()
	d := store.SHA256([]byte("x"))
	again, err := store.ParseDigest(d.String())
	if err != nil || again != d {
		t.Errorf("%v, %v", again, err)
	}
	data, err := json.Marshal(d)
	var back store.Digest
	if err := errors.Join(err, json.Unmarshal(data, &back)); err != nil || back != d {
		t.Errorf("%s: %v, %v", data, back, err)
	}
	for _, bad := range []string{"", "sha256:", "md5:" + strings.Repeat("0", 32), "sha256:" + strings.Repeat("0", 63), "sha256:" + strings.Repeat("A", 64), "sha256:" + strings.Repeat("g", 64), "sha256:../../" + strings.Repeat("0", 58)} {
		if _, err := store.ParseDigest(bad); err == nil {
			t.Errorf("%q is taken for a digest", bad)
		}
	}
	const integrity = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==" // of nothing
	if d, err := store.ParseIntegrity("sha1-x " + integrity); err != nil || d.Integrity() != integrity {
		t.Errorf("%v, %v", d, err)
	}
	for _, bad := range []string{"", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha512-", "sha512-AAAA", "sha512-*"} {
		if _, err := store.ParseIntegrity(bad); err == nil {
			t.Errorf("%q is taken for an integrity", bad)
		}
	}
}

// endless is a download that never ends, slowly.
type endless struct{ ready chan<- struct{} }

func (e endless) Read(p []byte) (int, error) {
	select {
	case e.ready <- struct{}{}:
	default:
	}
	time.Sleep(time.Millisecond)
	return copy(p, "more"), nil
}

// TestKilledWhileItFills: kill -9 in the middle of a download leaves no entry,
// and the next process removes what is left of it.
func TestKilledWhileItFills(t *testing.T) {
	t.Parallel()
	data := []byte("the whole input")
	digest := store.SHA256(data)
	if dir := os.Getenv("VEXA_TEST_FILL"); dir != "" {
		c := store.Cache{Dir: dir}
		if _, err := c.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		ready := make(chan struct{})
		go func() { <-ready; _, _ = os.Stdout.WriteString("filling\n") }()
		_ = c.Put("it", digest, 1<<40, endless{ready})
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhileItFills$")
	cmd.Env = append(os.Environ(), "VEXA_TEST_FILL="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("filling"))); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	c := store.Cache{Dir: dir}
	if _, err := os.Stat(filepath.Join(dir, "sha256", digest.Hex())); err == nil {
		t.Fatal("a half input has its name")
	}
	left := func() []string { list, _ := filepath.Glob(filepath.Join(dir, "*", ".*")); return list }
	if len(left()) != 1 {
		t.Fatalf("the test did not kill in the middle: %q", left())
	}
	lock, err := c.Lock(t.Context()) // the killed process holds it no more
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if len(left()) != 0 {
		t.Errorf("left behind: %q", left())
	}
	if err := c.Put("it", digest, int64(len(data)), bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	f, err := c.Open(digest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%q, %v", got, err)
	}
}

// full is a disk without space.
type full struct{}

func (full) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: "x", Err: unix.ENOSPC}
}

func TestAFullDisk(t *testing.T) {
	t.Parallel()
	c := store.Cache{Dir: t.TempDir()}
	err := c.Put("it", store.SHA256(nil), 10, full{})
	if !fault.Is(err, fault.Failed) || !strings.Contains(err.Error(), "full") || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.Dir, "*", "*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}
