package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Two processes write to one log: no line is torn, the two files that are left
// stay within the limit, and the newest lines are in the log itself.
func TestLogStaysSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), logName)
	const limit, lines = 4096, 500
	var writers []*logFile
	for range 2 { // both, before either moves it away
		f, err := openLog(path)
		must(t, err)
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0) // without a finaliser
		must(t, err)
		must(t, f.Close())
		l := newLogFile(fd, logName, limit)
		if l == nil {
			t.Fatal("it is not seen to be the log")
		}
		writers = append(writers, l)
		t.Cleanup(func() { _ = unix.Close(fd) })
	}
	var wg sync.WaitGroup
	for i, l := range writers {
		wg.Go(func() {
			for n := range lines {
				if _, err := fmt.Fprintf(l, "writer %d line %04d\n", i, n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var all []byte
	for _, name := range []string{path + ".1", path} {
		data, err := os.ReadFile(name)
		must(t, err)
		if len(data) > limit+100 || len(data) == 0 {
			t.Errorf("%s has %d bytes", name, len(data))
		}
		all = append(all, data...)
	}
	for line := range bytes.Lines(all) {
		if len(line) != len("writer 0 line 0000\n") {
			t.Errorf("a torn line %q", line)
		}
	}
	if last := fmt.Sprintf("line %04d\n", lines-1); !bytes.Contains(all, []byte(last)) {
		t.Errorf("the newest line is gone")
	}
	other, err := os.Create(filepath.Join(t.TempDir(), "mine"))
	must(t, err)
	defer other.Close()
	if newLogFile(int(other.Fd()), logName, limit) != nil {
		t.Error("a file of the person's own is taken for the log")
	}
}
