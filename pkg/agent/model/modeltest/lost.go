package modeltest

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/agent/model"
)

func (p Protocol) retries(t *testing.T) {
	t.Parallel()
	var waits []time.Duration
	s := serve(t,
		p.refuse(http.StatusTooManyRequests, "rate_limit", "slowly", "Retry-After", "7"),
		p.refuse(http.StatusBadGateway, "api_error", "gone"),
		p.play(Script{Broken: true}),
		p.play(Script{Text: []string{"at last"}, Stop: model.StopEnd}))
	deltas, resp, err := ask(t.Context(), p.model(s, &waits), Conversation())
	if err != nil || resp.Message.Text != "at last" || len(deltas) != 1 {
		t.Errorf("%+v, %v", resp, err)
	}
	if want := []time.Duration{7 * time.Second, 2 * time.Second, model.DefaultBackoff().LostFirst}; !reflect.DeepEqual(want, waits) {
		t.Errorf("waits %+v, want %+v", waits, want)
	}
	waits = nil
	s = serve(t, p.refuse(http.StatusInternalServerError, "api_error", "always", "Retry-After", "86400"))
	if _, _, err := ask(t.Context(), p.model(s, &waits), Conversation()); err == nil || !strings.Contains(err.Error(), "always") {
		t.Errorf("error %v", err)
	}
	attempts := model.DefaultBackoff().Attempts
	if s.count() != attempts || len(waits) != attempts-1 || waits[0] > model.DefaultBackoff().Max {
		t.Errorf("%d requests, waits %v: they must be bounded", s.count(), waits)
	}
	gone := serve(t, p.play(Script{}))
	gone.Close()
	waits = nil
	_, _, err = ask(t.Context(), p.model(gone, &waits), Conversation())
	if total := sum(waits); err == nil || total > time.Minute || total < time.Minute-model.DefaultBackoff().LostMax {
		t.Errorf("no server: %v after %s", err, total)
	}
}

func sum(all []time.Duration) (total time.Duration) {
	for _, d := range all {
		total += d
	}
	return total
}

// lost: a connection that breaks in the middle of an answer costs no answer, and
// nothing is seen twice.
func (p Protocol) lost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		next  []string
		shown string
	}{
		"the same again":  {[]string{"On", "e two", " three."}, "One two three."},
		"something else":  {[]string{"One, or four."}, "One two\n\nOne, or four."},
		"less than that":  {[]string{"One"}, "One two\n\nOne"},
		"no more at all":  {[]string{"One two"}, "One two"},
		"piece for piece": {[]string{"One ", "two", "!"}, "One two!"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var waits []time.Duration
			s := serve(t,
				p.play(Script{Text: []string{"One ", "two"}, Calls: []Call{{"c1", "read", []string{`{"a`}}}, Broken: true}),
				p.play(Script{Broken: true}),
				p.play(Script{Text: c.next, Stop: model.StopEnd}))
			deltas, resp, err := ask(t.Context(), p.model(s, &waits), Conversation())
			if err != nil || resp.Message.Text != strings.Join(c.next, "") || len(resp.Message.Calls) != 0 {
				t.Errorf("%+v, %v", resp, err)
			}
			var shown strings.Builder
			for _, d := range deltas {
				shown.WriteString(d.Text)
			}
			if shown.String() != c.shown {
				t.Errorf("the reader saw %q, want %q", shown.String(), c.shown)
			}
		})
	}
}

// broken: what was said before an answer breaks off is returned. It is asked for
// again where the connection broke, for a while, and never where the provider
// said so.
func (p Protocol) broken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script   Script
		requests int
	}{
		"error event": {Script{Text: []string{"half an"}, Calls: []Call{{"c1", "read", []string{`{"a`}}}, Error: "overloaded"}, 1},
		"closed":      {Script{Text: []string{"half an"}, Broken: true}, 1 + model.DefaultBackoff().Broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var waits []time.Duration
			s := serve(t, p.play(c.script))
			deltas, resp, err := ask(t.Context(), p.model(s, &waits), Conversation())
			var e *model.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.script.Error) {
				t.Errorf("error %v", err)
			}
			if resp.Message.Text != "half an" || s.count() != c.requests || len(deltas) != 1 {
				t.Errorf("text %q after %d requests, seen %+v", resp.Message.Text, s.count(), deltas)
			}
		})
	}
	// An end without the last event is no end.
	cut := p.Encode(Script{Text: []string{"x"}, Broken: true})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, cut)
	})
	if _, _, err := ask(t.Context(), p.model(s, nil), Conversation()); err == nil {
		t.Error("an answer without its end was taken for whole")
	}
	s = serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {nonsense\n\n")
	})
	var e *model.Error
	if _, _, err := ask(t.Context(), p.model(s, nil), Conversation()); !errors.As(err, &e) || e.Transient {
		t.Errorf("an event that is not JSON gives %v", err)
	}
}
