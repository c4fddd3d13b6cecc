package chat

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/nearest"
	"github.com/vexa-ai/vexa/pkg/tui/picker"
)

// choice is what the person chose for a session; "": what it has, or begins with.
type choice struct{ model, runner string }

// sessions stands for the model or runner that the session has, or begins with.
const sessions = "the session's"

// naming is how the model, or the runner, of a session is chosen by its name.
type naming struct {
	command string
	list    func()               // what there is, to choose from
	take    func(*thread) error  // the name
	got     func(*thread) string // what was taken
	names   func() []string      // that there are
}

// useModel has the messages of the session go to a model from now on; without a name there
// is a list.
func (m *Model) useModel(name string) tea.Cmd {
	return m.use(name, naming{"/model", m.chooseModel, func(t *thread) error {
		if runner := m.runnerOf(t); m.unmodelled(runner) {
			return fault.New(fault.Invalid, "runner "+runner+" uses no model", "choose another in a new session: /runner")
		}
		full, err := m.modelNamed(name)
		if err == nil {
			t.choice.model = full
		}
		return err
	}, func(t *thread) string { return modelName(t.choice.model) }, func() []string { return m.modelNames() }})
}

// useRunner has a runner take the messages of the session from now on, likewise.
func (m *Model) useRunner(name string) tea.Cmd {
	return m.use(name, naming{"/runner", m.chooseRunner, func(t *thread) error {
		r, err := m.runnerNamed(name)
		if err == nil {
			err = m.holds(t, r.Name)
		}
		if err == nil {
			t.choice.runner = r.Name
		}
		return err
	}, func(t *thread) string { return t.choice.runner }, func() []string { return m.runnerNames() }})
}

// holds is an error where the session is another runner's.
func (m *Model) holds(t *thread, name string) error {
	if had := t.conversation.Runner(); had != "" && had != name {
		return fault.New(fault.Conflict, "this session is held with runner "+had, "for another: /new, then /runner "+name)
	}
	return nil
}

// use takes a name, or lists what there is. A name that is not known may be new: the daemon
// is asked before it is refused.
func (m *Model) use(name string, n naming) tea.Cmd {
	t := m.current()
	taken := func() tea.Cmd { return m.say("from the next message of this session on: " + n.got(t)) }
	switch {
	case name != "" && n.take(t) == nil:
		return taken()
	case name == "" && m.known: // what is typed next is for the list
		n.list()
		return m.refresh()
	}
	t.looking = true
	return m.lookUp(func(err error) tea.Cmd {
		t.looking = false
		switch {
		case err == nil && name == "":
			if t == m.current() && m.over == nil {
				n.list()
			}
			return nil
		case err == nil:
			err = n.take(t)
		}
		if err == nil {
			return taken()
		}
		line := strings.TrimSpace(n.command + " " + name)
		m.giveBack(t, line)
		near := nearest.To(name, n.names())
		if near == "" || !fault.Is(err, fault.NotFound) {
			return m.fail(err)
		}
		return m.mistaken(err, line, n.command+" "+near, near)
	})
}

func (m *Model) chooseModel() {
	t := m.current()
	own := orDefault(t.conversation.Model(), m.standard())
	items, names := []picker.Item{{Title: sessions, Detail: orDefault(modelName(own), "none")}}, []string{""}
	for _, p := range m.models {
		for _, name := range p.Models {
			full := p.Name + "/" + name
			items, names = append(items, picker.Item{Title: modelName(full), Detail: p.Protocol}), append(names, full)
		}
	}
	m.choose(picker.Options{Title: "Models", Enter: "use it"}, items, func(c picker.Choice) tea.Cmd {
		t.choice.model = names[c.Item]
		return m.say("from the next message of this session on: " + orDefault(modelName(names[c.Item]), "the session's model"))
	})
}

func (m *Model) chooseRunner() {
	t := m.current()
	items, names := []picker.Item{{Title: sessions, Detail: orDefault(t.conversation.Runner(), "vexa, as it is new")}}, []string{""}
	for _, r := range m.runners {
		items, names = append(items, picker.Item{Title: r.Name, Detail: strings.TrimSpace(r.Title)}), append(names, r.Name)
	}
	m.choose(picker.Options{Title: "Runners", Enter: "use it"}, items, func(c picker.Choice) tea.Cmd {
		name := names[c.Item]
		if name == "" {
			t.choice.runner = ""
			return m.say("from the next message of this session on: the session's runner")
		}
		return m.useRunner(name)
	})
}
