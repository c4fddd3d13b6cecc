package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
)

// scratchWorld is an environment with an installation that has acme for a runner of its
// own; temp is where scratch installations are made.
func scratchWorld(t *testing.T) (own home.Home, temp string) {
	t.Helper()
	base, err := os.MkdirTemp("", "vx") // short, for sockets
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(base)) })
	temp = filepath.Join(base, "tmp")
	for _, dir := range []string{temp, filepath.Join(base, "run"), filepath.Join(base, "plain")} {
		must(t, os.Mkdir(dir, 0o700))
	}
	t.Setenv("HOME", base)
	t.Setenv("TMPDIR", temp)
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(base, "run"))
	t.Setenv("VEXA_PLAINTEXT_DIR", filepath.Join(base, "plain"))
	t.Setenv("VEXA_HOME", filepath.Join(base, "own"))
	own, err = home.Open(os.Getenv, os.Getuid())
	must(t, err)
	const manifest = `{"name":"acme","title":"x","image":{"ref":"localhost/acme:1"},"argv":{"new":["sh","-s"]},
		"prompt":"stdin","stream":{"dialect":"text","deltas":true},"session":{"id":"none"},"exit":{"ok":[0]}}`
	at := filepath.Join(own.Runners(), "acme")
	must(t, os.MkdirAll(at, 0o700))
	for name, data := range map[string]string{"runner.json": manifest, "image.json": "{}", "notes.md": "private"} {
		must(t, os.WriteFile(filepath.Join(at, name), []byte(data), 0o644))
	}
	return own, temp
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// A name that is a path leads to what is no runner.
func TestScratchOfWhatIsNoRunner(t *testing.T) {
	_, temp := scratchWorld(t)
	for _, name := range []string{"../../..", "..", ".", "", "acme/../acme", "nobody"} {
		h, drop, err := scratch(newFactory())(t.Context(), name)
		if !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" || drop != nil {
			t.Errorf("%q: %v, at %s", name, err, h.Root)
		}
		if left := names(t, temp); len(left) != 0 {
			t.Errorf("%q: %q was made", name, left)
		}
	}
}

// Of a runner only what makes it one is copied, for nobody else to read.
func TestScratchTakesARunnerAlong(t *testing.T) {
	scratchWorld(t)
	h, drop, err := scratch(newFactory())(t.Context(), "acme")
	must(t, err)
	at := filepath.Join(h.Runners(), "acme")
	if got := names(t, at); !slices.Equal(got, []string{"image.json", "runner.json"}) {
		t.Errorf("%q", got)
	}
	for _, name := range names(t, at) {
		if st, err := os.Stat(filepath.Join(at, name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
	must(t, drop(t.Context()))
}

// nothingLeft fails where a scratch installation left something behind, or where the
// environment leads to it.
func nothingLeft(t *testing.T, own home.Home, temp string) {
	t.Helper()
	if left := names(t, temp); len(left) != 0 {
		t.Errorf("%q stays", left)
	}
	for _, dir := range []string{own.Run, own.Plain} {
		if got := names(t, filepath.Dir(dir)); !slices.Equal(got, []string{filepath.Base(dir)}) {
			t.Errorf("%q in %s", got, filepath.Dir(dir))
		}
	}
	if got := os.Getenv("VEXA_HOME"); got != own.Root {
		t.Errorf("VEXA_HOME is %q", got)
	}
}

func TestScratchIsGoneAfterwards(t *testing.T) {
	own, temp := scratchWorld(t)
	h, drop, err := scratch(newFactory())(t.Context(), "acme")
	must(t, err)
	for _, dir := range []string{h.Run, h.Plain, h.Keys()} {
		if _, err := os.Stat(dir); err != nil || dir == own.Run || dir == own.Plain {
			t.Errorf("%s: %v", dir, err)
		}
	}
	must(t, drop(t.Context()))
	nothingLeft(t, own, temp)

	t.Setenv("VEXA_HOME", "")
	must(t, os.Unsetenv("VEXA_HOME"))
	_, drop, err = scratch(newFactory())(t.Context(), "vexa")
	must(t, err)
	must(t, drop(t.Context()))
	if got, set := os.LookupEnv("VEXA_HOME"); set {
		t.Errorf("VEXA_HOME is %q, and was not set", got)
	}
}

// One that cannot be filled is gone, too.
func TestScratchThatIsNotMade(t *testing.T) {
	own, temp := scratchWorld(t)
	if _, err := newScratch(t.Context(), map[string][]byte{"acme/no\x00name": nil}); err == nil {
		t.Fatal("a file is written where none can be")
	}
	nothingLeft(t, own, temp)
}

// lateDaemon answers after a while, and ends after a while when it is told to; refuses
// says that it does not.
type lateDaemon struct {
	refuses bool
	ended   chan error
	told    atomic.Bool
}

func (d *lateDaemon) spawn(_ context.Context, h home.Home) (<-chan error, error) {
	const late = 150 * time.Millisecond
	mux := http.NewServeMux()
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"pid":1}`)
	})
	mux.HandleFunc("POST /v1/shutdown", func(w http.ResponseWriter, _ *http.Request) {
		if d.refuses {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		go func() {
			time.Sleep(late)
			_ = server.Close()
			_ = os.WriteFile(filepath.Join(h.State, "last"), nil, 0o600)
			d.told.Store(true)
			d.ended <- nil
		}()
	})
	go func() {
		time.Sleep(late)
		l, err := net.Listen("unix", h.DaemonSocket())
		if err == nil {
			_ = server.Serve(l)
		}
	}()
	return d.ended, nil
}

// A daemon that was only just started is ended before its files are removed; one that
// does not end keeps nothing.
func TestScratchWithADaemonThatStarts(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		own, temp := scratchWorld(t)
		d := &lateDaemon{refuses: refuses, ended: make(chan error, 1)}
		f := newFactory()
		f.Spawn = d.spawn
		_, drop, err := scratch(f)(t.Context(), "acme")
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond) // as Ctrl-C would
		if _, err := f.Connect(ctx); err == nil {
			t.Fatal("it answers too soon")
		}
		cancel()
		if err := drop(t.Context()); (err != nil) != refuses {
			t.Errorf("refuses %v: %v", refuses, err)
		}
		if !refuses && !d.told.Load() {
			t.Error("the daemon lives on")
		}
		nothingLeft(t, own, temp)
	}
}
