package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

// notes is an audit log in memory.
type notes struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (n *notes) Record(_ context.Context, e audit.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.events = append(n.events, e)
	}
	return n.err
}

// recorded is a fixture whose engine writes who switched what into notes.
func recorded(t *testing.T) (*fixture, *notes, *transcript.Writer) {
	t.Helper()
	f, n := newFixture(t, false), &notes{}
	open := f.options.Open
	var log *transcript.Log
	f.options.Open = func(ctx context.Context, identity string) (*daemon.Engine, error) {
		e, err := open(ctx, identity)
		if err == nil {
			e.Audit, log = n, e.Transcripts
		}
		return e, err
	}
	f.server = daemon.New(t.Context(), f.options)
	must(t, f.server.Unlock(t.Context(), ""))
	return f, n, log.Writer(unit)
}

func TestRecording(t *testing.T) {
	t.Parallel()
	f, n, w := recorded(t)
	get := func() string { return strings.TrimSpace(f.ask(t, http.MethodGet, "/v1/recording", "").Body.String()) }
	if got := get(); got != `{"inference":false}` {
		t.Errorf("at first it is %s", got)
	}
	for _, on := range []string{`{"inference":true}`, `{"inference":false}`, `{"inference":true}`} {
		if a := f.ask(t, http.MethodPut, "/v1/recording", on); a.Code != http.StatusOK || strings.TrimSpace(a.Body.String()) != on || get() != on {
			t.Errorf("%s: %d %s, %s", on, a.Code, a.Body, get())
		}
	}
	if r, err := w.Begin(t.Context(), transcript.Sent{}); r == nil || err != nil {
		t.Errorf("it does not count at once: %v, %v", r, err)
	}
	var actions []string
	for _, e := range n.events[:3] {
		actions = append(actions, string(e.Boundary)+" "+e.Action+" "+e.Subject)
	}
	if diff := cmp.Diff([]string{"inference record-on u_jane", "inference record-off u_jane", "inference record-on u_jane"}, actions); diff != "" {
		t.Error(diff)
	}
	// A file that says neither is said, and put right by what is said next.
	file := filepath.Join(f.options.Home.Config, transcript.File)
	must(t, os.WriteFile(file, []byte("{}"), 0o600))
	if a := f.ask(t, http.MethodGet, "/v1/recording", ""); !strings.Contains(a.Body.String(), `"code":"failed"`) || !strings.Contains(a.Body.String(), file) || !strings.Contains(a.Body.String(), "put it right") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if a := f.ask(t, http.MethodPut, "/v1/recording", `{"inference":true}`); a.Code != http.StatusOK || get() != `{"inference":true}` {
		t.Errorf("%d %s, %s", a.Code, a.Body, get())
	}
	// What cannot be noted is not switched.
	n.err = errors.New("full")
	if a := f.ask(t, http.MethodPut, "/v1/recording", `{"inference":false}`); a.Code == http.StatusOK || get() != `{"inference":true}` {
		t.Errorf("%d %s, %s", a.Code, a.Body, get())
	}
}

func lines(t *testing.T, body io.Reader) (out []api.Exchange) {
	t.Helper()
	for dec := json.NewDecoder(body); ; {
		var x api.Exchange
		err := dec.Decode(&x)
		if errors.Is(err, io.EOF) {
			return out
		}
		must(t, err)
		out = append(out, x)
	}
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	f, _, w := recorded(t)
	path := "/v1/dispatches/" + strings.ToLower(unit[:20]) + "/inference"
	if a := f.ask(t, http.MethodGet, path, ""); a.Code != http.StatusOK || a.Body.Len() != 0 {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	f.ask(t, http.MethodPut, "/v1/recording", `{"inference":true}`)
	sent := transcript.Sent{Turn: "t", Provider: "p", Model: "m", Protocol: "openai-chat", Client: "openai-responses", URL: "http://x/v1/chat/completions", Body: []byte(`{"a":"<b>"}`)}
	one, err := w.Begin(t.Context(), sent)
	must(t, err)
	must(t, one.Again(t.Context(), transcript.Attempt{Status: 503, Error: "busy"}))
	const said = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"I look.\"}}]}\n\n" +
		"data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"ls\",\"arguments\":\"{}\"}}]}}]}\n\ndata: [DO"
	one.Answer(t.Context(), []byte(said))
	must(t, one.End(t.Context(), transcript.Ended{Outcome: "answered", Status: 200, InputTokens: 3, OutputTokens: 4, Estimated: true}))
	sent.Body, sent.Protocol = []byte("\xff\xfe"), "gemini"
	_, err = w.Begin(t.Context(), sent)
	must(t, err)

	a := f.ask(t, http.MethodGet, path, "")
	got := lines(t, a.Body)
	if a.Code != http.StatusOK || a.Header().Get("Content-Type") != "application/x-ndjson" || len(got) != 2 {
		t.Fatalf("%d %v %+v", a.Code, a.Header(), got)
	}
	x := got[0]
	if x.EndedAt == nil || x.SentAt.IsZero() || len(x.Attempts) != 2 || x.Attempts[0].Error != "busy" || x.Attempts[1].Status != 200 {
		t.Errorf("%+v", x)
	}
	x.SentAt, x.EndedAt, x.Attempts = time.Time{}, nil, nil
	want := api.Exchange{
		Number: 1, Turn: "t", Provider: "p", Model: "m", Protocol: "openai-chat", Client: "openai-responses", URL: "http://x/v1/chat/completions",
		Outcome: "answered", Status: 200, InputTokens: 3, OutputTokens: 4, Estimated: true,
		Request: api.ExchangeBody{Bytes: 11, Text: `{"a":"<b>"}`}, Answer: api.ExchangeBody{Bytes: int64(len(said)), Text: said},
		Reply: []api.ReplyPart{{Kind: "text", Text: "I look."}, {Kind: "call", Tool: "ls", Text: "{}"}},
	}
	if diff := cmp.Diff(want, x); diff != "" {
		t.Error(diff)
	}
	if x := got[1]; x.Number != 2 || x.EndedAt != nil || string(x.Request.Base64) != "\xff\xfe" || x.Request.Text != "" || x.Reply == nil || len(x.Reply) != 0 {
		t.Errorf("%+v", x)
	}

	// Locked, nobody reads it; unlocked again, it is there.
	must(t, f.server.Lock(t.Context(), false))
	if a := f.ask(t, http.MethodGet, path, ""); a.Code != http.StatusLocked {
		t.Errorf("locked: %d %s", a.Code, a.Body)
	}
	must(t, f.server.Unlock(t.Context(), ""))
	if got := lines(t, f.ask(t, http.MethodGet, path, "").Body); len(got) != 2 {
		t.Errorf("unlocked: %+v", got)
	}
}

// A transcript that cannot be read is an error, and one that cannot be read to
// its end does not look whole.
func TestExchangesThatDoNotDecode(t *testing.T) {
	t.Parallel()
	f, _, w := recorded(t)
	f.ask(t, http.MethodPut, "/v1/recording", `{"inference":true}`)
	path := "/v1/dispatches/" + unit + "/inference"
	for range 2 {
		_, err := w.Begin(t.Context(), transcript.Sent{Body: []byte("x")})
		must(t, err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Host = "vexa"
		f.server.Handler().ServeHTTP(rw, r)
	}))
	defer server.Close()
	damage := func(number string) {
		_, err := f.streams.Append(t.Context(), transcript.Topic(unit), []byte(`{"kind":"body","number":`+number+"}\nthis is not compressed"))
		must(t, err)
	}
	damage("2")
	resp, err := http.Get(server.URL + path)
	must(t, err)
	data, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(string(data), `"number":1`) {
		t.Errorf("%v: %s", err, data)
	}
	damage("1")
	if a := f.ask(t, http.MethodGet, path, ""); a.Code != http.StatusInternalServerError || !strings.Contains(a.Body.String(), "transcript") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if _, err := f.streams.Append(t.Context(), transcript.Topic(unit), []byte("no record")); err != nil {
		t.Fatal(err)
	}
	if a := f.ask(t, http.MethodGet, path, ""); a.Code != http.StatusInternalServerError {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}
