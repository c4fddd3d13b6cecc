package chat

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/tui/conversation"
	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/mention"
	"github.com/vexa-ai/vexa/pkg/tui/picker"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// sessionsMsg are the sessions that are kept.
type sessionsMsg struct {
	list []api.Session
	open bool // they are to be shown
	err  error
}

// listSessions asks for them.
func (m *Model) listSessions() tea.Cmd {
	return m.do(func(ctx context.Context) tea.Msg {
		list, err := m.daemon.Sessions(ctx)
		return sessionsMsg{list: list, err: err}
	})
}

// listed notes them, and with them the titles of those that are open.
func (m *Model) listed(msg sessionsMsg) tea.Cmd {
	if msg.err != nil {
		return m.fail(msg.err)
	}
	m.sessions = msg.list
	for _, s := range msg.list {
		for _, t := range m.threads {
			if t.session == s.ID && s.Title != "" && t.called == "" {
				t.title = s.Title
			}
		}
	}
	m.relist()
	if msg.open && m.over == nil {
		return m.openSessions()
	}
	return nil
}

// place is where a row of the list of sessions leads: to a thread, or to a session that is
// not open.
type place struct {
	thread  int // -1: none
	session api.Session
}

// openSessions lists the sessions, those that are open first.
func (m *Model) openSessions() tea.Cmd {
	l := &sessionList{}
	items, places := m.places()
	l.places = places
	o := picker.Options{Title: "Sessions", Enter: "go there", Tab: "rename", Preview: func(item, width int) []flow.Line {
		return m.sessionPreview(l.places[item], width)
	}}
	l.chooser = m.choose(o, items, func(c picker.Choice) tea.Cmd {
		p := l.places[c.Item]
		switch {
		case c.Action == picker.Second:
			return m.askTitle(p)
		case p.thread >= 0:
			m.switchTo(p.thread)
			return nil
		}
		return m.openSession(p.session)
	})
	m.listing = l
	return m.listSessions()
}

// sessionList is the list of sessions, and where its rows lead.
type sessionList struct {
	*chooser
	places []place
}

// relist adds to the list that is open what it did not have.
func (m *Model) relist() {
	l := m.listing
	if l == nil || m.over == nil || m.over.Overlay != Overlay(l.chooser) {
		return
	}
	items, places := m.places()
	var fresh []picker.Item
	for i, p := range places {
		if p.thread < 0 && !slices.ContainsFunc(l.places, func(old place) bool { return old.session.ID == p.session.ID }) {
			fresh, l.places = append(fresh, items[i]), append(l.places, p)
		}
	}
	if len(fresh) > 0 {
		l.Add(picker.Prepare(fresh))
	}
}

// places are the sessions that there are, as rows and as what they lead to.
func (m *Model) places() (items []picker.Item, places []place) {
	for i, t := range m.threads {
		note := "open"
		switch {
		case i == m.shown:
			note = "shown"
		case t.busy():
			note = "working"
		case t.news:
			note = "has news"
		}
		items, places = append(items, picker.Item{Title: titleOf(t), Detail: note}), append(places, place{i, api.Session{ID: t.session, Title: t.title}})
	}
	list := slices.Clone(m.sessions)
	slices.SortStableFunc(list, func(a, b api.Session) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	for _, s := range list {
		if m.threadIn(s.ID) < 0 {
			items = append(items, picker.Item{Title: orDefault(s.Title, s.ID), Detail: ago(m.now().Sub(s.UpdatedAt))})
			places = append(places, place{-1, s})
		}
	}
	apart(items, places)
	return items, places
}

// apart puts before the second column of rows with the same title what tells them apart:
// the id of the session, or the key that leads to one that is new.
func apart(items []picker.Item, places []place) {
	rows := map[string][]int{}
	for i, it := range items {
		rows[it.Title] = append(rows[it.Title], i)
	}
	for _, same := range rows {
		if len(same) < 2 {
			continue
		}
		seen := map[string]bool{}
		for _, i := range same {
			p := places[i]
			mark := p.session.ID[:min(len(p.session.ID), idLetters)]
			switch {
			case mark == "":
				mark = "Alt-" + itoa(p.thread+1)
			case seen[mark]: // they begin alike
				mark = p.session.ID
			}
			seen[mark] = true
			items[i].Detail = mark + " · " + items[i].Detail
		}
	}
}

// idLetters is how much of a session's id is shown: what the commands take for it.
const idLetters = 8

// sessionPreview is what was said last in a session that is open, and what came of it;
// else what is known of it.
func (m *Model) sessionPreview(p place, width int) (out []flow.Line) {
	if p.thread < 0 {
		s := p.session
		out = append(out, flow.Plain(orDefault(s.Title, s.ID)).Wrap(max(width, 1))...)
		return append(out, flow.Line{},
			flow.Plain("last used "+ago(m.now().Sub(s.UpdatedAt)), theme.Muted),
			flow.Plain("runner "+orDefault(s.Runner, "vexa"), theme.Muted),
			flow.Plain("session "+s.ID, theme.Muted))
	}
	t := m.threads[min(p.thread, len(m.threads)-1)]
	from := t.conversation.Len() - 1
	for ; from > t.conversation.First(); from-- {
		if item, _ := t.conversation.At(from); item.Kind == conversation.Said {
			break
		}
	}
	for i := max(from, t.conversation.First()); i < t.conversation.Len(); i++ {
		item, _ := t.conversation.At(i)
		text := flow.Plain(plain.Short(item.Text(), previewText))
		if item.Kind == conversation.Said {
			text = flow.Plain(plain.Short(mention.Unplace(item.Text()[:min(len(item.Text()), mostPending)], m.dirs(t)), previewText))
			out = append(out, flow.Indent(text.Wrap(max(width-2, 1)), flow.Plain("> ", theme.Prompt), flow.Plain("  "))...)
		}
		if item.Kind == conversation.Answer {
			out = append(append(out, flow.Line{}), text.Wrap(max(width, 1))...)
		}
	}
	if len(out) == 0 {
		out = append(out, flow.Plain("nothing was said yet", theme.Muted))
	}
	return out
}

// previewText is how much of a message is shown beside the list, in bytes.
const previewText = 300

// askTitle asks for another title of a session.
func (m *Model) askTitle(p place) tea.Cmd {
	if p.session.ID == "" {
		return m.say("a session has a title once something was said in it")
	}
	m.askLine("The title of this session", p.session.Title, func(title string) tea.Cmd {
		return m.retitle(p.session.ID, title, true)
	})
	return nil
}

// openSession shows a session that is kept, in the place of an empty thread where that is
// what is shown.
func (m *Model) openSession(s api.Session) tea.Cmd {
	if i := m.threadIn(s.ID); i >= 0 {
		m.switchTo(i)
		return nil
	}
	t := m.current()
	if t.session != "" || t.busy() {
		t = m.add(s.ID)
	}
	t.session, t.title, t.choice, t.given = s.ID, s.Title, choice{}, given{} // what a chat begins with is for new ones
	return m.resume(t)
}

// threadIn is the thread of a session, -1 where it is not open.
func (m *Model) threadIn(session string) int {
	return slices.IndexFunc(m.threads, func(t *thread) bool { return t.session == session })
}

func titleOf(t *thread) string { return orDefault(t.title, "new session") }

// ago says how long ago something was, roughly and in few columns.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return itoa(int(d/time.Minute)) + " min ago"
	case d < 48*time.Hour:
		return itoa(int(d/time.Hour)) + " h ago"
	default:
		return plural(int(d/(24*time.Hour)), "day") + " ago"
	}
}
