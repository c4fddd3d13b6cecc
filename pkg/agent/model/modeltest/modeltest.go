// Package modeltest is the conformance suite of model.Model: every adapter must
// behave the same towards a server that speaks its wire protocol, whatever that
// server does.
package modeltest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/agent/model"
)

// Script is one answer of a server, in no protocol's terms.
type Script struct {
	Reasoning []string // pieces
	Text      []string // pieces
	Calls     []Call
	Stop      model.Stop
	Usage     model.Usage
	Error     string // an error event after all of that, instead of the end
	Broken    bool   // the connection ends after all of that, instead of the end
}

// Call is a tool call whose arguments come in pieces.
type Call struct {
	ID     string
	Name   string
	Pieces []string
}

// Protocol is what the suite needs to know of a wire protocol.
type Protocol struct {
	Path   string // that the adapter asks
	New    func(c *http.Client, base, token, name string) model.Model
	Encode func(s Script) string             // the body of an event stream, in the real wire form
	Base   string                            // what follows the server's address in a base URL
	Token  func(h http.Header) string        // the token of a request
	Error  func(code, message string) string // the body of an answer that is no success
	// Request is the body the adapter must send for Conversation, as JSON.
	Request string
}

// Conversation is a request with everything in it.
func Conversation() model.Request {
	return model.Request{
		System: "be brief", MaxTokens: 100,
		Messages: []model.Message{
			{Role: model.RoleUser, Text: "first"},
			{Role: model.RoleUser, Text: "second"},
			{Role: model.RoleAssistant, Text: "let me look", Calls: []model.Call{
				{ID: "c1", Name: "read", Arguments: json.RawMessage(`{"path":"a"}`)},
				{ID: "c2", Name: "list", Arguments: json.RawMessage(`{}`)},
			}},
			{Role: model.RoleTool, Results: []model.Result{
				{ID: "c1", Name: "read", OK: true, Output: "text of a"},
				{ID: "c2", Name: "list", Output: "error: no"},
			}},
			{Role: model.RoleAssistant, Text: "a says so"},
			{Role: model.RoleUser, Text: "thanks"},
		},
		Tools: []model.Tool{{Name: "read", Description: "Read.", Schema: json.RawMessage(`{"type":"object"}`)}},
	}
}

// server answers requests with handlers in turn; the last one stays.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	handlers []http.HandlerFunc
	requests []*http.Request
	bodies   [][]byte
}

func serve(t *testing.T, handlers ...http.HandlerFunc) *server {
	t.Helper()
	s := &server{handlers: handlers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.bodies = append(s.bodies, body)
		h := s.handlers[0]
		if len(s.handlers) > 1 {
			s.handlers = s.handlers[1:]
		}
		s.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// play answers with a script, cut into small writes at odd places.
func (p Protocol) play(s Script) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		body := p.Encode(s)
		for len(body) > 0 {
			n := min(7, len(body))
			if _, err := io.WriteString(w, body[:n]); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			body = body[n:]
		}
		if s.Broken {
			panic(http.ErrAbortHandler)
		}
	}
}

func (p Protocol) refuse(status int, code, message string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, p.Error(code, message))
	}
}

// model returns the adapter for s, with retries whose waits are noted.
func (p Protocol) model(s *server, waits *[]time.Duration) model.Model {
	m := p.New(s.Client(), s.URL+p.Base, "the-token", "the-model")
	if waits == nil {
		return m
	}
	b := model.DefaultBackoff()
	b.Wait = func(ctx context.Context, d time.Duration) error {
		*waits = append(*waits, d)
		return ctx.Err()
	}
	return model.Retry(m, b)
}

// ask streams a request and returns what came.
func ask(ctx context.Context, m model.Model, r model.Request) (deltas []model.Delta, resp model.Response, err error) {
	resp, err = m.Stream(ctx, r, func(d model.Delta) { deltas = append(deltas, d) })
	return deltas, resp, err
}

// Run runs the suite.
func Run(t *testing.T, p Protocol) {
	t.Helper()
	t.Run("answers", p.answers)
	t.Run("request", p.request)
	t.Run("refusals", p.refusals)
	t.Run("retries", p.retries)
	t.Run("lost answers", p.lost)
	t.Run("broken answers", p.broken)
	t.Run("cancel", p.cancel)
	t.Run("too long", p.tooLong)
}

func (p Protocol) answers(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		script Script
		want   model.Response
	}{
		"text": {
			Script{Text: []string{"Grüße, ", "", "line\nbreak \"€\""}, Stop: model.StopEnd, Usage: model.Usage{InputTokens: 12, OutputTokens: 34}},
			model.Response{Message: model.Message{Role: model.RoleAssistant, Text: "Grüße, line\nbreak \"€\""}, Stop: model.StopEnd, Usage: model.Usage{InputTokens: 12, OutputTokens: 34}},
		},
		"calls in pieces": {
			Script{
				Reasoning: []string{"hm, ", "so"}, Text: []string{"I look."}, Stop: model.StopTools,
				Calls: []Call{{"c1", "read", []string{`{"pa`, `th":"a/`, `b"}`}}, {"c2", "list", nil}, {"c3", "read", []string{`{"path": "é"}`}}},
			},
			model.Response{Message: model.Message{Role: model.RoleAssistant, Text: "I look.", Calls: []model.Call{
				{ID: "c1", Name: "read", Arguments: json.RawMessage(`{"path":"a/b"}`)},
				{ID: "c2", Name: "list", Arguments: json.RawMessage(`{}`)},
				{ID: "c3", Name: "read", Arguments: json.RawMessage(`{"path": "é"}`)},
			}}, Stop: model.StopTools},
		},
		"arguments that are cut": {
			Script{Calls: []Call{{"c1", "read", []string{`{"path":"a`}}}, Stop: model.StopLength},
			model.Response{Message: model.Message{Role: model.RoleAssistant, Calls: []model.Call{
				{ID: "c1", Name: "read", Arguments: json.RawMessage(`{}`), Malformed: `{"path":"a`},
			}}, Stop: model.StopLength},
		},
		"nothing": {Script{Stop: model.StopEnd}, model.Response{Message: model.Message{Role: model.RoleAssistant}, Stop: model.StopEnd}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deltas, got, err := ask(t.Context(), p.model(serve(t, p.play(c.script)), nil), Conversation())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(c.want, got) {
				t.Errorf("response %+v, want %+v", got, c.want)
			}
			var text, reasoning string
			for _, d := range deltas {
				if d.Kind == model.DeltaText {
					text += d.Text
				} else {
					reasoning += d.Text
				}
			}
			if text != c.want.Message.Text || reasoning != strings.Join(c.script.Reasoning, "") {
				t.Errorf("deltas say %q and %q", text, reasoning)
			}
		})
	}
}

func (p Protocol) request(t *testing.T) {
	t.Parallel()
	s := serve(t, p.play(Script{Stop: model.StopEnd}))
	if _, _, err := ask(t.Context(), p.model(s, nil), Conversation()); err != nil {
		t.Fatal(err)
	}
	r := s.requests[0]
	if r.Method != http.MethodPost || r.URL.Path != p.Path || p.Token(r.Header) != "the-token" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s with %v", r.Method, r.URL.Path, r.Header)
	}
	var got, want any
	if err := json.Unmarshal(s.bodies[0], &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(p.Request), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("request %+v, want %+v", got, want)
	}
}

// refusals: a 400 is the end at once, and its words arrive.
func (p Protocol) refusals(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"limit":  p.refuse(http.StatusBadRequest, "limit", "the tokens are used up"),
		"denied": p.refuse(http.StatusForbidden, "denied", "the tokens are used up"),
		"plain": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the tokens are used up", http.StatusNotFound)
		},
		"no event": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"note":"the tokens are used up"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var waits []time.Duration
			s := serve(t, h)
			_, _, err := ask(t.Context(), p.model(s, &waits), Conversation())
			var e *model.Error
			if !errors.As(err, &e) || e.Transient || e.TooLong || !strings.Contains(err.Error(), "the tokens are used up") {
				t.Errorf("error %v", err)
			}
			if s.count() != 1 || len(waits) != 0 {
				t.Errorf("%d requests, waits %v: a refusal must end at once", s.count(), waits)
			}
		})
	}
}

func (p Protocol) cancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		body := p.Encode(Script{Text: []string{"so far"}, Broken: true})
		_, _ = io.WriteString(w, body)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	resp, err := p.model(s, nil).Stream(ctx, Conversation(), func(model.Delta) { cancel() })
	if !errors.Is(err, context.Canceled) || resp.Message.Text != "so far" {
		t.Errorf("%+v, %v", resp, err)
	}
}

func (p Protocol) tooLong(t *testing.T) {
	t.Parallel()
	for _, message := range []string{
		"prompt is too long: 210000 tokens > 200000 maximum", "This model's maximum context length is 8192 tokens",
		"the request exceeds the available context size",
	} {
		s := serve(t, p.refuse(http.StatusBadRequest, "invalid_request_error", message))
		if _, _, err := ask(t.Context(), p.model(s, nil), Conversation()); !model.TooLong(err) {
			t.Errorf("%q gives %v", message, err)
		}
	}
}

// Play asks a server that answers whatever p encodes, and returns the answer.
func Play(t *testing.T, p Protocol) model.Response {
	t.Helper()
	_, resp, err := ask(t.Context(), p.model(serve(t, p.play(Script{})), nil), Conversation())
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
