package cli_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/daemoncmd"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
)

// newUnset is a bench where nothing is set up, on a machine with one model.
func newUnset(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	if err := b.daemon.Reset("empty"); err != nil {
		t.Fatal(err)
	}
	b.f.Rehearsal = func(h home.Home) (string, error) { return filepath.Join(h.Config, "r.yaml"), nil }
	b.f.FindModels = func(context.Context) ([]factory.FoundModel, error) {
		return []factory.FoundModel{{Provider: api.AddProvider{Name: "ollama", Protocol: "openai-chat", Models: []string{"qwen3"}}, From: "here"}}, nil
	}
	return b
}

func TestInitAsks(t *testing.T) {
	t.Parallel()
	b := newUnset(t)
	a := b.answer("horse", "horse", "2")
	if code := b.run("init"); code != 0 {
		t.Fatalf("exit code %d: %s", code, b.err.String())
	}
	if len(a.asked) != 3 || !strings.Contains(a.asked[2], "1  ollama qwen3 (here)\n  2  rehearsal") {
		t.Errorf("asked %q", a.asked)
	}
	if got := b.out.String(); !strings.Contains(got, "sealed by your passphrase\n") || !strings.Contains(got, "\nmodel: rehearsal, which plays back ") {
		t.Errorf("stdout %q", got)
	}
	b = newBench(t)
	b.answer("a", "b")
	if code := b.run("init"); code != 2 {
		t.Errorf("passphrases that differ: exit code %d", code)
	}
}

// A question that nobody answers ends the command, which names the flag to use.
func TestQuestionsThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		given []string
		args  string
		hint  string
	}{
		{nil, "init", "use --yes for a key without passphrase, or --passphrase-file FILE"},
		{[]string{"horse"}, "init", "use --yes for a key without passphrase, or --passphrase-file FILE"},
		{[]string{""}, "init", "use --model NAME, or --yes for the first one"},
		{nil, "unlock", "use --passphrase-file FILE, - for stdin"},
		{nil, "doctor --fix", "use --yes"},
		{nil, "model add c --protocol openai-chat --url https://x.example --model m", "use --key-file FILE, --key-file - or --no-key"},
	} {
		b := newBench(t)
		if err := b.daemon.Reset("empty"); err != nil {
			t.Fatal(err)
		}
		b.f.Rehearsal = func(h home.Home) (string, error) { return filepath.Join(h.Config, "r.yaml"), nil }
		b.f.FindModels = func(context.Context) ([]factory.FoundModel, error) {
			return []factory.FoundModel{{Provider: api.AddProvider{Name: "ollama"}, From: "here"}}, nil
		}
		if c.args == "unlock" {
			_, s, err := b.f.OpenKeys()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Create(t.Context(), keys.With{Passphrase: []byte("horse")}); err != nil {
				t.Fatal(err)
			}
		}
		b.answer(c.given...)
		if code := b.run(strings.Fields(c.args)...); code != 2 {
			t.Errorf("%s after %q: exit code %d", c.args, c.given, code)
		}
		want(t, strings.TrimPrefix(b.err.String()[strings.LastIndex(b.err.String(), "vexa: error:"):], "vexa: error: "),
			"nobody answered the question: the terminal's input has ended\nvexa: hint: "+c.hint+"\n")
	}
}

func TestModelAddAsksForAKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.answer("secret")
	if code := b.run("model", "add", "c", "--protocol", "anthropic-messages", "--url", "https://api.anthropic.com", "--model", "m"); code != 0 {
		t.Fatalf("exit code %d: %s", code, b.err.String())
	}
	if len(a.asked) != 1 || strings.Contains(b.out.String()+b.err.String(), "secret") {
		t.Errorf("asked %q; %s%s", a.asked, b.out.String(), b.err.String())
	}
	list, err := mustClient(t, b).Models(t.Context())
	if err != nil || len(list) != 2 || !list[1].HasKey {
		t.Errorf("models %+v, %v", list, err)
	}
	b.f.Flags.NoInput = true
	if code := b.run("model", "add", "d", "--no-input", "--protocol", "openai-chat", "--url", "https://x", "--model", "m"); code != 2 {
		t.Errorf("with --no-input: exit code %d", code)
	}
}

func TestDoctorAsksBeforeItChangesAnything(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.answer("n")
	if code := b.run("doctor", "--fix"); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if len(a.asked) != 1 || !strings.Contains(b.err.String(), "as root: run usermod --add-subuids 100000-165535") {
		t.Errorf("asked %q after %q", a.asked, b.err.String())
	}
	if !strings.Contains(b.out.String(), "      why: agents never run as root") {
		t.Errorf("stdout %q", b.out.String())
	}
}

// Root is told early that agents never run as root, and where it hits them.
func TestRootIsToldWhyNothingRuns(t *testing.T) {
	t.Parallel()
	for uid, hint := range map[int]string{
		0:    "you are root, and agents never run as root: vexa doctor --fix sets up a user and says how to run Vexa as that user",
		1000: "see: vexa doctor",
	} {
		b := newBench(t)
		b.f.UID = func() int { return uid }
		if err := b.daemon.Reset("kernel-down"); err != nil {
			t.Fatal(err)
		}
		if code := b.run("chat", "-p", "hello"); code != 7 {
			t.Errorf("uid %d: exit code %d", uid, code)
		}
		want(t, b.err.String(), "vexa: error: the runtime does not answer\nvexa: hint: "+hint+"\n")
		b.err = &buffer{}
		b.f.Err = b.err
		if code := b.run("init", "--yes"); code != 0 {
			t.Errorf("uid %d: exit code %d: %s", uid, code, b.err.String())
		}
		if warned := strings.Contains(b.err.String(), "vexa: warning: you are root"); warned != (uid == 0) {
			t.Errorf("uid %d: %s", uid, b.err.String())
		}
	}
}

// Whoever unlocks within the chat is told what the passphrase is for, and that it is not shown.
func TestUnlockingInTheChatSaysWhatFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	a := b.answer("horse")
	_ = daemoncmd.Unlock(t.Context(), b.f) // the daemon here has another key
	if len(a.asked) != 1 || a.asked[0] != "Passphrase of Vexa's key (what you type is not shown): " {
		t.Errorf("asked %q", a.asked)
	}
}
