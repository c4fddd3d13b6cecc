package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
)

// record is a log that can be read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) count(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), text)
}

// Runners are what their manifests say now: a new one, one that was corrected and one
// that is gone need no command and no restart. What is broken is said once.
func TestRunnersAreReadAgain(t *testing.T) {
	t.Parallel()
	env := map[string]string{"VEXA_HOME": t.TempDir(), "XDG_RUNTIME_DIR": t.TempDir()}
	h, err := home.Open(func(k string) string { return env[k] }, os.Getuid())
	must(t, err)
	catalog, err := loadRunners(h)
	must(t, err)
	var logged record
	log := slog.New(slog.NewTextHandler(&logged, nil))
	files, end := watchFiles(t.Context(), log)
	defer end()
	defer followRunners(t.Context(), h, catalog, files, log)()

	manifest := func(title string) string {
		return fmt.Sprintf(`{"name":"mine","title":%q,"image":{"builtin":"shell"},"argv":{"new":["/bin/sh","-s"]},
			"prompt":"stdin","stream":{"dialect":"text","deltas":true},"session":{"id":"none"},"exit":{"ok":[0]}}`, title)
	}
	file := filepath.Join(h.Runners(), "mine", "runner.json")
	write := func(text string) func() {
		return func() {
			must(t, os.MkdirAll(filepath.Dir(file), 0o700))
			must(t, os.WriteFile(file+"~", []byte(text), 0o600))
			must(t, os.Rename(file+"~", file))
		}
	}
	now := func() string {
		m, err := catalog.Get("mine")
		if err != nil {
			return string(fault.KindOf(err))
		}
		return m.Title
	}
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"a new one, whose directory was not there", write(manifest("First")), "First"},
		{"it is changed", write(manifest("Second")), "Second"},
		{"it is broken", write("{"), "invalid"},
		{"it is corrected", write(manifest("Third")), "Third"},
		{"it is gone", func() { must(t, os.RemoveAll(filepath.Dir(file))) }, "not_found"},
		{"it is back", write(manifest("Fourth")), "Fourth"},
	} {
		step.do()
		late := time.After(20 * time.Second)
		for now() != step.want {
			select {
			case <-late:
				t.Fatalf("%s: it is %q", step.what, now())
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	if n := logged.count("cannot be used"); n != 1 {
		t.Errorf("that it is broken was said %d times", n)
	}
}
