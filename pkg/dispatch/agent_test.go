package dispatch_test

import (
	"context"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/agent"
	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/runners"
)

const asAgent = "VEXA_TEST_AGENT"

// TestMain lets the test binary be the built-in agent.
func TestMain(m *testing.M) {
	if os.Getenv(asAgent) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(agent.Main(ctx, os.Args[1:], os.Getenv, agent.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// builtIn is the manifest of the built-in agent, which the test binary is.
type builtIn struct{ t *testing.T }

func (b builtIn) Get(string) (runnerv2.Manifest, error) {
	catalog, err := runner.Load(runners.FS)
	must(b.t, err)
	m, err := catalog.Get(dispatch.DefaultRunner)
	must(b.t, err)
	self, err := os.Executable()
	must(b.t, err)
	m.Argv.New = append([]string{self}, m.Argv.New[2:]...)
	m.Argv.Resume = append([]string{self}, m.Argv.Resume[2:]...)
	env := maps.Clone(m.Inference.Env)
	env[asAgent] = "1"
	m.Inference = new(*m.Inference)
	m.Inference.Env = env
	return m, nil
}

// rehearse adds a model that answers every message with the steps.
func (s *stack) rehearse(name string, steps ...string) {
	s.t.Helper()
	s.play(name, "  - match: always\n    reply:\n      - "+strings.Join(steps, "\n      - ")+"\n")
}

// play adds a model that answers by the turns of a cassette.
func (s *stack) play(name, turns string) {
	s.t.Helper()
	cassette := filepath.Join(s.home.State, name+".yaml")
	text := "version: 1\nname: " + name + "\nturns:\n" + turns
	must(s.t, os.WriteFile(cassette, []byte(text), 0o600))
	must(s.t, s.table.Add(s.t.Context(), inference.Provider{
		Name: name, Protocol: inference.Rehearsal, Cassette: cassette, Models: []string{name},
	}, nil))
}

// A daemon that is killed while the agent waits for its model costs no turn:
// the agent asks the next one again, and what it showed is not shown twice.
func TestRequestOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]string{
		"before the answer":        {"delay: 1s", "text: 'I started. '", "text: 'Done.'"},
		"in the middle of answers": {"text: 'I started. '", "delay: 1s", "text: 'Done.'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.rehearse("slow", steps...)
			withAgent := func(o *dispatch.Options) {
				o.Runners = builtIn{t}
				o.Models = func(string) ([]string, string, error) { return []string{"anthropic-messages"}, "slow/slow", nil }
			}
			s.restart(withAgent)
			asked := s.asked
			st := s.start(api.StartRequest{Text: "go", Limits: limits(60)})
			if slices.Index(steps, "delay: 1s") > 0 {
				s.waitForWord(st.Unit)
			} else {
				s.eventually("the request", func() bool { return asked.Load() > 0 })
			}
			s.restart(withAgent)
			frames := s.turn(st)
			if d := done(t, frames); !d.OK || d.Reply != "I started. Done." {
				t.Errorf("turn-done %+v", d)
			}
			var shown strings.Builder
			for _, d := range body[wsv2.MessageDelta](frames) {
				shown.WriteString(d.Text)
			}
			if shown.String() != "I started. Done." {
				t.Errorf("the reader saw %q", shown.String())
			}
		})
	}
}
