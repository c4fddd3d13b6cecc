package chat

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/attach"
	"github.com/vexa-ai/vexa/pkg/tui/feed"
	"github.com/vexa-ai/vexa/pkg/tui/mention"
)

// follow is the frames of a unit, as they come.
type follow struct {
	unit string
	from string // cursor behind the last frame that came
	id   int
	next tea.Cmd // waits for more
	stop func()
}

// batchMsg is what came.
type batchMsg struct {
	thread, follow int
	feed.Batch
	err error // the program ends
}

// followAgainMsg begins to follow anew where the stream could not go on.
type followAgainMsg struct{ thread, follow int }

// again is how long it takes until a stream is asked for again.
const again = 2 * time.Second

// begin follows a unit from a cursor.
func (m *Model) begin(t *thread, unit, from string) tea.Cmd {
	if t.follow != nil {
		t.follow.stop()
	}
	m.follows++
	id, thread := m.follows, t.id
	t.seq[unit] += 0 // it has been seen, whatever comes of it
	f := feed.New(m.daemon, unit, from)
	ctx, stop := m.scope()
	next := func() tea.Msg {
		b, err := f.Next(ctx)
		return batchMsg{thread, id, b, err}
	}
	t.follow = &follow{unit: unit, from: from, id: id, next: next, stop: stop}
	run := func() tea.Msg {
		f.Run(ctx)
		return nil
	}
	return tea.Batch(run, next)
}

// batch takes what came, and waits for more.
func (m *Model) batch(msg batchMsg) tea.Cmd {
	t := m.threadOf(msg.thread)
	if t == nil || t.follow == nil || t.follow.id != msg.follow || msg.err != nil {
		return nil // of a stream that nobody follows any more
	}
	f := t.follow
	if n := len(msg.Entries); n > 0 {
		f.from, t.heard = msg.Entries[n-1].Cursor, m.now()
	}
	var cmds []tea.Cmd
	fresh := t.session == ""
	m.remember(t, msg.Entries)
	untitled := t.title == ""
	done := t.apply(f.unit, msg.Batch)
	if untitled { // as it was written, not as the agent has it
		t.title = plain.Short(mention.Unplace(t.title, m.dirs(t)), longTitle)
	}
	m.brought.stale = m.brought.stale || !t.past && merges(msg.Entries)
	if fresh && t.session != "" {
		cmds = append(cmds, m.listSessions())
	}
	if done != nil {
		cmds = append(cmds, m.turnDone(t, *done))
	}
	cmds = append(cmds, m.connection(t, msg.Broken))
	if t.past && len(t.later) == 0 && len(msg.Entries) > 0 {
		t.past = false
		cmds = append(cmds, m.lookBack(t), m.sendNext(t, true))
	}
	if t.busy() {
		cmds = append(cmds, m.tick())
	}
	switch {
	case !msg.Ended:
		cmds = append(cmds, f.next)
	case msg.Err != nil && !fault.Is(msg.Err, fault.NotFound):
		cmds = append(cmds, m.connection(t, msg.Err), tea.Tick(again, func(time.Time) tea.Msg { return followAgainMsg{t.id, f.id} }))
	default:
		cmds = append(cmds, m.unitEnded(t))
	}
	return tea.Batch(cmds...)
}

// merges reports whether a workspace has another content by now.
func merges(list []client.Entry) bool {
	return slices.ContainsFunc(list, func(e client.Entry) bool {
		c, ok := e.Frame.Body.(wsv2.Commit)
		return ok && c.Merged
	})
}

// remember notes what was said in a session before, to be said again.
func (m *Model) remember(t *thread, list []client.Entry) {
	if !t.past {
		return
	}
	for _, e := range list {
		if said, ok := e.Frame.Body.(wsv2.TurnAccepted); ok {
			m.history.Add(attach.Disarm(said.Text))
		}
	}
}

// unitEnded goes on with the unit whose frames come next.
func (m *Model) unitEnded(t *thread) tea.Cmd {
	t.follow.stop()
	t.follow = nil
	t.container = ""
	if len(t.later) == 0 {
		t.past = false
		return tea.Batch(m.lookBack(t), m.sendNext(t, true), m.catchUp(t))
	}
	unit := t.later[0]
	t.later = t.later[1:]
	return tea.Batch(m.begin(t, unit, ""), m.look(t, unit))
}

// followAgain takes a stream up behind the last frame that came.
func (m *Model) followAgain(msg followAgainMsg) tea.Cmd {
	t := m.threadOf(msg.thread)
	if t == nil || t.follow == nil || t.follow.id != msg.follow {
		return nil
	}
	return m.begin(t, t.follow.unit, t.follow.from)
}

// turnDone says what the end of a turn means for what waits.
func (m *Model) turnDone(t *thread, done wsv2.TurnDone) tea.Cmd {
	answered := t.starting == nil // else the answer to what is on its way comes first
	t.stopping = t.stopping && !answered
	cmds := []tea.Cmd{m.listSessions(), m.refresh()}
	if t.follow != nil {
		cmds = append(cmds, m.look(t, t.follow.unit))
	}
	if t.past {
		return nil
	}
	cmds = append(cmds, m.lookBack(t), m.callAgain(t))
	if t != m.current() {
		t.news = true
	} else {
		m.done()
	}
	if answered {
		cmds = append(cmds, m.goOn(t, done.OK))
	}
	return tea.Batch(cmds...)
}

// goOn sends what waits for the end of a turn, or gives it back.
func (m *Model) goOn(t *thread, ok bool) tea.Cmd {
	if t.unheard != nil {
		t.queue = append([]message{*t.unheard}, t.queue...)
		t.unheard = nil
	}
	well := ok || t.steering
	t.steering = false
	return m.sendNext(t, well)
}

// sendNext sends what waits, where the turn before it ended well, else gives it back.
func (m *Model) sendNext(t *thread, well bool) tea.Cmd {
	switch {
	case len(t.queue) == 0 || t.busy():
		return nil
	case !well:
		return m.unqueue(t)
	}
	next := t.queue[0]
	t.queue = t.queue[1:]
	return m.start(t, next)
}

// dispatchMsg is what a unit is: its workspaces, its container.
type dispatchMsg struct {
	thread   int
	dispatch api.Dispatch
	err      error
}

// look asks what a unit is.
func (m *Model) look(t *thread, unit string) tea.Cmd {
	id := t.id
	return m.do(func(ctx context.Context) tea.Msg {
		d, err := m.daemon.Dispatch(ctx, unit)
		return dispatchMsg{id, d, err}
	})
}

func (m *Model) looked(msg dispatchMsg) {
	t := m.threadOf(msg.thread)
	if t == nil || msg.err != nil || t.follow != nil && t.follow.unit != msg.dispatch.ID || msg.dispatch.StartedAt.Before(t.dispatch.StartedAt) {
		return
	}
	t.dispatch = msg.dispatch
}

// unitsMsg are the units that ran a session, the oldest first.
type unitsMsg struct {
	thread int
	units  []string
	err    error
}

// resume brings what was said in a session before.
func (m *Model) resume(t *thread) tea.Cmd {
	t.past, t.resumed = true, true
	id, session := t.id, t.session
	return m.do(func(ctx context.Context) tea.Msg {
		units, err := unitsOf(ctx, m.daemon, session)
		return unitsMsg{id, units, err}
	})
}

// unitsOf are the units that ran a session, the oldest first.
func unitsOf(ctx context.Context, d Daemon, session string) ([]string, error) {
	list, err := d.DispatchesOf(ctx, session)
	slices.SortFunc(list, func(a, b api.Dispatch) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), strings.Compare(a.ID, b.ID))
	})
	units := make([]string, len(list))
	for i, d := range list {
		units[i] = d.ID
	}
	return units, err
}

// missedMsg are the units that ran a session, where somebody else may have gone on with it.
type missedMsg struct {
	thread int
	units  []string
}

// catchUp asks whether somebody went on with a session elsewhere, where nothing of it is
// followed.
func (m *Model) catchUp(t *thread) tea.Cmd {
	if t.session == "" || t.follow != nil || t.busy() || m.link != linkUp {
		return nil
	}
	id, session := t.id, t.session
	return m.do(func(ctx context.Context) tea.Msg {
		units, _ := unitsOf(ctx, m.daemon, session) // it is asked again
		return missedMsg{id, units}
	})
}

// missed follows what nobody had shown here.
func (m *Model) missed(msg missedMsg) tea.Cmd {
	t := m.threadOf(msg.thread)
	if t == nil || t.follow != nil || t.busy() {
		return nil
	}
	missed := t.unseen(msg.units)
	if len(missed) == 0 {
		return nil
	}
	t.later, t.past = missed[1:], true
	return tea.Batch(m.begin(t, missed[0], ""), m.look(t, missed[0]))
}

func (m *Model) resumed(msg unitsMsg) tea.Cmd {
	t := m.threadOf(msg.thread)
	if t == nil {
		return nil
	}
	switch {
	case msg.err != nil:
		t.past = false
		return tea.Batch(m.fail(msg.err), m.sendNext(t, true))
	case len(msg.units) == 0:
		t.past = false
		return tea.Batch(m.say("nothing is kept of what was said in this session; the agent still knows it"), m.sendNext(t, true))
	}
	t.later = msg.units[1:]
	return tea.Batch(m.begin(t, msg.units[0], ""), m.look(t, msg.units[0]))
}
