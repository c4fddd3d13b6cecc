package filelock_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
)

func TestExclusive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	for range 3 {
		l, err := filelock.Acquire(path, "the thing")
		if err != nil {
			t.Fatal(err)
		}
		_, err = filelock.Acquire(path, "the thing")
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "the thing is held by process "+fmt.Sprint(os.Getpid())) {
			t.Fatalf("a second holder: %v", err)
		}
		l.Release()
	}
	if _, err := filelock.Acquire(filepath.Join(t.TempDir(), "missing", "lock"), "it"); !fault.Is(err, fault.Internal) {
		t.Fatalf("no directory: %v", err)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Wait(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	short, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, enough)
	defer cancel()
	if _, err := filelock.Wait(short, path); !errors.Is(err, enough) {
		t.Fatalf("held, and %v", err)
	}
	got := make(chan error)
	go func() {
		l, err := filelock.Wait(t.Context(), path)
		if err == nil {
			l.Release()
		}
		got <- err
	}()
	first.Release()
	if err := <-got; err != nil {
		t.Fatalf("released, and %v", err)
	}
	if _, err := filelock.Wait(t.Context(), filepath.Join(t.TempDir(), "missing", "lock")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no directory: %v", err)
	}
}

// A process that is being started holds every open file of its parent for an
// instant; here for as long as it runs.
func TestReleaseWhileAChildHoldsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	l, err := filelock.Acquire(path, "the thing")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "cat")
	cmd.ExtraFiles = []*os.File{l.File()}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.Release()
	l, err = filelock.Acquire(path, "the thing")
	if err != nil {
		t.Errorf("after the release: %v", err)
	} else {
		l.Release()
	}
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
