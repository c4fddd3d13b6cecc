package initcmd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
)

// Rehearsal is the name and protocol of the provider that needs no model.
const Rehearsal = "rehearsal"

// model makes sure that there is a model to use.
func (o *Options) model(ctx context.Context, c *client.Client, h home.Home) error {
	list, err := c.Models(ctx)
	if err != nil {
		return err
	}
	if len(list) > 0 && o.Model == "" {
		return o.say("model: %s is already there", describe(list))
	}
	found, err := o.found(ctx)
	if err != nil {
		return err
	}
	choice, err := o.choose(ctx, found)
	if err != nil {
		return err
	}
	choice.Provider.Default = true
	if choice.Provider.Protocol == Rehearsal && o.Factory.Rehearsal != nil {
		if choice.Provider.Cassette, err = o.Factory.Rehearsal(h); err != nil {
			return err
		}
	}
	if _, err := c.AddModel(ctx, choice.Provider); err != nil {
		return err
	}
	if choice.Provider.Protocol == Rehearsal {
		return o.say("model: rehearsal, which plays back %s and is no model; for a real one: vexa model add", choice.Provider.Cassette)
	}
	return o.say("model: %s from %s (%s)", strings.Join(choice.Provider.Models, ", "), choice.Provider.Name, choice.From)
}

func describe(list []api.Provider) string {
	for _, p := range list {
		if p.Default {
			return p.Name
		}
	}
	return list[0].Name
}

// found lists what could be used; the rehearsal is always the last.
func (o *Options) found(ctx context.Context) ([]factory.FoundModel, error) {
	var found []factory.FoundModel
	if o.Factory.FindModels != nil {
		var err error
		if found, err = o.Factory.FindModels(ctx); err != nil {
			return nil, err
		}
	}
	if o.Factory.Rehearsal != nil {
		found = append(found, factory.FoundModel{
			Provider: api.AddProvider{Name: Rehearsal, Protocol: Rehearsal},
			From:     "a script that comes with Vexa; no model",
		})
	}
	if len(found) == 0 {
		return nil, fault.New(fault.NotFound, "there is no model on this machine", "add one with: vexa model add")
	}
	return found, nil
}

// choose picks one: the one named, the only one, the one the person wants, or
// the first.
func (o *Options) choose(ctx context.Context, found []factory.FoundModel) (factory.FoundModel, error) {
	if o.Model != "" {
		return o.named(found)
	}
	if !o.interactive() || len(found) == 1 {
		return found[0], nil
	}
	var q strings.Builder
	q.WriteString("Which model?\n")
	for i, m := range found {
		fmt.Fprintf(&q, "  %d  %s %s (%s)\n", i+1, m.Provider.Name, strings.Join(m.Provider.Models, ", "), m.From)
	}
	q.WriteString("Number [1]: ")
	answer, err := o.Factory.Ask(ctx, q.String(), "use --model NAME, or --yes for the first one")
	if err != nil {
		return factory.FoundModel{}, err
	}
	if strings.TrimSpace(answer) == "" {
		return found[0], nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(answer))
	if err != nil || n < 1 || n > len(found) {
		return factory.FoundModel{}, fault.New(fault.Usage, "there is no number "+strconv.Quote(answer), "run vexa init again, or use --model NAME")
	}
	return found[n-1], nil
}

// named finds o.Model as a model or a provider and puts it first.
func (o *Options) named(found []factory.FoundModel) (factory.FoundModel, error) {
	var names []string
	for _, m := range found {
		if m.Provider.Name == o.Model {
			return m, nil
		}
		if i := slices.Index(m.Provider.Models, o.Model); i >= 0 {
			rest := slices.Delete(slices.Clone(m.Provider.Models), i, i+1)
			m.Provider.Models = append([]string{o.Model}, rest...)
			return m, nil
		}
		names = append(append(names, m.Provider.Name), m.Provider.Models...)
	}
	return factory.FoundModel{}, fault.New(fault.NotFound, fmt.Sprintf("no model %q was found on this machine", o.Model),
		"found: "+strings.Join(names, ", "))
}
