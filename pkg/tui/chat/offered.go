package chat

import (
	"context"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// offered are the models and runners that there are, as far as the chat knows.
type offered struct {
	models  []api.Provider
	runners []api.Runner
}

// offeredMsg is what there is by now, and how to go on; nil: nobody waits for it.
type offeredMsg struct {
	offered
	err  error
	then func(error) tea.Cmd
}

// lookUp asks for it, then goes on.
func (m *Model) lookUp(then func(error) tea.Cmd) tea.Cmd {
	return m.do(func(ctx context.Context) tea.Msg {
		o, err := offeredBy(ctx, m.daemon)
		return offeredMsg{o, err, then}
	})
}

func offeredBy(ctx context.Context, d Daemon) (o offered, err error) {
	if o.models, err = d.Models(ctx); err == nil {
		o.runners, err = d.Runners(ctx)
	}
	return o, err
}

// refresh asks what there is by now: somebody may have changed it elsewhere.
func (m *Model) refresh() tea.Cmd {
	if m.link != linkUp || !m.known {
		return nil
	}
	return m.lookUp(nil)
}

func (m *Model) offers(msg offeredMsg) tea.Cmd {
	if msg.err == nil {
		m.offered = msg.offered
	}
	switch {
	case msg.then == nil && fault.Is(msg.err, fault.Locked):
		return m.check()
	case msg.then == nil:
		return nil
	}
	return msg.then(msg.err)
}

// modelNamed is the full name of the one that a person named: by provider/model, by the model
// alone, or by its provider. It goes by what the daemon does with such a name.
func (o offered) modelNamed(name string) (string, error) {
	var serving []string
	byProvider := ""
	for _, p := range o.models {
		for i, model := range p.Models {
			full := p.Name + "/" + model
			switch {
			case name == full || name == model && p.Default:
				return full, nil
			case name == model:
				serving = append(serving, full)
			case name == p.Name && i == 0:
				byProvider = full
			}
		}
	}
	switch {
	case len(serving) == 1:
		return serving[0], nil
	case len(serving) > 1:
		return "", fault.New(fault.Conflict, "several providers serve "+name, "name one: "+strings.Join(serving, ", "))
	case byProvider != "":
		return byProvider, nil
	}
	return "", fault.New(fault.NotFound, fmt.Sprintf("no provider serves a model %q", name), "list them with: /model")
}

// standard is the full name of the model that is used where nobody says which.
func (o offered) standard() string {
	full := ""
	for _, p := range o.models {
		if len(p.Models) > 0 && (full == "" || p.Default) {
			full = p.Name + "/" + p.Models[0]
		}
	}
	return full
}

// runnerNamed is one of that name.
func (o offered) runnerNamed(name string) (api.Runner, error) {
	for _, r := range o.runners {
		if r.Name == name {
			return r, nil
		}
	}
	return api.Runner{}, fault.New(fault.NotFound, "there is no runner "+name, "list them with: /runner")
}

// modelNames are what a model can be named by.
func (o offered) modelNames() (names []string) {
	for _, p := range o.models {
		names = append(names, p.Name)
		for _, model := range p.Models {
			names = append(names, model, p.Name+"/"+model)
		}
	}
	return names
}

func (o offered) runnerNames() []string {
	names := make([]string, len(o.runners))
	for i, r := range o.runners {
		names[i] = r.Name
	}
	return names
}

// unmodelled reports whether it is known of a runner that it uses no model.
func (o offered) unmodelled(runner string) bool {
	r, err := o.runnerNamed(runner)
	return err == nil && len(r.Protocols) == 0
}

// fleeting reports whether it is known of a runner that it keeps no session: once its
// container has ended there is nothing to go on with.
func (o offered) fleeting(runner string) bool {
	r, err := o.runnerNamed(runner)
	return err == nil && !r.Resumes
}

// modelName is a model as people are shown it: provider/model, and one name where both have
// the same.
func modelName(full string) string {
	if provider, model, _ := strings.Cut(full, "/"); provider == model {
		return provider
	}
	return full
}
