package chatcmd

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// jsonRenderer prints each frame as one line of JSON.
type jsonRenderer struct {
	w io.Writer
	o *output.JSON
}

func (r *jsonRenderer) frame(e client.Entry) error { return output.Raw(r.w, r.o, e.Raw) }

func (*jsonRenderer) ready() bool { return true }

func (*jsonRenderer) end() error { return nil }

// textRenderer prints the agent's words on stdout as they come, and on a
// terminal's stderr one line for each thing it did.
type textRenderer struct {
	f        *factory.Factory
	wait     *progress // is hushed before something is shown
	w        *plain.Writer
	last     lastByte
	streamed bool     // deltas of a message came, not yet the message
	said     bool     // some of the reply was printed
	strange  []string // types of events that could not be used, each once
}

func newTextRenderer(f *factory.Factory, wait *progress) *textRenderer {
	r := &textRenderer{f: f, wait: wait}
	r.last.w, r.last.before = f.Out, wait.hush
	r.w = plain.NewWriter(&r.last)
	return r
}

func (r *textRenderer) frame(e client.Entry) error {
	switch b := e.Frame.Body.(type) {
	case wsv2.MessageDelta:
		return r.delta(b.Text)
	case wsv2.Message:
		return r.message(b.Text)
	case wsv2.ToolCall:
		r.note("* %s %s", b.Tool, plain.Short(string(b.Arguments), 100))
	case wsv2.ToolResult:
		if !b.OK {
			r.note("! the tool failed: %s", plain.Short(b.Output, 100))
		}
	case wsv2.State:
		r.state(b)
	case wsv2.Commit:
		r.commit(b)
	case wsv2.Rejected:
		r.warn("! not saved: %s (%s)", plain.Line(b.Path), plain.Line(b.Reason))
	case wsv2.Error:
		r.warn("! %s", plain.Line(b.Message))
	case wsv2.Plan:
		r.plan(b)
	case wsv2.Opaque:
		if len(r.strange) < maxStrange && !slices.Contains(r.strange, b.Event) {
			r.strange = append(r.strange, b.Event)
		}
	case wsv2.TurnDone:
		if len(r.strange) > 0 {
			r.warn("! the runner printed events that this version of Vexa does not understand: %s", strings.Join(r.strange, ", "))
		}
		if !r.said {
			return r.message(b.Reply)
		}
	}
	return nil
}

// maxStrange is how many types of events are named.
const maxStrange = 8

// plan tells what the agent is at: the step that is active, else how many are done.
func (r *textRenderer) plan(p wsv2.Plan) {
	done := 0
	for _, s := range p.Steps {
		switch s.State {
		case wsv2.StepActive:
			r.note("* plan: %s", plain.Short(s.Text, 100))
			return
		case wsv2.StepDone:
			done++
		case wsv2.StepPending:
		}
	}
	r.note("* plan: %d of %s done", done, output.Plural(len(p.Steps), "step"))
}

func (r *textRenderer) delta(text string) error {
	if text == "" {
		return nil
	}
	r.streamed, r.said = true, true
	_, err := io.WriteString(r.w, text)
	return err
}

// message ends a message that came as deltas, and prints one that did not.
func (r *textRenderer) message(text string) error {
	if !r.streamed && text != "" {
		if err := r.delta(text); err != nil {
			return err
		}
	}
	r.streamed = false
	return r.newline()
}

// state tells a person, terminal or not, why nothing happens: the dispatch waits
// for a container. How many are before it changes; vexa ps has the number.
func (r *textRenderer) state(s wsv2.State) {
	if s.State == string(runtimev1.Starting) && s.Detail != "" {
		r.breakLine()
		r.f.Say("%s", plain.Line(s.Detail))
	}
}

func (r *textRenderer) commit(c wsv2.Commit) {
	name := c.Name
	if name == "" {
		name = c.Workspace
	}
	if !c.Merged {
		why := "needs approval"
		if len(c.Conflicts) > 0 {
			why = "conflicts in " + plain.Line(strings.Join(c.Conflicts, ", "))
		}
		r.warn("! commit %s is not in main of %s: it %s; see vexa proposal show %[2]s %[4]s", shortSHA(c.SHA), plain.Line(name), why, plain.Line(path.Base(c.Branch)))
		return
	}
	r.note("* commit %s in %s (%s)", shortSHA(c.SHA), plain.Line(name), output.Plural(c.Files, "file"))
}

func shortSHA(sha string) string { return plain.Line(sha[:min(len(sha), 12)]) }

// note writes a line that matters to a person watching.
func (r *textRenderer) note(format string, args ...any) {
	if !r.f.Flags.Quiet && factory.IsTTY(r.f.ErrTTY) {
		r.breakLine()
		r.f.Notice(format, args...)
	}
}

// warn writes a line that matters in any case.
func (r *textRenderer) warn(format string, args ...any) {
	r.breakLine()
	r.wait.hush()
	_, _ = fmt.Fprintln(r.f.Err, plain.Line(fmt.Sprintf(format, args...)))
}

// breakLine ends an unfinished line of the reply where the terminal shows both
// streams, so that the note does not run into it.
func (r *textRenderer) breakLine() {
	if factory.IsTTY(r.f.OutTTY) && factory.IsTTY(r.f.ErrTTY) {
		_ = r.newline() // an error of stdout shows at the next delta
	}
}

func (r *textRenderer) newline() error {
	if err := r.w.Close(); err != nil { // a control sequence never spans messages
		return err
	}
	if r.last.b == 0 || r.last.b == '\n' {
		return nil
	}
	_, err := r.last.Write([]byte{'\n'})
	return err
}

// ready implements renderer: nothing stands in the line, or it is another's.
func (r *textRenderer) ready() bool {
	return r.last.b == 0 || r.last.b == '\n' || !factory.IsTTY(r.f.OutTTY)
}

func (r *textRenderer) end() error { return r.newline() }

// lastByte remembers the last byte written, and calls before each time.
type lastByte struct {
	w      io.Writer
	b      byte
	before func()
}

func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.before()
		l.b = p[len(p)-1]
	}
	return l.w.Write(p)
}
