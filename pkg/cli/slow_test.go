package cli_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/client/clienttest"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
)

// What takes long says what it is, on a terminal and in a pipe, and nothing where JSON
// was asked for or nothing is to be said. The daemon answers once it was said.
func TestSlowCommandsSayWhatTheyDo(t *testing.T) {
	t.Parallel()
	invitation := filepath.Join(t.TempDir(), "invitation.json")
	if err := os.WriteFile(invitation, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ args, says string }{
		"create":       {"workspace create notes", "creating workspace notes"},
		"add":          {"workspace add notes /nowhere", "reading the bucket of notes"},
		"join":         {"workspace join " + invitation, "joining, and reading the bucket"},
		"backup":       {"workspace backup personal --to /nowhere", "copying the bucket of personal to /nowhere"},
		"restore":      {"workspace restore personal --from /nowhere", "bringing the bucket of personal back"},
		"rotate":       {"workspace rotate personal --reencrypt", "encrypting personal to a new key"},
		"verify":       {"workspace verify personal", "reading everything in the bucket of personal"},
		"repair":       {"workspace repair personal", "looking through the bucket of personal"},
		"close":        {"workspace close personal", "saving and closing workspace personal"},
		"undo":         {"workspace undo personal", "taking commits of personal back"},
		"remove":       {"workspace member remove personal joe", "shutting joe out of personal"},
		"log":          {"workspace log personal", "waiting for the daemon, which opens what it is asked about"},
		"stop":         {"stop 01JDX4A0000000000000000000", "stopping unit 01JDX4A0000000000000000000"},
		"lock":         {"lock", "locking, and saving what dispatches wrote"},
		"daemon stop":  {"daemon stop --timeout 100ms", "stopping the daemon, which saves what dispatches wrote"},
		"test a model": {"model test rehearsal", "trying out rehearsal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, tty := range []bool{true, false} {
				b := newBench(t)
				b.f.ErrTTY = func() bool { return tty }
				b.f.SlowAfter = time.Nanosecond
				b.f.Flags = factory.Flags{}
				b.hold = func(r *http.Request) {
					if r.Method != http.MethodGet || name == "log" {
						b.err.waitFor(t, c.says)
					}
				}
				b.home(t)
				b.run(strings.Fields(c.args)...)
				got := b.err.String()
				if spins := strings.Contains(got, "\x1b["); spins != tty {
					t.Errorf("on a terminal %t: %q", tty, got)
				}
				if lines := strings.Count(got, c.says); !tty && lines != 1 {
					t.Errorf("it is said %d times: %q", lines, got)
				}
				// Whatever comes last stands in a line of its own.
				if last := got[strings.LastIndex(got, "\r")+1:]; tty && strings.Contains(last, c.says) {
					t.Errorf("it stays on the terminal: %q", got)
				}
			}
		})
	}
	for _, args := range []string{"workspace create notes --json name", "workspace create notes --quiet"} {
		b := newBench(t)
		b.f.SlowAfter = time.Nanosecond
		b.hold = func(*http.Request) { time.Sleep(10 * time.Millisecond) }
		b.run(strings.Fields(args)...)
		want(t, b.err.String(), "")
	}
}

// home has the commands that look for their daemon themselves find this one.
func (b *bench) home(t *testing.T) {
	t.Helper()
	h, err := b.f.Home()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(h.Run, "s"), h.DaemonSocket()); err != nil {
		t.Fatal(err)
	}
}

func TestRunnersAreMadeAndTriedOutAloud(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.SlowAfter = time.Nanosecond
	b.f.BuildRunner = func(_ context.Context, _ home.Home, build factory.RunnerBuild) (factory.RunnerImage, error) {
		b.err.waitFor(t, "making the image of runner acme")
		build.Notice("downloading it")
		b.err.waitFor(t, "downloading it")
		return factory.RunnerImage{Runner: "acme", Image: "localhost/acme"}, nil
	}
	if code := b.run("runner", "build", "acme"); code != 0 {
		t.Errorf("exit code %d", code)
	}
	b = newBench(t)
	b.f.SlowAfter = time.Nanosecond
	b.f.Scratch = func(context.Context, string) (home.Home, func(context.Context) error, error) {
		b.err.waitFor(t, "making an installation to try runner acme in")
		return home.Home{}, nil, context.Canceled
	}
	b.run("runner", "test", "acme")
}

// heldKeyring does something before it takes a passphrase.
type heldKeyring struct {
	fileKeyring
	hold func()
}

func (k heldKeyring) Put(ctx context.Context, install string, passphrase []byte) error {
	k.hold()
	return k.fileKeyring.Put(ctx, install, passphrase)
}

// A passphrase is made costly to guess, and that takes a while.
func TestTheKeyIsMadeAloud(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.SlowAfter = time.Nanosecond
	dir := t.TempDir()
	b.f.Keys = func(h home.Home) (*keys.Store, error) {
		ring := heldKeyring{fileKeyring(dir), func() { b.err.waitFor(t, "making the key") }}
		return keys.New(keys.Options{Dir: h.Keys(), Install: "here", Keyring: ring, Cost: 6, Now: clienttest.Epoch}), nil
	}
	if code := b.run("init", "--keyring"); code != 0 {
		t.Errorf("exit code %d: %s", code, b.err.String())
	}
}

// Root is told another first step than others: it could not run agents.
func TestTheFirstStepOfRoot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.f.UID = func() int { return 0 }
	if code := b.run(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := b.out.String(); !strings.Contains(got, "\n  vexa doctor --fix\n") || strings.Contains(got, "vexa init") {
		t.Errorf("root is told %q", got)
	}
	want(t, b.err.String(), "")
}

// Colour is where it was asked for, and the text says the same without it.
func TestColor(t *testing.T) {
	t.Parallel()
	plain, colored := newBench(t), newBench(t)
	for b, flag := range map[*bench]string{plain: "never", colored: "always"} {
		for _, args := range []string{"workspace show nowhere", "workspace diff personal", "doctor", "ps --help"} {
			b.run(append(strings.Fields(args), "--color", flag)...)
		}
	}
	for _, streams := range [][2]*buffer{{plain.out, colored.out}, {plain.err, colored.err}} {
		without, with := streams[0].String(), streams[1].String()
		if strings.Contains(without, "\x1b") {
			t.Errorf("colour that nobody asked for: %q", without)
		}
		stripped := with
		for _, code := range []string{"0", "1", "31", "32", "33", "36"} {
			stripped = strings.ReplaceAll(stripped, "\x1b["+code+"m", "")
		}
		if with == stripped {
			t.Errorf("no colour: %q", with)
		}
		want(t, stripped, without)
	}
	if code := plain.run("ps", "--color", "sometimes"); code != 2 {
		t.Errorf("exit code %d", code)
	}
}

// A daemon that does not answer in a moment, or fails, completes nothing and says
// nothing: the shell shows what is printed.
func TestCompletionGivesUp(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"workspace show", "chat -w", "chat --model", "proposal show personal", "stop"} {
		b := newBench(t)
		b.home(t)
		b.hold = func(r *http.Request) { <-r.Context().Done() } // until who asks has given up
		if code := b.run(append(append([]string{"__completeNoDesc"}, strings.Fields(args)...), "")...); code != 0 {
			t.Errorf("%s: exit code %d", args, code)
		}
		want(t, b.out.String(), ":4\n")
		b = newBench(t) // whose home has no socket
		b.run(append(append([]string{"__completeNoDesc"}, strings.Fields(args)...), "")...)
		want(t, b.out.String(), ":4\n")
		if text := b.err.String(); strings.Contains(text, "error") {
			t.Errorf("%s: %q", args, text)
		}
	}
}
