package conformance

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// What comes of what is said.
const (
	words   = "The otter swims across the river."
	done    = "It is written."
	written = "by the agent\n"
	file    = "conformance.md"
)

// script is what is said to a runner.
type script struct{ words, write, before, slow, fail, echo string }

// scriptOf returns what the cassette answers, or for a runner that asks no model, whose
// program is what it is told, commands of a shell.
func scriptOf(m runnerv2.Manifest) script {
	if m.Inference != nil {
		return script{
			words: "Say something in several words.", write: "Write the file, please.", before: "What did I say before?",
			slow: "Take a long time.", fail: "Fail, please.", echo: "Echo the word, please.",
		}
	}
	return script{
		words: "echo The otter; sleep 1; echo swims across the river.", write: "echo by the agent >" + file + "; echo " + done,
		slow: "echo I begin.; sleep 60", fail: "echo no >&2; exit 3",
	}
}

// answers reports what is wrong with a turn that was to say something.
func answers(t turn, err error, want string) (string, bool) {
	switch {
	case err != nil:
		return err.Error(), false
	case t.done.Outcome != wsv2.OutcomeCompleted:
		return "the turn ended as " + string(t.done.Outcome) + ": " + t.errors(), false
	case !strings.Contains(flat(t.says()), want):
		return "it answers " + quote(t.says()) + ", and " + quote(want) + " was to be in it", false
	}
	return "", true
}

// flat is a text with its white space made one.
func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

func quote(s string) string {
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return "“" + strings.ReplaceAll(s, "\n", " ") + "”"
}

// start: it is started, asks the model, and answers.
func (r *run) start(ctx context.Context) verdict {
	t, err := r.say(ctx, saying{text: r.script.words})
	r.said = t
	if what, ok := answers(t, err, words); !ok {
		return fail("%s", what)
	}
	r.report.FirstSec = t.first.Seconds()
	return pass("first word after %.1f s, with its container", t.first.Seconds())
}

// stream: the answer comes in pieces where the manifest says so, and as a whole.
func (r *run) stream(context.Context) verdict {
	deltas, messages := of[wsv2.MessageDelta](r.said), of[wsv2.Message](r.said)
	switch {
	case r.said.done.Outcome != wsv2.OutcomeCompleted:
		return skip("it did not answer")
	case r.Manifest.Stream.Deltas && len(deltas) < 2:
		return fail("the manifest says that the answer comes in pieces (stream.deltas), and %d came", len(deltas))
	case !r.Manifest.Stream.Deltas && len(deltas) > 0:
		return fail("%d pieces came, and the manifest says that none do (stream.deltas)", len(deltas))
	case len(deltas) > 0 && flat(r.said.text()) != words:
		return fail("the pieces come to %s, and were to be %s", quote(r.said.text()), quote(words))
	case len(messages) != 1 || flat(messages[0].Text) != words:
		return fail("%d whole answers came, and %s was to be the one", len(messages), quote(words))
	}
	return pass("%d pieces", len(deltas))
}

// tool: it calls a tool of its own, which writes a file, and goes on with its result.
func (r *run) tool(ctx context.Context) verdict {
	t, err := r.say(ctx, saying{text: r.script.write, session: r.session})
	r.wrote = t
	if what, ok := answers(t, err, done); !ok {
		return fail("%s", what)
	}
	r.report.WarmSec = t.first.Seconds()
	if r.Manifest.Inference == nil {
		return skip("it asks no model, which could call one")
	}
	calls, results := of[wsv2.ToolCall](t), of[wsv2.ToolResult](t)
	switch {
	case len(calls) == 0 || len(results) == 0:
		return fail("%d calls and %d results were shown", len(calls), len(results))
	case !results[0].OK:
		return fail("its tool %s failed: %s", calls[0].Tool, quote(results[0].Output))
	case len(calls[0].Arguments) == 0:
		return fail("the call of %s was shown without its arguments", calls[0].Tool)
	case calls[0].CallID != results[0].CallID:
		return fail("the result has another id than the call")
	}
	return pass("%s", calls[0].Tool)
}

// commit: what it wrote is a commit on main, as it wrote it.
func (r *run) commit(ctx context.Context) verdict {
	commits := of[wsv2.Commit](r.wrote)
	if len(commits) != 1 || !commits[0].Merged {
		return fail("%d commits came, and one on main was to", len(commits))
	}
	f, err := r.Installation.File(ctx, Workspace, "main", file)
	if err != nil {
		return fail("%s", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err != nil {
		return fail("%s", err)
	}
	if string(data) != written {
		return fail("%s says %s, and was to say %s", file, quote(string(data)), quote(written))
	}
	if commits[0].Files != 1 {
		return fail("%d files were committed: something of the agent's own lies in the workspace", commits[0].Files)
	}
	return pass("%.12s", commits[0].SHA)
}

// resume: in another container it knows what was said in the one before.
func (r *run) resume(ctx context.Context) verdict {
	if len(r.Manifest.Argv.Resume) == 0 {
		return skip("it keeps no conversation")
	}
	before := r.unit
	if err := r.fresh(ctx); err != nil {
		return fail("%s", err)
	}
	t, err := r.say(ctx, saying{text: r.script.before, session: r.session})
	if what, ok := answers(t, err, strings.TrimSuffix(r.script.write, ".")); !ok {
		return fail("%s", what)
	}
	if t.unit == before || !t.resumed {
		return fail("the conversation went on in the same container, which tells nothing")
	}
	return pass("first word after %.1f s", t.first.Seconds())
}

// stopper interrupts a dispatch once, whichever goroutine asks first.
type stopper struct {
	once sync.Once
	at   time.Time
	err  error
}

func (s *stopper) stop(ctx context.Context, i Installation, unit string) {
	s.once.Do(func() {
		s.at = time.Now()
		_, s.err = i.Stop(ctx, unit, true)
	})
}

// wait returns when it was asked to and what came of it, once that is known. Nobody
// interrupts afterwards.
func (s *stopper) wait() (at time.Time, err error) {
	s.once.Do(func() {})
	return s.at, s.err
}

// interrupt: a turn that is interrupted ends soon, and says so.
func (r *run) interrupt(ctx context.Context) verdict {
	var s stopper
	var timer *time.Timer
	stop := func(unit string) { s.stop(ctx, r.Installation, unit) }
	what := saying{text: r.script.slow, session: r.session, onFirst: stop}
	if !r.Manifest.Stream.Deltas { // it says nothing before the end
		what.onStart = func(unit string) { timer = time.AfterFunc(r.said.first+2*time.Second, func() { stop(unit) }) }
	}
	t, err := r.say(ctx, what)
	ended := time.Now()
	if timer != nil {
		timer.Stop()
	}
	at, stopErr := s.wait()
	switch {
	case err != nil:
		return fail("%s", err)
	case stopErr != nil:
		return fail("%s", stopErr)
	case t.done.Outcome != wsv2.OutcomeInterrupted:
		return fail("the turn ended as %s, and was to end as interrupted: %s", t.done.Outcome, t.errors())
	}
	took := ended.Sub(at)
	if _, grace := runner.Interrupt(r.Manifest); took >= grace {
		return fail("it took %.1f s and had to be killed: it does not end by the signal of the manifest (signals.interrupt)", took.Seconds())
	}
	return pass("ended %.1f s after it was asked to", took.Seconds())
}

// failure: a model that refuses fails the turn, with the reason.
func (r *run) failure(ctx context.Context) verdict {
	if err := r.fresh(ctx); err != nil {
		return fail("%s", err)
	}
	reason := "the rehearsal refuses"
	if r.Manifest.Inference == nil {
		reason = "no"
	}
	t, err := r.say(ctx, saying{text: r.script.fail})
	switch {
	case err != nil:
		return fail("%s", err)
	case t.done.Outcome != wsv2.OutcomeFailed:
		return fail("the turn ended as %s, and was to end as failed", t.done.Outcome)
	case !strings.Contains(t.errors(), reason):
		return fail("it does not say why: %s", quote(t.errors()))
	}
	code := "without an exit code"
	if t.done.ExitCode != nil {
		code = "with exit code " + itoa(*t.done.ExitCode)
	}
	return pass("%s, and the reason", code)
}

// tool is one that is there to be tried.
const tool = "vexa.echo"

// givenTools: the runner says that its agent takes tools.
func (r *run) givenTools() bool { return r.Manifest.MCP != nil && r.Manifest.MCP.Kind != "none" }

// mcp: it calls a tool that its dispatch was granted, and goes on with the result.
func (r *run) mcp(ctx context.Context) verdict {
	if !r.givenTools() {
		return skip("it is given no tools (mcp.kind)")
	}
	if err := r.fresh(ctx); err != nil {
		return fail("%s", err)
	}
	t, err := r.say(ctx, saying{text: r.script.echo, tools: []string{tool}})
	if what, ok := answers(t, err, "a blue door"); !ok {
		return fail("%s", what)
	}
	calls, results := of[wsv2.ToolCall](t), of[wsv2.ToolResult](t)
	if len(calls) != 1 || len(results) != 1 || !results[0].OK {
		return fail("%d calls and %d results were shown, and one of each was to be", len(calls), len(results))
	}
	return pass("%s as %s", tool, calls[0].Tool)
}

// More than an agent takes that asks for no network, on a machine with nothing else to do:
// to its first word in a container that runs, and to its end after the last.
const (
	slowStart = 20 * time.Second
	slowTail  = 3 * time.Second
)

// offline: it loses no time by asking for a network that it has not.
func (r *run) offline(context.Context) verdict {
	worst := time.Duration(0)
	for _, t := range r.turns {
		if t.done.Outcome == wsv2.OutcomeCompleted {
			worst = max(worst, t.tail)
		}
	}
	r.report.TailSec = worst.Seconds()
	busy := busy(r.Load)
	if worst.Seconds() > busy*slowTail.Seconds() {
		return fail("it ends %.1f s after its last word: something of it waits for a network", worst.Seconds())
	}
	if r.report.WarmSec > busy*slowStart.Seconds() {
		return fail("its first word comes after %.1f s, in a container that runs: something of it waits for a network", r.report.WarmSec)
	}
	return pass("its first word comes after %.1f s in a container that runs, and its end %.1f s after the last", r.report.WarmSec, worst.Seconds())
}

// memory: what it took.
func (r *run) memory(context.Context) verdict {
	if r.report.PeakMB == 0 {
		return skip("its processes were not seen")
	}
	return pass("%.0f MB at most", r.report.PeakMB)
}
