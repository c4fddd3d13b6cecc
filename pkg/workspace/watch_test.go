package workspace_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace"
)

// until waits until something is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	late := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-late:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

// main is where main is in an open repository, which is not asked through the store.
func (w *world) main(id string) string {
	out, err := exec.Command("git", "--git-dir", w.repo(id), "rev-parse", "refs/heads/main").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// note writes a file as a dispatch does, and returns what main is then.
func (w *world) note(t *testing.T, unit, text string) string {
	t.Helper()
	c := w.checkout(t, unit)
	write(t, c.Dir(), map[string]string{unit + ".md": text})
	return w.seal(t, c, "Write "+unit).Main
}

// TestFollowsADirectory: what another machine writes to a directory is in a workspace
// that is open before anybody asks for it; one that is not open stays so.
func TestFollowsADirectory(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	w.buckets.Watch(t)
	w.open(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	other.openAs(t, w.buckets)
	if _, err := other.Add(t.Context(), "notes", info.Bucket); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReadFile(t.Context(), "notes", "", "a.md"); err != nil {
		t.Fatal(err)
	}
	for _, unit := range []string{"01J00000000000000000000001", "01J00000000000000000000002"} {
		head := other.note(t, unit, "theirs\n")
		until(t, "the open workspace has what another machine wrote", func() bool { return w.main(info.ID) == head })
	}
	if n := workspace.KeptUp(w.Store); n != 1 {
		t.Errorf("%d workspaces are kept up to their buckets", n)
	}

	if err := w.Shut(t.Context(), "notes"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.List(t.Context()); err != nil || workspace.KeptUp(w.Store) != 0 {
		t.Errorf("%d workspaces that are not open are kept up to their buckets, %v", workspace.KeptUp(w.Store), err)
	}
	other.note(t, "01J00000000000000000000003", "more\n")
	if _, err := os.Stat(filepath.Join(w.repos(), info.ID)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is open: %v", err)
	}
}

// said keeps what is logged.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) has(text string) func() bool {
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return strings.Contains(s.text.String(), text)
	}
}

// TestFollowsWhatComesInPieces: a program that copies files brings a manifest before
// its pack. That is no damage, and is looked at again until it is whole.
func TestFollowsWhatComesInPieces(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	var log said
	w.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.buckets.Watch(t)
	w.open(t)
	info := w.create(t, "notes", map[string]string{"a.md": "1\n"})
	here := w.buckets.Dir(info.ID)
	there := filepath.Join(t.TempDir(), "there")
	bring := func(from, to string, names ...string) {
		t.Helper()
		for _, name := range names {
			copyDir(t, filepath.Join(from, name), to)
		}
	}
	bring(here, there, "")
	other.openAs(t, w.buckets)
	if _, err := other.Add(t.Context(), "notes", there); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReadFile(t.Context(), "notes", "", "a.md"); err != nil {
		t.Fatal(err)
	}
	head := other.note(t, "01J00000000000000000000001", "theirs\n")
	bring(there, here, "m")
	until(t, "half of it is noticed", log.has("could not be brought up"))
	bring(there, here, "o")
	until(t, "the rest of it is there", func() bool { return w.main(info.ID) == head })
	if _, err := w.ReadFile(context.Background(), "notes", "", "01J00000000000000000000001.md"); err != nil {
		t.Error(err)
	}
}
