package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

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
