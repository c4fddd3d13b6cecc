package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

// Why a turn is ended from outside; the cause of its context.
var (
	errInterrupted = errors.New("the turn was interrupted")
	errLimit       = errors.New("the time of the dispatch is used up")
)

// turns runs one turn at a time.
type turns struct {
	options Options
	launch  runnerv2.Launch
	token   string
	box     *outbox
	procs   *processes
	count   int    // turns that were run
	ref     string // the runner's own session id, once it is known
}

// run runs one turn to its end, whatever happens: its frames and then its
// turn-end are in the outbox when it returns. Cancelling the context ends the
// agent; the cause says as what.
func (t *turns) run(ctx context.Context, in wsv2.Input) {
	end, err := t.agent(ctx, in)
	if err != nil {
		end.Outcome, end.Error = wsv2.OutcomeFailed, message(err)
	}
	if cause := context.Cause(ctx); errors.Is(cause, errLimit) {
		end.Outcome, end.Error = wsv2.OutcomeLimit, cause.Error()
	} else if cause != nil {
		end.Outcome = wsv2.OutcomeInterrupted
	}
	t.count++
	if end.SessionRef != "" {
		t.ref = end.SessionRef
	}
	t.end(in.Turn, end)
}

// end reports the end of a turn.
func (t *turns) end(turn string, end wsv2.TurnEnd) {
	err := t.box.force(func() (wsv2.Report, error) {
		return wsv2.Report{Type: wsv2.ReportTurnEnd, Turn: turn, End: &end}, nil
	})
	if err != nil && !errors.Is(err, errClosed) {
		t.options.Log.Error("turn-end was not reported", slog.Any("error", err))
	}
}

// frame reports one body. It waits for a slow host; what a broker that was
// given up does not take is lost, as the exit code says.
func (t *turns) frame(ctx context.Context, turn string, body wsv2.Body) {
	err := t.box.add(ctx, func() (wsv2.Report, error) {
		frame, err := wsv2.MarshalBody(body)
		return wsv2.Report{Type: wsv2.ReportFrame, Turn: turn, Frame: frame}, err
	})
	if err != nil && !errors.Is(err, errClosed) {
		t.options.Log.WarnContext(ctx, "frame was not reported", slog.Any("error", err))
	}
}

// agent runs the agent's process and says how the turn ended.
func (t *turns) agent(ctx context.Context, in wsv2.Input) (wsv2.TurnEnd, error) {
	failed := wsv2.TurnEnd{ExitCode: -1, SessionRef: t.sessionRef()}
	// Frames must reach the host while the turn is being ended too.
	live := context.WithoutCancel(ctx)
	command, err := t.command(live, in)
	if err != nil {
		return failed, err
	}
	parser, err := dialect.New(t.launch.Manifest.Stream)
	if err != nil {
		return failed, err
	}
	p, err := openPipes(command.Stdin)
	if err != nil {
		return failed, err
	}
	defer p.close()
	err = t.procs.start(program{
		argv: command.Argv, env: t.env(command.Env), dir: t.options.Workdir, path: t.options.Path,
		files: p.theirs(),
	})
	if err != nil {
		return failed, err
	}
	p.started(func(chunk []byte) {
		for _, body := range parser.Feed(chunk) {
			t.frame(live, in.Turn, body)
		}
	})
	exit, err := t.wait(ctx)
	endErr := t.procs.endAll(live)
	p.finish(t.procs.init && endErr == nil)
	bodies, result := parser.End()
	for _, body := range bodies {
		t.frame(live, in.Turn, body)
	}
	if result.SessionRef == "" {
		result.SessionRef = t.sessionRef()
	}
	end := wsv2.TurnEnd{
		Outcome: runner.Outcome(t.launch.Manifest, result, exit), ExitCode: exit,
		Reply: result.Reply, SessionRef: result.SessionRef, Unknown: result.Unknown,
	}
	end.Error = explain(end, result, p.errors.String())
	return end, errors.Join(err, endErr)
}

// command renders the turn's command and writes the files it wants.
func (t *turns) command(ctx context.Context, in wsv2.Input) (runner.Command, error) {
	m := t.launch.Manifest
	vars := runner.Vars{
		Session: t.launch.Session.ID, SessionRef: t.sessionRef(),
		Model: t.launch.Model, Protocol: t.launch.Protocol, Token: t.token,
		BaseURL: runner.BaseURL(t.launch.Listen, t.launch.Protocol),
		Workdir: t.options.Workdir, Home: t.options.Home, State: t.options.State,
		Prompt: in.Text, PromptFile: filepath.Join(t.options.Scratch, "vexa-prompt.txt"),
	}
	if len(t.launch.Unit.Tools) > 0 {
		vars.ToolsURL = runner.ToolsURL(t.launch.Listen)
	}
	command, err := runner.Render(m, vars, t.resumes(ctx, in.Turn))
	if err != nil {
		return runner.Command{}, err
	}
	for path, data := range command.Files {
		if err := writeFile(path, data); err != nil {
			return runner.Command{}, fault.Wrap(fault.Internal, "write "+path, err)
		}
	}
	return command, nil
}

// writeFile puts a file in the place of whatever has its name, a link too.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.WriteFile(path, data, 0o600)
}

func (t *turns) sessionRef() string {
	if t.ref != "" {
		return t.ref
	}
	return t.launch.Session.Ref
}

// resumes reports whether the turn continues the conversation: there has been
// one, and the files that are it are there. An agent that was killed before it
// wrote any begins anew. Where the host says that there is a past and there is
// none, the reader is told.
func (t *turns) resumes(ctx context.Context, turn string) bool {
	m := t.launch.Manifest
	if m.Session.ID == runner.SessionNone || (!t.launch.Session.Resume && t.count == 0) {
		return false
	}
	session := t.launch.Session.ID
	if m.Session.ID == runner.SessionStream {
		session = t.sessionRef()
	}
	if session != "" && capsulePresent(m, session, t.options.State) {
		return true
	}
	if t.launch.Session.Resume {
		t.frame(ctx, turn, wsv2.Error{
			Code:    string(fault.NotFound),
			Message: "the files of this conversation are missing: the agent does not remember it",
		})
	}
	return false
}

func capsulePresent(m runnerv2.Manifest, session, state string) bool {
	globs, err := runner.Capsule(m, session)
	if err != nil {
		return false
	}
	found := false
	err = fs.WalkDir(os.DirFS(state), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && runner.InCapsule(globs, name) {
			found = true
			return fs.SkipAll
		}
		return nil // what cannot be read is not there
	})
	return err == nil && found
}

// env is the agent's whole environment: nothing of the worker's own gets in.
func (t *turns) env(more []string) []string {
	return slices.Concat([]string{
		"PATH=" + t.options.Path, "HOME=" + t.options.Home, "USER=agent",
		"TERM=dumb", "LANG=C.UTF-8", "TMPDIR=" + t.options.Scratch,
	}, more)
}

// wait waits for the agent and, when the context ends, ends it: the runner's
// signal, its grace, then a kill.
func (t *turns) wait(ctx context.Context) (int, error) {
	type ended struct {
		code int
		err  error
	}
	done := make(chan ended, 1)
	go func() {
		code, err := t.procs.wait()
		done <- ended{code, err}
	}()
	select {
	case e := <-done:
		return e.code, e.err
	case <-ctx.Done():
	}
	sig, grace := runner.Interrupt(t.launch.Manifest)
	t.procs.signal(sig)
	select {
	case e := <-done:
		return e.code, e.err
	case <-time.After(grace):
	}
	t.procs.kill()
	e := <-done
	return e.code, e.err
}

// explain returns why a turn did not complete: the runner's own words if it
// found any, else the last it said on standard error.
func explain(end wsv2.TurnEnd, r dialect.Result, stderr string) string {
	if end.Outcome == wsv2.OutcomeCompleted {
		return ""
	}
	for _, words := range []string{r.Error, stderr, r.Noise} {
		if words = strings.TrimSpace(words); words != "" {
			return words
		}
	}
	if end.Outcome == wsv2.OutcomeTruncated {
		return "the agent ended without saying that it was done"
	}
	return fmt.Sprintf("the agent ended with code %d", end.ExitCode)
}

// message returns err with its hint: what the reader of the turn gets to see.
func message(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return err.Error() + "; " + hint
	}
	return err.Error()
}
