package runner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// TestBuilds: what was made is asked for by its digest, under the name that it was made
// for and no other.
func TestBuilds(t *testing.T) {
	t.Parallel()
	b := runner.Builds{Dir: filepath.Join(t.TempDir(), "images")}
	m := shipped(t, "codex")
	is := func(m runnerv2.Manifest, want string) {
		t.Helper()
		if got, err := b.Reference(m); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	is(shipped(t, "text"), "builtin:shell")
	is(m, m.Image.Ref)
	digest := "sha256:" + strings.Repeat("0a", 32)
	for _, d := range []string{"sha256:" + strings.Repeat("0b", 32), digest} {
		if err := b.Put(m, d); err != nil {
			t.Fatal(err)
		}
	}
	is(m, "localhost/vexa/runner-codex@"+digest)
	is(shipped(t, "claude-code"), shipped(t, "claude-code").Image.Ref)
	newer := m
	newer.Image.Ref = "localhost/vexa/runner-codex:1.0.0"
	is(newer, newer.Image.Ref)
	if err := b.Put(m, "latest"); !fault.Is(err, fault.Internal) {
		t.Errorf("what is no digest: %v", err)
	}
	is(m, "localhost/vexa/runner-codex@"+digest)
	for range 2 {
		if err := b.Forget(m.Name); err != nil {
			t.Error(err)
		}
	}
	is(m, m.Image.Ref)
	for _, bad := range []string{"", "{}", `{"image":"` + m.Image.Ref + `","digest":"x@sha256"}`, `{"more":1}`} {
		if err := os.WriteFile(filepath.Join(b.Dir, "codex.json"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Reference(m); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), "vexa runner build codex") {
			t.Errorf("%q gives %v", bad, err)
		}
	}
}
