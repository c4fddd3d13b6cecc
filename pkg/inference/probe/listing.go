package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// list asks for the provider's models, which tells first of all whether anything
// is there. It reports whether there is.
func (t *test) list(ctx context.Context) bool {
	p := t.o.Provider.As(t.o.Provider.Protocols()[0])
	t.begin(Reachable, "")
	ctx, cancel := context.WithTimeout(ctx, listing)
	defer cancel()
	t.report.Requests++
	models, err := t.o.Upstream.Models(ctx, p, t.o.Key)
	var status inference.StatusError
	answered := err == nil || errors.As(err, &status)
	switch {
	case p.Protocol == inference.Rehearsal:
		t.add(Check{Name: Reachable, State: Yes, Detail: "a rehearsal: prepared turns of a file, and no model"})
		return true
	case ctx.Err() != nil:
		t.add(Check{Name: Reachable, State: Unknown, Detail: "it does not answer GET /models in time"})
		return true // it may be busy, or loading a model
	case !answered && unreachable(err):
		t.add(Check{Name: Reachable, State: No, Detail: "provider " + p.Name + " cannot be reached: " + cause(err)})
		return false
	}
	t.add(Check{Name: Reachable, State: Yes, Detail: p.URL})
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		t.add(Check{Name: Listed, State: Unknown, Detail: "it does not list its models to this key: " + status.Error()})
	case err != nil:
		t.add(Check{Name: Listed, State: Unknown, Detail: "it does not list its models: " + cause(err)})
	default:
		t.compare(models)
	}
	return true
}

// compare looks for the model in the provider's list.
func (t *test) compare(models []inference.ListedModel) {
	found := false
	for _, m := range models {
		t.listed = append(t.listed, m.ID)
		if m.ID == t.o.Model || strings.TrimSuffix(m.ID, ":latest") == t.o.Model {
			found, t.report.Context = true, max(t.report.Context, m.Context)
		}
	}
	count := fmt.Sprintf("%d models", len(models))
	if len(models) == 1 {
		count = "one model"
	}
	switch {
	case len(models) == 0:
		t.add(Check{Name: Listed, State: Unknown, Detail: "its list names no model"})
	case found:
		t.add(Check{Name: Listed, State: Yes, Detail: "it lists " + count})
	default:
		t.add(Check{Name: Listed, State: No, Detail: "it lists " + count + ": " + few(t.listed)})
	}
	if t.report.Context > 0 {
		t.add(Check{Name: Context, State: Yes, Detail: fmt.Sprintf("%d tokens, it says", t.report.Context)})
	}
}
