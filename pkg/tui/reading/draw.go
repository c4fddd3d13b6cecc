package reading

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/contract/cardv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/tui/conversation"
	"github.com/vexa-ai/vexa/pkg/tui/diff"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/markdown"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// The marks before items. Each says by itself what its colour says.
const (
	markSaid    = "> "
	markOpen    = "▾ "
	markFolded  = "▸ "
	markRunning = "… "
	markGood    = "✓ "
	markBad     = "✗ "
	markNote    = "! "
	markPending = "· "
	markUndone  = "↶ "
	indent      = "  "
)

// narrow is the width below which patches have no room to stand apart.
const narrow = 32

// mostLines is how much of a result or of thoughts is shown where it is not folded.
const mostLines = 500

// A message of the person's that is longer than these is folded, and how many lines of it
// are shown then.
const (
	longLines = 12
	longBytes = 2000
	saidLines = 6
)

// draw makes the lines of an item.
func (r *Reading) draw(block int, item conversation.Item, d *drawn, width int) []string {
	width = max(width, 1)
	if item.Kind == conversation.Answer {
		return append(r.answer(item, d, width), "")
	}
	var lines []flow.Line
	switch item.Kind {
	case conversation.Said:
		lines = r.said(block, item.Text(), width)
	case conversation.Reasoning:
		lines = r.reasoning(block, item, width)
	case conversation.Call:
		lines = r.call(block, item, width)
	case conversation.Plan:
		lines = plan(*item.Plan, width)
	case conversation.Unknown:
		lines = marked(markNote, theme.Muted, []flow.Line{flow.Plain(unknown(*item.Unknown), theme.Muted)}, width)
	case conversation.Commit:
		return append(r.commit(block, *item.Commit, width), "")
	case conversation.Card:
		lines = marked(markNote, theme.Muted, card(*item.Card), width)
	case conversation.Rejected:
		lines = marked(markNote, theme.Warning, []flow.Line{flow.Plain(plain.Line("not saved: " + item.Rejected.Path + " (" + item.Rejected.Reason + ")"))}, width)
	case conversation.Problem:
		lines = marked(markNote, theme.Error, told(item.Problem.Message, item.Problem.Hint), width)
	case conversation.Waiting:
		lines = marked(markRunning, theme.Muted, paragraphs(item.Text(), theme.Muted), width)
	case conversation.Ended:
		lines = ended(*item.Ended, width)
	case conversation.Answer:
	}
	return append(r.paint(lines), "")
}

func (r *Reading) paint(lines []flow.Line) []string {
	out := make([]string, 0, len(lines)+1)
	for _, l := range lines {
		out = append(out, l.Paint(r.theme))
	}
	return out
}

// answer renders what has come of an answer; what was rendered stays.
func (r *Reading) answer(item conversation.Item, d *drawn, width int) []string {
	text := item.Text()
	if d.answer == nil || len(text) < d.taken {
		d.answer, d.taken = markdown.New(r.theme), 0
		if r.printed {
			d.answer = markdown.NewPlain(r.theme)
		}
	}
	d.answer.Append(text[d.taken:])
	d.taken = len(text)
	return append([]string(nil), d.answer.Lines(width)...)
}

// said is what the person said, and where that is long the beginning of it.
func (r *Reading) said(block int, text string, width int) []flow.Line {
	lines := marked(markSaid, theme.Prompt, paragraphs(text, theme.Strong), width)
	if !r.Folds(block) || r.open[block] || len(lines) <= saidLines+1 {
		return lines
	}
	more := flow.Plain(indent+markFolded+"… "+plural(len(lines)-saidLines, "more line"), theme.Muted)
	return append(lines[:saidLines:saidLines], more.Cut(width))
}

func (r *Reading) reasoning(block int, item conversation.Item, width int) []flow.Line {
	said := plain.Text(item.Text())
	head := fmt.Sprintf("thoughts (%s)", plural(len(strings.Fields(said)), "word"))
	if item.Open {
		head = "thinking…"
	}
	lines := r.head(block, "", theme.Muted, flow.Plain(head, theme.Muted), width)
	if r.open[block] {
		lines = append(lines, body(paragraphs(said, theme.Muted), width)...)
	}
	return lines
}

// call is a tool's name with the first of what it was given, and where it is open all of
// that and what it returned.
func (r *Reading) call(block int, item conversation.Item, width int) []flow.Line {
	call := item.Call
	mark, role := markRunning, theme.Muted
	switch {
	case call.Result != nil && call.Result.OK:
		mark, role = markGood, theme.Success
	case call.Result != nil:
		mark, role = markBad, theme.Error
	case !item.Open:
		mark, role = markBad, theme.Warning // its turn ended without a result
	}
	head := flow.Plain(plain.Line(call.Tool), theme.Accent)
	if what := gist(call.Arguments); what != "" {
		head = flow.Join(head, flow.Plain(" "+what, theme.Muted))
	}
	lines := r.head(block, mark, role, head, width)
	if !r.open[block] {
		if call.Result != nil && !call.Result.OK {
			lines = append(lines, flow.Plain(indent+indent+firstLine(call.Result.Output), theme.Error).Cut(width))
		}
		return lines
	}
	if len(call.Arguments) > 0 {
		var pretty bytes.Buffer
		if json.Indent(&pretty, call.Arguments, "", "  ") == nil {
			lines = append(lines, body(paragraphs(pretty.String(), theme.CodeBlock), width)...)
		}
	}
	if call.Result != nil {
		lines = append(lines, body(paragraphs(call.Result.Output, theme.Muted), width)...)
		if call.Result.Truncated {
			lines = append(lines, body([]flow.Line{flow.Plain("[cut off: the workspace, or vexa logs, has what there is]", theme.Muted)}, width)...)
		}
	}
	return lines
}

func (r *Reading) commit(block int, c wsv2.Commit, width int) []string {
	name := c.Name
	if name == "" {
		name = c.Workspace
	}
	name = plain.Line(name)
	mark, role, head := markGood, theme.Success, fmt.Sprintf("commit %s in %s (%s)", short(c.SHA), name, plural(c.Files, "file"))
	var why []flow.Line
	later := r.later[block]
	if !c.Merged && later != merged {
		mark, role = markNote, theme.Warning
		head = fmt.Sprintf("commit %s is not in main of %s (%s)", short(c.SHA), name, plural(c.Files, "file"))
		text := "it needs approval"
		if len(c.Conflicts) > 0 {
			text = "it conflicts in " + strings.Join(c.Conflicts, ", ")
		}
		why = body(paragraphs(text+"\nvexa proposal show "+name+" "+path.Base(c.Branch), theme.Muted), width)
	}
	if id := r.undoing[block]; id != "" {
		why = body(paragraphs("to be taken back by a proposal\nvexa proposal show "+name+" "+id, theme.Muted), width)
	}
	line := flow.Plain(head)
	if later != "" {
		line = flow.Join(flow.Plain(head, theme.Muted), flow.Plain(", "+plain.Line(later)))
	}
	if later != "" && later != merged {
		mark, role = markUndone, theme.Muted
	}
	out := append(r.paint(r.head(block, mark, role, line, width)), r.paint(why)...)
	if !r.open[block] {
		return out
	}
	if !r.Patched(block) {
		return append(out, flow.Plain(indent+indent+"what it changed is being fetched", theme.Muted).Cut(width).Paint(r.theme))
	}
	in := indent
	if width < narrow {
		in = ""
	}
	lines, _ := diff.Render(r.patches[block], r.theme, diff.View{Width: width - len(in), Sides: r.sides, Context: 3, Most: mostLines})
	for _, line := range lines {
		out = append(out, in+line)
	}
	return out
}

// MinSides is how many columns there are to be for patches with two sides.
const MinSides = diff.MinSides + len(indent)

// plan is a step a line, each behind how far it is.
func plan(p wsv2.Plan, width int) []flow.Line {
	lines := []flow.Line{flow.Plain("plan", theme.Muted)}
	for _, s := range p.Steps {
		mark, role, words := markPending, theme.Muted, theme.Text
		switch s.State {
		case wsv2.StepDone:
			mark, role, words = markGood, theme.Success, theme.Muted
		case wsv2.StepActive:
			mark, role, words = markRunning, theme.Accent, theme.Strong
		case wsv2.StepPending:
		}
		lines = append(lines, marked(mark, role, paragraphs(plain.Line(s.Text), words), width)...)
	}
	return lines
}

// card says what was proposed, and where all of it is.
func card(c cardv1.Card) []flow.Line {
	title := cmp.Or(plain.Line(c.Title), "an action")
	return []flow.Line{flow.Plain("proposed: "+title, theme.Muted), flow.Plain("all of it: vexa logs "+plain.Line(c.Unit), theme.Muted)}
}

// unknown says of which events nothing is shown.
func unknown(u conversation.UnknownEvents) string {
	names := make([]string, len(u.Types))
	for i, name := range u.Types {
		names[i] = plain.Line(name)
	}
	return fmt.Sprintf("%s of the runner that this version of Vexa does not understand: %s", plural(u.Count, "event"), strings.Join(names, ", "))
}

// head is the first line of a block that folds.
func (r *Reading) head(block int, mark string, role theme.Role, text flow.Line, width int) []flow.Line {
	fold := markFolded
	if r.open[block] {
		fold = markOpen
	}
	return []flow.Line{flow.Join(flow.Plain(fold, theme.Muted), flow.Plain(mark, role), text).Cut(width)}
}

// marked wraps lines behind a mark, which stands before the first.
func marked(mark string, role theme.Role, lines []flow.Line, width int) []flow.Line {
	var out []flow.Line
	for _, l := range lines {
		out = append(out, l.Wrap(max(width-len(indent), 1))...)
	}
	return flow.Indent(out, flow.Plain(mark, role), flow.Plain(indent))
}

// body wraps what belongs to a block behind its head, and cuts what is too much.
func body(lines []flow.Line, width int) []flow.Line {
	var out []flow.Line
	for _, l := range lines {
		out = append(out, l.Wrap(max(width-2*len(indent), 1))...)
		if len(out) > mostLines {
			out = append(out[:mostLines], flow.Plain("[more of it is in vexa logs]", theme.Muted))
			break
		}
	}
	in := flow.Plain(indent + indent)
	return flow.Indent(out, in, in)
}

// paragraphs are the lines of a foreign text.
func paragraphs(text string, role theme.Role) []flow.Line {
	var out []flow.Line
	for line := range strings.SplitSeq(strings.TrimRight(plain.Text(text), "\n"), "\n") {
		out = append(out, flow.Plain(flow.Tabs(line, 0), role))
	}
	return out
}

// told is a sentence and, behind it, what to do about it.
func told(message, hint string) []flow.Line {
	lines := paragraphs(message, theme.Text)
	if hint != "" && hint != message {
		lines = append(lines, paragraphs(hint, theme.Muted)...)
	}
	return lines
}

// ended says how a turn ended that did not complete. One that the person stopped is no
// failure.
func ended(d wsv2.TurnDone, width int) []flow.Line {
	if how, _ := ending(d); d.Outcome == wsv2.OutcomeInterrupted {
		return marked(markNote, theme.Muted, paragraphs(how, theme.Muted), width)
	}
	return marked(markNote, theme.Error, told(ending(d)), width)
}

// ending says in words how a turn ended that did not complete, and what more there is to
// say.
func ending(d wsv2.TurnDone) (how, why string) {
	switch d.Outcome {
	case wsv2.OutcomeInterrupted:
		return "interrupted; what was written is saved", ""
	case wsv2.OutcomeLimit:
		return "a limit of the dispatch is used up", d.Error
	case wsv2.OutcomeTruncated:
		return "the answer is incomplete", d.Error
	case wsv2.OutcomeLost:
		return "the container ended during the turn", d.Error
	case wsv2.OutcomeFailed, wsv2.OutcomeCompleted:
	}
	return "the turn failed", d.Error
}

// gist is what of a call's arguments tells most: of several the first that is a text.
func gist(arguments json.RawMessage) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(arguments, &members) != nil {
		return ""
	}
	for _, name := range []string{"command", "cmd", "path", "file_path", "filePath", "pattern", "query", "url", "text"} {
		var text string
		if json.Unmarshal(members[name], &text) == nil && text != "" {
			return firstLine(text)
		}
	}
	return firstLine(string(arguments))
}

func firstLine(text string) string {
	line, _, more := strings.Cut(strings.TrimSpace(plain.Text(text)), "\n")
	if more {
		line += " …"
	}
	return line
}

func short(sha string) string { return sha[:min(len(sha), 12)] }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
