package chat

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/tui/picker"
)

// useModel has messages go to a model from now on; without a name there is a list.
func (m *Model) useModel(name string) tea.Cmd {
	if name == "" {
		return m.chooseModel()
	}
	m.request.Model = name
	return m.say("from the next message on: " + name)
}

func (m *Model) chooseModel() tea.Cmd {
	items := []picker.Item{{Title: sessions, Detail: orDefault(m.model, "none")}}
	names := []string{""}
	for _, p := range m.models {
		for _, name := range p.Models {
			items = append(items, picker.Item{Title: name, Detail: p.Name + ", " + p.Protocol})
			names = append(names, name)
		}
	}
	m.choose(picker.Options{Title: "Models", Enter: "use it"}, items, func(c picker.Choice) tea.Cmd {
		m.request.Model = names[c.Item]
		return m.say("from the next message on: " + orDefault(names[c.Item], "the session's model"))
	})
	return nil
}

// sessions stands for the model or runner that the session has, or begins with.
const sessions = "the session's"

// runnersMsg are the runners that there are.
type runnersMsg struct {
	list []api.Runner
	err  error
}

// useRunner has a runner take messages from now on; without a name there is a list.
func (m *Model) useRunner(name string) tea.Cmd {
	if name == "" {
		return m.do(func(ctx context.Context) tea.Msg {
			list, err := m.daemon.Runners(ctx)
			return runnersMsg{list, err}
		})
	}
	m.request.Runner = name
	return m.say("from the next message on: " + name)
}

func (m *Model) chooseRunner(msg runnersMsg) tea.Cmd {
	if msg.err != nil {
		return m.fail(msg.err)
	}
	items := []picker.Item{{Title: sessions, Detail: "vexa in a new one"}}
	names := []string{""}
	for _, r := range msg.list {
		items = append(items, picker.Item{Title: r.Name, Detail: strings.TrimSpace(r.Title)})
		names = append(names, r.Name)
	}
	m.choose(picker.Options{Title: "Runners", Enter: "use it"}, items, func(c picker.Choice) tea.Cmd {
		m.request.Runner = names[c.Item]
		return m.say("from the next message on: " + orDefault(names[c.Item], "the session's runner"))
	})
	return nil
}
