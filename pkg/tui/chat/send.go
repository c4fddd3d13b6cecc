package chat

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// startedMsg answers a message that was sent.
type startedMsg struct {
	thread  int
	key     string // of the request
	started api.Started
	units   []string // that ran the session, the oldest first, where another than before runs it
	err     error
}

// retryMsg sends a message again that the daemon did not take since it was not there.
type retryMsg struct {
	thread int
	key    string
}

// submit sends what was written, or has it wait for the end of the turn.
func (m *Model) submit() tea.Cmd {
	text, shown := strings.TrimRight(m.editor.Text(), " \n"), m.editor.Folded()
	switch {
	case strings.TrimSpace(text) == "":
		return m.steer()
	case m.current().looking:
		return m.say("what there is to choose from is still being read")
	case m.current().attaching:
		return m.say("the files of the message before are still being read")
	}
	m.submitted, m.notice = m.now(), nil
	m.editor.Clear()
	m.popup.Close()
	if cmd, ok := m.command(text, shown); ok {
		return cmd
	}
	m.history.Add(shown)
	return m.sendTyped(message{text, shown, text})
}

// sendTo says something to the agent of a session; while a turn runs it waits for its end.
func (m *Model) sendTo(t *thread, msg message) tea.Cmd {
	t.pane.Follow()
	if t.busy() {
		t.queue = append(t.queue, msg)
		return nil
	}
	return m.start(t, msg)
}

// start sends a message. Its key makes it harmless to send it again.
func (m *Model) start(t *thread, msg message) tea.Cmd {
	r := m.request
	r.Text, r.Key, r.Session = msg.text, rand.Text(), t.session
	r.Model, r.Runner = t.choice.model, t.choice.runner
	r.Workspaces, r.Tools = t.given.workspaces, t.given.tools
	t.starting, t.began, t.stopping = &starting{request: r, message: msg}, m.now(), false
	t.heard = t.began
	return tea.Batch(m.post(t), m.tick())
}

func (m *Model) post(t *thread) tea.Cmd {
	id, r, unit := t.id, t.starting.request, ""
	if t.follow != nil {
		unit = t.follow.unit
	}
	return m.do(func(ctx context.Context) tea.Msg {
		s, err := m.daemon.Start(ctx, r)
		msg := startedMsg{thread: id, key: r.Key, started: s, err: err}
		if err == nil && r.Session != "" && s.Unit != unit {
			msg.units, _ = unitsOf(ctx, m.daemon, s.Session) // without them it is followed alone
		}
		return msg
	})
}

// started takes the daemon's answer to a message.
func (m *Model) started(msg startedMsg) tea.Cmd {
	t := m.threadOf(msg.thread)
	if t == nil || t.starting == nil || t.starting.request.Key != msg.key {
		return nil
	}
	if msg.err != nil {
		return m.notStarted(t, msg)
	}
	if e := t.took(msg.started); e.over {
		well := e.well && !t.stopping
		t.stopping = false
		return tea.Batch(m.look(t, msg.started.Unit), m.goOn(t, well), m.catchUp(t))
	}
	var stop tea.Cmd
	if t.stopping { // before there was anything to stop
		stop = m.stop(t, msg.started.Unit)
	}
	look := m.look(t, msg.started.Unit)
	if t.follow != nil && t.follow.unit == msg.started.Unit {
		return tea.Batch(look, stop)
	}
	from := msg.started.From
	if missed := t.unseen(msg.units); len(missed) > 0 {
		from = "" // somebody else may have begun it
		if first := missed[0]; first != msg.started.Unit {
			t.later, t.past = missed[1:], true
			return tea.Batch(m.begin(t, first, ""), m.look(t, first), stop)
		}
	}
	return tea.Batch(m.begin(t, msg.started.Unit, from), look, stop)
}

// notStarted tries again where there was no daemon, and gives the message back where it
// was refused.
func (m *Model) notStarted(t *thread, msg startedMsg) tea.Cmd {
	if fault.Is(msg.err, fault.Unreachable) && !t.stopping {
		t.starting.tries++
		wait := min(time.Duration(t.starting.tries)*500*time.Millisecond, 5*time.Second)
		return tea.Batch(m.connection(t, msg.err), tea.Tick(wait, func(time.Time) tea.Msg { return retryMsg{t.id, msg.key} }))
	}
	if fault.Is(msg.err, fault.NotFound) && t.starting.request.Session != "" && m.fleeting(m.runnerOf(t)) && !t.stopping {
		return m.startAnew(t)
	}
	text := t.starting.message.shown
	t.starting, t.stopping, t.steering = nil, false, false
	m.giveBack(t, text)
	if fault.Is(msg.err, fault.Interrupted) {
		return nil
	}
	return tea.Batch(m.unqueue(t), m.fail(msg.err))
}

// startAnew sends a message whose session ended with its container as the first of another.
func (m *Model) startAnew(t *thread) tea.Cmd {
	r := &t.starting.request
	r.Session, r.Key = "", rand.Text()
	if d := t.dispatch; d.ID != "" { // what it had stays
		r.Workspaces = t.grants()
		r.Runner, r.Model = orDefault(r.Runner, d.Runner), orDefault(r.Model, d.Model)
		if d.Unit != nil && len(r.Tools) == 0 {
			r.Tools = d.Unit.Tools
		}
	}
	return tea.Batch(m.post(t), m.tell("its container has ended, and the runner keeps no session: it begins anew"))
}

func (m *Model) retry(msg retryMsg) tea.Cmd {
	t := m.threadOf(msg.thread)
	if t == nil || t.starting == nil || t.starting.request.Key != msg.key {
		return nil
	}
	return m.post(t)
}

// giveBack puts a message before what is being written in its thread.
func (m *Model) giveBack(t *thread, text string) {
	if t != m.current() {
		t.draft = joined(text, t.draft)
		return
	}
	written, _ := m.editor.Shown()
	m.editor.SetText(joined(text, written))
}

// unqueue gives back what waited: the turn did not end as whoever wrote it expected.
func (m *Model) unqueue(t *thread) tea.Cmd {
	if len(t.queue) == 0 {
		return nil
	}
	m.giveBack(t, shownOf(t.queue))
	t.queue = nil
	return m.say("what waited is in the editor again")
}

func joined(a, b string) string {
	if strings.TrimSpace(b) == "" {
		return a
	}
	return a + "\n\n" + b
}

// stoppedMsg answers a request to stop.
type stoppedMsg struct {
	thread int
	err    error
}

// interrupt ends the turn that runs; what was written until then is saved.
func (m *Model) interrupt() tea.Cmd {
	t := m.current()
	switch {
	case !t.busy() || t.stopping || t.past:
		return nil
	case t.starting != nil && t.starting.tries > 0: // nobody has it
		text := t.starting.message.shown
		t.starting, t.steering = nil, false
		m.giveBack(t, text)
		return m.unqueue(t)
	}
	t.stopping = true
	if t.starting != nil || t.follow == nil {
		return nil // it is stopped as soon as it has begun
	}
	return m.stop(t, t.follow.unit)
}

func (m *Model) stop(t *thread, unit string) tea.Cmd {
	id := t.id
	return m.do(func(ctx context.Context) tea.Msg {
		_, err := m.daemon.Stop(ctx, unit, true)
		return stoppedMsg{id, err}
	})
}

func (m *Model) stopped(msg stoppedMsg) tea.Cmd {
	if msg.err == nil {
		return nil
	}
	if t := m.threadOf(msg.thread); t != nil {
		t.stopping, t.steering = false, false
	}
	return m.fail(msg.err)
}

// steer stops the turn that runs, and sends what waits at once.
func (m *Model) steer() tea.Cmd {
	t := m.current()
	if len(t.queue) == 0 || !t.busy() || t.past || m.now().Sub(m.submitted) < quiet { // Enter that bounced is none
		return nil
	}
	t.steering = true
	return m.interrupt()
}

// editQueued takes the newest message that waits into the editor, and reports whether
// there was one.
func (m *Model) editQueued() bool {
	t := m.current()
	n := len(t.queue)
	if n == 0 || !m.editor.Empty() {
		return false
	}
	m.editor.SetText(t.queue[n-1].shown)
	t.queue = t.queue[:n-1]
	return true
}
