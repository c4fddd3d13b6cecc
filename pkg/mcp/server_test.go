package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/mcp"
)

// parrot offers one tool, which repeats its arguments.
type parrot struct{}

func (parrot) Tools() []toolv1.Tool {
	return []toolv1.Tool{{Name: "a.parrot", Title: "Parrot", Description: "repeats", InputSchema: json.RawMessage(`{"type":"object"}`), Effect: toolv1.Read}}
}

func (parrot) Call(_ context.Context, name string, arguments json.RawMessage) (mcp.Answer, error) {
	switch name {
	case "a.parrot":
		return mcp.Answer{Text: string(arguments), Failed: strings.Contains(string(arguments), "fail")}, nil
	case "breaks":
		return mcp.Answer{}, errors.New("broken")
	default:
		return mcp.Answer{}, mcp.ErrNoTool
	}
}

func newServer() *mcp.Server {
	return mcp.NewServer(mcp.ServerOptions{Name: "test", Version: "1", Log: slog.New(slog.DiscardHandler)})
}

// ask serves one request as a client of a revision sends it.
func ask(ctx context.Context, s *mcp.Server, version, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, mcp.Path, nil)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if version != "" {
		r.Header.Set("Mcp-Protocol-Version", version)
		var m struct{ Method string }
		_ = json.Unmarshal([]byte(body), &m) // what is no JSON has no method
		r.Header.Set("Mcp-Method", m.Method)
	}
	w := httptest.NewRecorder()
	s.Serve(w, r, []byte(body), parrot{})
	return w
}

func TestClientAndServer(t *testing.T) {
	t.Parallel()
	server := newServer()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer tok" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		var body json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		server.Serve(w, r, body, parrot{})
	}))
	t.Cleanup(web.Close)
	if _, err := mcp.Dial(t.Context(), web.URL, "another"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("with another token: %v", err)
	}
	c, err := mcp.Dial(t.Context(), web.URL, "tok")
	if err != nil {
		t.Fatal(err)
	}
	tools, err := c.Tools(t.Context())
	want := []toolv1.Tool{{Name: "a.parrot", Title: "Parrot", Description: "repeats", InputSchema: json.RawMessage(`{"type":"object"}`)}}
	if diff := cmp.Diff(want, tools); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for arguments, want := range map[string]mcp.Answer{`{"a":1}`: {Text: `{"a":1}`}, `{"fail":1}`: {Text: `{"fail":1}`, Failed: true}} {
		if got, err := c.Call(t.Context(), "a.parrot", json.RawMessage(arguments)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", arguments, got, err)
		}
	}
	for _, name := range []string{"breaks", "neverwas"} {
		if _, err := c.Call(t.Context(), name, json.RawMessage(`{}`)); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// Wire forms that clients of either revision have been seen to send.
func TestWire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version, body string
		status        int
		holds         string
	}{
		"initialize of an old client": {"", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`, 200, `"protocolVersion":"2025-03-26"`},
		"initialize of a later one":   {"", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2031-01-01","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`, 200, `"protocolVersion":"2025-11-25"`},
		"initialized":                 {"2025-11-25", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, 202, ""},
		"cancelled":                   {"2025-11-25", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, 202, ""},
		"ping":                        {"2025-11-25", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 200, `"result":{}`},
		"no arguments":                {"2025-11-25", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a.parrot"}}`, 200, `"text":"{}"`},
		"a revision of nobody's":      {"1999-01-01", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 400, ""},
		"a list, of a new client": {
			"2026-07-28",
			`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, 200, `"resultType":"complete"`,
		},
		"whose header says another revision": {
			"2025-11-25",
			`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, 400, `"error"`,
		},
	} {
		w := ask(t.Context(), newServer(), c.version, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.holds) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// FuzzServe: no body makes the server panic, hang, stream, or answer at length.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a.parrot","arguments":{"a":1}}}`,
		`{"jsonrpc":"2.0","id":"x","method":"tools/list","params":{"cursor":"x","_meta":{"progressToken":1}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}`, `{"jsonrpc":"2.0","id":null,"method":"ping"}`, `[{}]`, `{"id":{}}`, ``,
	} {
		for _, version := range []string{"", "2025-11-25", "2026-07-28"} {
			f.Add(version, seed)
		}
	}
	s := newServer()
	f.Fuzz(func(t *testing.T, version, body string) {
		if strings.ContainsAny(version, "\r\n") {
			t.Skip()
		}
		w := ask(t.Context(), s, version, body)
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
			t.Errorf("%q opens a stream", body)
		}
		if w.Body.Len() > 4096+8*len(body) {
			t.Errorf("%q is answered with %d bytes", body, w.Body.Len())
		}
	})
}
