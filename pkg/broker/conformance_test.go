package broker_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
)

// authorized sends the dispatch token with each request.
type authorized struct {
	token string
	next  http.RoundTripper
}

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+a.token)
	return a.next.RoundTrip(r)
}

// connect is the client of the protocol's own SDK.
func (s *stage) connect(ctx context.Context, version string) *sdk.ClientSession {
	s.tb.Helper()
	client := sdk.NewClient(&sdk.Implementation{Name: "conformance", Version: "1"}, nil)
	session, err := client.Connect(ctx, &sdk.StreamableClientTransport{
		Endpoint: "http://broker" + mcpPath, HTTPClient: &http.Client{Transport: authorized{s.token, s.client.Transport}},
	}, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = session.Close() })
	return session
}

// TestConformance: the client of the official SDK, with the revisions of the
// specification that clients speak today.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2025-03-26", "2025-06-18", legacy, current} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := open(t, config{})
			c := s.connect(t.Context(), version)
			if got := c.InitializeResult(); got.ProtocolVersion != version && version != current || got.Capabilities.Tools == nil || got.Capabilities.Resources != nil {
				t.Errorf("initialize: %+v", got)
			}
			list, err := c.ListTools(t.Context(), nil)
			if err != nil || len(list.Tools) != len(grantedTools()) || list.NextCursor != "" {
				t.Fatalf("tools/list: %+v, %v", list, err)
			}
			echo := list.Tools[0]
			schema, err := json.Marshal(echo.InputSchema)
			if err != nil || echo.Name != "vexa.echo" || echo.Title != "Echo" || !echo.Annotations.ReadOnlyHint || !strings.Contains(string(schema), `"required":["text"]`) {
				t.Errorf("tools/list: %+v %s", echo, schema)
			}
			res, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "vexa.echo", Arguments: map[string]string{"text": "hello"}})
			if err != nil || res.IsError || len(res.Content) != 1 || res.Content[0].(*sdk.TextContent).Text != "hello" {
				t.Errorf("tools/call: %+v, %v", res, err)
			}
			if res, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "vexa.echo"}); err != nil || !res.IsError {
				t.Errorf("a call without arguments: %+v, %v", res, err)
			}
			if _, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "forbidden"}); err == nil || !strings.Contains(err.Error(), "no such tool") {
				t.Errorf("a tool that was not granted: %v", err)
			}
			if _, err := c.ListResources(t.Context(), nil); err == nil {
				t.Error("resources are listed")
			}
			if version != current {
				if err := c.Ping(t.Context(), nil); err != nil {
					t.Error(err)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A dispatch without tools is served an empty list.
func TestConformanceWithoutTools(t *testing.T) {
	t.Parallel()
	s := open(t, config{session: func(b *broker.Session) { b.Unit.Tools = nil }})
	list, err := s.connect(t.Context(), current).ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// BenchmarkCall is a call through the broker, with its token, its audit record
// and its limits, against the same call of a bare server of the SDK
// (x-floor), and against one of the tool itself (x-direct).
func BenchmarkCall(b *testing.B) {
	for _, version := range []string{legacy, current} {
		b.Run(version, func(b *testing.B) {
			s := open(b, config{})
			through, bare := s.connect(b.Context(), version), bareServer(b, version)
			tools, out := offeredTools(b), &strings.Builder{}
			arguments := json.RawMessage(`{"text":"hello"}`)
			call := func(c *sdk.ClientSession) time.Duration {
				begin := time.Now()
				res, err := c.CallTool(b.Context(), &sdk.CallToolParams{Name: "vexa.echo", Arguments: arguments})
				if err != nil || res.IsError {
					b.Fatal(res, err)
				}
				return time.Since(begin)
			}
			var took, floor, direct []time.Duration
			for b.Loop() {
				floor = append(floor, call(bare))
				took = append(took, call(through))
				begin := time.Now()
				if err := tools.Run(b.Context(), toolv1.Call{Tool: "vexa.echo", Arguments: arguments}, out); err != nil {
					b.Fatal(err)
				}
				direct = append(direct, time.Since(begin))
				out.Reset()
			}
			b.ReportMetric(median(took)/median(floor), "x-floor")
			b.ReportMetric((median(took)-median(floor))/1000, "added-µs")
			b.ReportMetric(median(took)/1000, "p50-µs")
			b.ReportMetric(median(took)/median(direct), "x-direct")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// bareServer is the SDK's own server, without sessions as ours.
func bareServer(b *testing.B, version string) *sdk.ClientSession {
	b.Helper()
	server := sdk.NewServer(&sdk.Implementation{Name: "bare", Version: "1"}, nil)
	server.AddTool(&sdk.Tool{Name: "vexa.echo", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: string(r.Params.Arguments)}}}, nil
	})
	web := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{Stateless: true, JSONResponse: true}))
	b.Cleanup(web.Close)
	session, err := sdk.NewClient(&sdk.Implementation{Name: "bench", Version: "1"}, nil).
		Connect(b.Context(), &sdk.StreamableClientTransport{Endpoint: web.URL}, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = session.Close() })
	return session
}
