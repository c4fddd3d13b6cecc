package inference

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/nearest"
)

// Resolve returns the provider that serves a model, and the model's name there.
//
// An empty name is the default model. Otherwise it is, in this order: the full
// name "provider/model"; a model that one provider serves, or the default
// provider among others; a provider's name, meaning its first model. The error
// is fault.NotFound, or fault.Conflict where several providers serve the model
// and none of them is the default.
func (t *Table) Resolve(model string) (Provider, string, error) {
	all := t.List()
	if model == "" {
		return resolveDefault(all)
	}
	if name, rest, ok := strings.Cut(model, "/"); ok {
		for _, p := range all {
			if p.Name == name && slices.Contains(p.Models, rest) {
				return p, rest, nil
			}
		}
	}
	var serving []Provider
	for _, p := range all {
		if !slices.Contains(p.Models, model) {
			continue
		}
		if p.Default {
			return p, model, nil
		}
		serving = append(serving, p)
	}
	switch len(serving) {
	case 1:
		return serving[0], model, nil
	case 0:
		if i := slices.IndexFunc(all, func(p Provider) bool { return p.Name == model }); i >= 0 {
			return all[i], all[i].Models[0], nil
		}
		return Provider{}, "", fault.New(fault.NotFound, fmt.Sprintf("no provider serves a model %q", model),
			nearest.Hint(model, modelNames(all), "list them with: vexa model list"))
	default:
		names := make([]string, 0, len(serving))
		for _, p := range serving {
			names = append(names, p.FullName(model))
		}
		return Provider{}, "", fault.New(fault.Conflict, "several providers serve "+model, "name one: "+strings.Join(names, ", "))
	}
}

// modelNames are what a model can be named by.
func modelNames(all []Provider) []string {
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
		for _, m := range p.Models {
			names = append(names, m, p.FullName(m))
		}
	}
	return names
}

func resolveDefault(all []Provider) (Provider, string, error) {
	for _, p := range all {
		if p.Default {
			return p, p.Models[0], nil
		}
	}
	return Provider{}, "", fault.New(fault.NotFound, "there is no model yet", "add one with vexa model add, or run vexa init")
}
