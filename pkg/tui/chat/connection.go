package chat

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/sessionid"
)

// link is how the daemon is reached.
type link int

const (
	linkNew    link = iota // nobody has asked yet
	linkUp                 // it answers
	linkGone               // it does not: it is down, or being started again
	linkStuck              // it takes the connection and says nothing
	linkLocked             // it answers, and has no key
	linkFailed             // there is none, and none can be started
)

const (
	// patience is how long the daemon may take to say how it is.
	patience = 3 * time.Second
	// hush is how long a turn may say nothing before it is asked whether the daemon is
	// there at all.
	hush = 10 * time.Second
)

// statusMsg is the daemon's word on itself.
type statusMsg struct {
	status api.Status
	err    error
	late   bool // it did not come in time
	first  bool // it is the answer to the first question
}

// checkMsg asks for that word.
type checkMsg struct{}

// connect makes sure that there is a daemon.
func (m *Model) connect() tea.Cmd {
	return m.do(func(ctx context.Context) tea.Msg {
		st, err := m.daemon.Connect(ctx)
		return statusMsg{status: st, err: err, first: true}
	})
}

// check asks the daemon how it is, unless somebody does already.
func (m *Model) check() tea.Cmd {
	if m.checking {
		return nil
	}
	m.checking = true
	return m.do(func(ctx context.Context) tea.Msg {
		short, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		st, err := m.daemon.Status(short)
		return statusMsg{status: st, err: err, late: short.Err() != nil && ctx.Err() == nil}
	})
}

// connection notes whether frames of a thread come, and asks the daemon why where they do
// not.
func (m *Model) connection(t *thread, broken error) tea.Cmd {
	was := t.lost
	t.lost = broken
	switch {
	case broken != nil && was == nil:
		return m.check()
	case broken == nil && was != nil:
		m.back = true
		return m.check()
	}
	return nil
}

// lost reports whether frames of any thread do not come.
func (m *Model) lost() bool {
	for _, t := range m.threads {
		if t.lost != nil || t.starting != nil && t.starting.tries > 0 {
			return true
		}
	}
	return false
}

// checked takes the daemon's word, and asks again where it is not as it should be.
func (m *Model) checked(msg statusMsg) tea.Cmd {
	m.checking = false
	before := m.link
	switch {
	case msg.late:
		m.link = linkStuck
	case fault.Is(msg.err, fault.Unreachable) && (msg.first || before == linkFailed):
		m.link = linkFailed
	case msg.err != nil:
		m.link = linkGone
	case msg.status.Locked:
		m.link = linkLocked
	default:
		m.link = linkUp
	}
	var cmds []tea.Cmd
	if msg.first && msg.err != nil {
		cmds = append(cmds, m.fail(msg.err))
	}
	if m.link == linkUp || m.link == linkLocked {
		cmds = append(cmds, m.answered(msg, before))
	}
	if m.link != linkUp || m.lost() {
		cmds = append(cmds, tea.Tick(time.Second, func(time.Time) tea.Msg { return checkMsg{} }))
	}
	return tea.Batch(cmds...)
}

// answered says what there was in between, where the daemon is there.
func (m *Model) answered(msg statusMsg, before link) tea.Cmd {
	old := m.pid
	m.brought.stale = m.brought.stale || before != linkUp
	m.pid = msg.status.PID
	var cmds []tea.Cmd
	if m.link == linkUp && before != linkUp && !m.known {
		cmds = append(cmds, m.learn())
	}
	switch {
	case old != 0 && old != m.pid:
		m.back = false
		cmds = append(cmds, m.tell("the daemon was restarted; the chat goes on where it was"))
	case m.back && !m.lost():
		m.back = false
		cmds = append(cmds, m.tell("the stream is back; nothing was lost"))
	case before == linkFailed:
		cmds = append(cmds, m.tell("the daemon answers now"))
	case before == linkStuck || before == linkGone:
		cmds = append(cmds, m.tell("the daemon answers again"))
	}
	return tea.Batch(cmds...)
}

// learnedMsg is what there is to work with.
type learnedMsg struct {
	offered
	workspaces []api.Workspace
	sessions   []api.Session
	wanted     string         // the whole id of the session to open
	held       []api.Dispatch // of it, where nothing is kept of it
	none       error          // there is no such session
	err        error
}

// learn asks what there is to work with.
func (m *Model) learn() tea.Cmd {
	wanted := m.open.Session
	return m.do(func(ctx context.Context) tea.Msg {
		var l learnedMsg
		if l.offered, l.err = offeredBy(ctx, m.daemon); l.err != nil {
			return l
		}
		if l.workspaces, l.err = m.daemon.Workspaces(ctx); l.err != nil {
			return l
		}
		if l.sessions, l.err = m.daemon.Sessions(ctx); l.err == nil && wanted != "" {
			l.find(ctx, m.daemon, wanted)
		}
		return l
	})
}

// find looks for the session to open, by its id or the first letters of it.
func (l *learnedMsg) find(ctx context.Context, d Daemon, wanted string) {
	kept := func(id string) bool {
		return slices.ContainsFunc(l.sessions, func(s api.Session) bool { return s.ID == id })
	}
	if l.wanted = wanted; kept(wanted) {
		return
	}
	var list []api.Dispatch
	if list, l.err = d.Dispatches(ctx, true); l.err != nil {
		return
	}
	if l.wanted, l.none = sessionid.Among(wanted, l.sessions, list); l.none == nil && !kept(l.wanted) {
		l.held = slices.DeleteFunc(list, func(d api.Dispatch) bool { return d.Session != l.wanted })
	}
}

// learned notes it; where there is nothing to work with the person is asked.
func (m *Model) learned(msg learnedMsg) tea.Cmd {
	if msg.err != nil {
		return m.fail(msg.err)
	}
	m.known, m.sessions, m.offered = true, msg.sessions, msg.offered
	m.brought.stale = true
	if (len(msg.models) == 0 || len(msg.workspaces) == 0) && m.setup != nil && !m.wasSetUp {
		m.wasSetUp, m.known = true, false
		return m.outside(m.setup, func(err error) tea.Msg { return setUpMsg{err} })
	}
	return m.pick(msg)
}

// setUpMsg says that the person was asked for what was missing.
type setUpMsg struct{ err error }

func (m *Model) setUp(msg setUpMsg) tea.Cmd {
	if msg.err != nil {
		return m.fail(msg.err)
	}
	return m.learn()
}

// giveUp ends a chat that cannot be what was asked for, unless something was written
// in it by now.
func (m *Model) giveUp(err error) tea.Cmd {
	t := m.threads[0]
	if m.editor.Empty() && len(t.queue) == 0 && len(m.threads) == 1 {
		m.ended = err
		return tea.Quit
	}
	return tea.Batch(m.unqueue(t), m.fail(err))
}

// pick opens the session that the command line asked for. Where nothing is kept of it
// its first turn may run.
func (m *Model) pick(msg learnedMsg) tea.Cmd {
	want, held := m.open, msg.held
	m.open = Opening{}
	t := m.threads[0]
	t.past = false
	if t.session != "" || t.busy() {
		return m.sendNext(t, true)
	}
	var found *api.Session
	for i, s := range m.sessions {
		if want.Session != "" && s.ID == msg.wanted || want.Session == "" && want.Latest && i == 0 {
			found = &m.sessions[i]
		}
	}
	switch {
	case found != nil:
		t.session, t.title = found.ID, found.Title
		return m.resume(t)
	case slices.ContainsFunc(held, func(d api.Dispatch) bool { return d.EndedAt == nil }):
		t.session = msg.wanted
		return m.resume(t)
	case len(held) > 0:
		runner := held[0].Runner
		return m.giveUp(fault.New(fault.NotFound, "nothing is kept of session "+msg.wanted, "it is once a turn of it has ended; runner "+runner+" may keep none: vexa runner show "+runner))
	case want.Session != "":
		return m.giveUp(msg.none)
	case want.Latest:
		return tea.Batch(m.say("there is no session yet; this is a new one"), m.sendNext(t, true))
	}
	return nil
}
