package chat

import (
	"context"
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
)

// mostLogged is how far back it is looked whether a commit was taken back.
const mostLogged = 300

// takenBackMsg are the commits of workspaces that others took back, each by which, and those
// that open proposals are to take back.
type takenBackMsg struct {
	thread int
	by     map[string]string
	asked  map[string]string
}

// lookBack asks which commits of a session that is gone on with were taken back since. Where
// it cannot be known they are shown as they were made.
func (m *Model) lookBack(t *thread) tea.Cmd {
	if !t.resumed { // what is taken back here is known
		return nil
	}
	var names []string
	for i := t.conversation.First(); i < t.conversation.Len(); i++ {
		if c := commitOf(t, i); c != nil && c.Merged && !slices.Contains(names, named(*c)) {
			names = append(names, named(*c))
		}
	}
	if len(names) == 0 {
		return nil
	}
	msg := takenBackMsg{t.id, map[string]string{}, map[string]string{}}
	return m.do(func(ctx context.Context) tea.Msg {
		for _, name := range names {
			list, _ := m.daemon.Log(ctx, name, client.LogQuery{Limit: mostLogged})
			takenBack(list, msg.by)
			open, _ := m.daemon.Proposals(ctx, name, false)
			for _, p := range open {
				for _, sha := range p.Undoes {
					msg.asked[sha] = p.ID
				}
			}
		}
		return msg
	})
}

// takenBack adds to by what the commits of a history, the newest first, took back. One that
// was taken back itself took nothing back.
func takenBack(history []api.Commit, by map[string]string) {
	for _, c := range history {
		if by[c.SHA] != "" {
			continue
		}
		for _, sha := range c.Undoes {
			by[sha] = c.SHA
		}
	}
}

func (m *Model) tookBack(msg takenBackMsg) {
	t := m.threadOf(msg.thread)
	if t == nil {
		return
	}
	for i := t.conversation.First(); i < t.conversation.Len(); i++ {
		c := commitOf(t, i)
		switch {
		case c == nil || !c.Merged || t.reading.Later(i) != "":
		case msg.by[c.SHA] != "":
			t.reading.Undone(i, msg.by[c.SHA])
		case msg.asked[c.SHA] != "":
			t.reading.Undoing(i, msg.asked[c.SHA])
		}
	}
}
