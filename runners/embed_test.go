package runners_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/runners"
)

func TestEveryRunnerLoadsAndIsDocumented(t *testing.T) {
	t.Parallel()
	catalog, err := runner.Load(runners.FS)
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob("*/runner.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(catalog.List()); got != len(dirs) || got < 2 {
		t.Errorf("%d runners load, %d have a directory", got, len(dirs))
	}
	for _, m := range catalog.List() {
		if _, err := os.Stat(filepath.Join(m.Name, "README.md")); err != nil {
			t.Error(err)
		}
		goldens, err := filepath.Glob(filepath.Join(m.Name, "golden", "*.out"))
		if err != nil || len(goldens) == 0 {
			t.Errorf("runner %s has no golden of its stream", m.Name)
		}
	}
}

// A dispatch is granted one model: whatever Claude Code calls the one it asks for, it is
// that one, or its subagents would be refused.
func TestClaudeCodeAsksForTheOneModel(t *testing.T) {
	t.Parallel()
	catalog, err := runner.Load(runners.FS)
	if err != nil {
		t.Fatal(err)
	}
	m, err := catalog.Get("claude-code")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"ANTHROPIC_DEFAULT_HAIKU_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL",
		"ANTHROPIC_SMALL_FAST_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL",
	} {
		if got := m.Inference.Env[name]; got != "{{model}}" {
			t.Errorf("%s is %q", name, got)
		}
	}
}
