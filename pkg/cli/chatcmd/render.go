package chatcmd

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv1"
)

// jsonRenderer prints each frame as one line of JSON.
type jsonRenderer struct {
	w io.Writer
	o *output.JSON
}

func (r *jsonRenderer) frame(e client.Entry) error { return output.Raw(r.w, r.o, e.Raw) }

func (*jsonRenderer) end() error { return nil }

// textRenderer prints the agent's words on stdout as they come, and on a
// terminal's stderr one line for each thing it did.
type textRenderer struct {
	f        *factory.Factory
	w        *plain.Writer
	last     lastByte
	streamed bool // deltas of a message came, not yet the message
	said     bool // some of the reply was printed
}

func newTextRenderer(f *factory.Factory) *textRenderer {
	r := &textRenderer{f: f}
	r.last.w = f.Out
	r.w = plain.NewWriter(&r.last)
	return r
}

func (r *textRenderer) frame(e client.Entry) error {
	switch b := e.Frame.Body.(type) {
	case wsv1.MessageDelta:
		return r.delta(b.Text)
	case wsv1.Message:
		return r.message(b.Text)
	case wsv1.ToolCall:
		r.note("* %s %s", b.Tool, plain.Short(string(b.Arguments), 100))
	case wsv1.ToolResult:
		if !b.OK {
			r.note("! the tool failed: %s", plain.Short(b.Output, 100))
		}
	case wsv1.State:
		r.state(b)
	case wsv1.Commit:
		r.commit(b)
	case wsv1.Rejected:
		r.warn("! not saved: %s (%s)", plain.Line(b.Path), plain.Line(b.Reason))
	case wsv1.Error:
		r.warn("! %s", plain.Line(b.Message))
	case wsv1.TurnDone:
		if !r.said {
			return r.message(b.Reply)
		}
	}
	return nil
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
func (r *textRenderer) state(s wsv1.State) {
	if s.State == string(runtimev1.Starting) && s.Detail != "" {
		r.breakLine()
		r.f.Say("%s", plain.Line(s.Detail))
	}
}

func (r *textRenderer) commit(c wsv1.Commit) {
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

func (r *textRenderer) end() error { return r.newline() }

// lastByte remembers the last byte written.
type lastByte struct {
	w io.Writer
	b byte
}

func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.b = p[len(p)-1]
	}
	return l.w.Write(p)
}
