package chat

import (
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/tui/conversation"
	"github.com/vexa-ai/vexa/pkg/tui/feed"
	"github.com/vexa-ai/vexa/pkg/tui/pane"
	"github.com/vexa-ai/vexa/pkg/tui/reading"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// thread is one conversation of those that are open at once.
type thread struct {
	id      int
	session string // "" before its first turn
	title   string
	called  string // the title, where the daemon has no session yet to give it to
	draft   string // what was being written in it when another was shown
	news    bool   // something came to an end while another was shown

	conversation *conversation.Conversation
	reading      *reading.Reading
	pane         pane.Pane
	fresh        bool // something came that is below what is shown
	selected     int  // the block that a key would act upon; -1: none

	container string            // in which the agent is; "": none
	dispatch  api.Dispatch      // of the unit that is followed, as far as it is known
	follow    *follow           // of the unit whose frames come; nil: none
	later     []string          // units whose frames come after that
	seq       map[string]uint64 // of the last frame of each unit that was followed

	choice    choice
	given     given
	looking   bool      // a name of a model or a runner is being looked up
	attaching bool      // the files of a message are being read
	starting  *starting // a message that the daemon has not taken yet
	expected  string    // a turn that it has taken, and of which nothing came yet
	said      message   // what was said in that
	unheard   *message  // what was said in a turn that ended before an agent had it
	queue     []message // messages that wait for the end of the turn
	began     time.Time // when the turn began, or the message was sent
	heard     time.Time // when a frame came last
	stopping  bool      // it was asked to end
	steering  bool      // so that what waits is sent
	lost      error     // why no frames come, while they do not
	resumed   bool      // it was held before this chat
	past      bool      // what was said before is still coming
}

// turnOf names a turn of a unit.
type turnOf struct{ unit, turn string }

// given are the workspaces and tools that messages of a thread are sent with; none: what the
// session has, or a new one begins with.
type given struct {
	workspaces []api.Grant
	tools      []string
}

// grants are the workspaces that the next message is sent with; none: it is not known.
func (t *thread) grants() (list []api.Grant) {
	if len(t.given.workspaces) > 0 {
		return t.given.workspaces
	}
	for _, w := range t.dispatch.Workspaces {
		list = append(list, api.Grant{Workspace: orDefault(w.Name, w.ID), Mode: w.Mode})
	}
	if len(list) == 0 && !t.resumed { // what the session has nobody knows any more
		return []api.Grant{{Workspace: personal, Mode: unitv1.ReadWrite}}
	}
	return list
}

// longTitle is how much of a message is a title until the session has one.
const longTitle = 100

// starting is a message on its way.
type starting struct {
	request api.StartRequest
	message message
	tries   int
	early   map[turnOf]early // of turns of which frames came since
}

// early is what came of a turn before it was known whose it is.
type early struct{ accepted, over, well bool }

// came notes something of a turn.
func (s *starting) came(f wsv2.Frame, note func(*early)) {
	if s == nil {
		return
	}
	its := turnOf{f.Unit, f.Turn}
	e := s.early[its]
	note(&e)
	if s.early == nil {
		s.early = map[turnOf]early{}
	}
	s.early[its] = e
}

func newThread(id int, session string, th theme.Theme) *thread {
	c := &conversation.Conversation{}
	return &thread{id: id, session: session, conversation: c, reading: reading.New(c, th), selected: -1, seq: map[string]uint64{}}
}

// busy reports whether a message has to wait.
func (t *thread) busy() bool {
	return t.past || t.starting != nil || t.expected != "" || t.conversation.Running() != ""
}

// apply takes what came of a unit, and returns how the last turn that ended in it did,
// nil where none ended.
func (t *thread) apply(unit string, b feed.Batch) (done *wsv2.TurnDone) {
	from, changed := t.conversation.Len(), false
	for _, e := range b.Entries {
		if e.Frame.Seq <= t.seq[unit] {
			continue // it came twice
		}
		t.seq[unit] = e.Frame.Seq
		if d := t.heed(e.Frame); d != nil {
			done = d
		}
		from, changed = min(from, t.conversation.Apply(e.Frame)), true
	}
	if changed {
		t.reading.Changed(from)
		t.fresh = t.fresh || !t.pane.Following() && !t.past
	}
	return done
}

// heed notes what a frame says of the thread itself, and returns the end of a turn.
func (t *thread) heed(f wsv2.Frame) (done *wsv2.TurnDone) {
	switch body := f.Body.(type) {
	case wsv2.TurnAccepted:
		t.session = body.Session
		t.starting.came(f, func(e *early) { e.accepted = true })
		if t.expected == "" {
			t.began = f.TS // somebody else said it, or it was before
		}
		t.container = orDefault(body.Container, t.container)
		if t.expected == f.Turn {
			t.expected = ""
		}
		if t.title == "" {
			text, _, _ := strings.Cut(strings.TrimSpace(body.Text), "\n\n") // what was attached comes behind that
			t.title = plain.Short(text, longTitle)
		}
	case wsv2.State:
		t.container = body.Container
		if body.State == string(runtimev1.Destroyed) {
			t.container = ""
		}
	case wsv2.TurnDone:
		t.starting.came(f, func(e *early) { e.over, e.well = true, body.OK })
		if t.expected == f.Turn {
			said := t.said
			t.expected, t.unheard = "", &said
		}
		return &body
	}
	return nil
}

// took notes that the daemon has taken the message that was on its way, and returns what
// came of its turn already: frames may be there before the answer is.
func (t *thread) took(s api.Started) early {
	e := t.starting.early[turnOf{s.Unit, s.Turn}]
	t.said = t.starting.message
	t.starting, t.session = nil, s.Session
	switch {
	case e.accepted:
	case e.over:
		said := t.said
		t.unheard = &said
	default:
		t.expected = s.Turn
	}
	return e
}

// unseen are those of units of which nothing was followed here.
func (t *thread) unseen(units []string) (out []string) {
	for _, u := range units {
		if _, seen := t.seq[u]; !seen {
			out = append(out, u)
		}
	}
	return out
}

// blocks are what the pane of a thread shows: what was said, and behind it what was not
// taken yet.
type blocks struct {
	*reading.Reading
	pending [][]string
}

// Len implements pane.Blocks.
func (b blocks) Len() int { return b.Reading.Len() + len(b.pending) }

// Lines implements pane.Blocks.
func (b blocks) Lines(block, width int) []string {
	if i := block - b.Reading.Len(); i >= 0 {
		return b.pending[i]
	}
	return b.Reading.Lines(block, width)
}
