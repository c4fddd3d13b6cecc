package daemon_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/probe"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// withModels is a daemon with providers, whose tests come out as report says.
func withModels(t *testing.T, report probe.Report) *fixture {
	t.Helper()
	f := newFixture(t, false)
	id, err := seal.NewIdentity()
	must(t, err)
	table, err := inference.Open(inference.Options{Dir: t.TempDir(), Sealer: id, Now: time.Now})
	must(t, err)
	for _, p := range []inference.Provider{
		{Name: "local", Protocol: inference.OpenAIChat, URL: "http://127.0.0.1:1", Models: []string{"m", "a/n"}, Prices: map[string]inference.Price{"m": {Input: 1, Output: 2}}},
		{Name: "both", Protocol: inference.AnthropicMessages, Also: []inference.Protocol{inference.OpenAIChat}, URL: "http://127.0.0.1:1", Models: []string{"m"}},
		{Name: "gem", Protocol: inference.Gemini, URL: "http://127.0.0.1:1", Models: []string{"m"}},
	} {
		must(t, table.Add(t.Context(), p, nil))
	}
	open := f.options.Open
	f.options.Open = func(ctx context.Context, identity string) (*daemon.Engine, error) {
		e, err := open(ctx, identity)
		e.Models = table
		e.Test = func(_ context.Context, _ inference.Provider, model string, begin func(probe.Name, inference.Protocol)) (probe.Report, error) {
			begin(probe.Answers, inference.OpenAIChat)
			report.Model = model
			return report, nil
		}
		return e, err
	}
	f.server = daemon.New(t.Context(), f.options)
	must(t, f.server.Unlock(t.Context(), ""))
	return f
}

// found are findings about one protocol.
func found(p inference.Protocol, checks ...probe.Check) probe.Report {
	r := probe.Report{OK: true, Checks: []probe.Check{{Name: probe.Answers, Protocol: p, State: probe.Yes}}}
	for _, c := range checks {
		c.Protocol = p
		r.Checks = append(r.Checks, c)
	}
	return r
}

// Which runners can work with a model follows from what their protocol is and
// what was found, for each of those that ship.
func TestModelTestSaysWhichRunnersCan(t *testing.T) {
	t.Parallel()
	const chat, messages = inference.OpenAIChat, inference.AnthropicMessages
	works := []probe.Check{{Name: probe.Tools, State: probe.Yes}, {Name: probe.Results, State: probe.Yes}, {Name: probe.Streams, State: probe.Yes}}
	for name, c := range map[string]struct {
		provider string
		report   probe.Report
		want     string
	}{
		"able":              {"local", found(chat, works...), "claude-code yes anthropic-messages openai-chat, codex yes openai-responses openai-chat, gemini-cli yes gemini openai-chat, opencode yes openai-chat openai-chat, text yes  , vexa yes openai-chat openai-chat"},
		"refuses tools":     {"local", found(chat, probe.Check{Name: probe.Tools, State: probe.No, Refused: true}), "claude-code no anthropic-messages openai-chat, codex no openai-responses openai-chat, gemini-cli no gemini openai-chat, opencode no openai-chat openai-chat, text yes  , vexa no openai-chat openai-chat"},
		"ignores tools":     {"local", found(chat, probe.Check{Name: probe.Tools, State: probe.No}), "claude-code partly anthropic-messages openai-chat, codex partly openai-responses openai-chat, gemini-cli partly gemini openai-chat, opencode partly openai-chat openai-chat, text yes  , vexa partly openai-chat openai-chat"},
		"takes no results":  {"local", found(chat, works[0], probe.Check{Name: probe.Results, State: probe.No}, works[2]), "claude-code no anthropic-messages openai-chat, codex no openai-responses openai-chat, gemini-cli no gemini openai-chat, opencode no openai-chat openai-chat, text yes  , vexa no openai-chat openai-chat"},
		"cannot be told":    {"local", found(chat, probe.Check{Name: probe.Tools, State: probe.Unknown}), "claude-code unknown anthropic-messages openai-chat, codex unknown openai-responses openai-chat, gemini-cli unknown gemini openai-chat, opencode unknown openai-chat openai-chat, text yes  , vexa unknown openai-chat openai-chat"},
		"does not stream":   {"local", found(chat, works[0], works[1], probe.Check{Name: probe.Streams, State: probe.No}), "claude-code yes anthropic-messages openai-chat, codex yes openai-responses openai-chat, gemini-cli yes gemini openai-chat, opencode partly openai-chat openai-chat, text yes  , vexa partly openai-chat openai-chat"},
		"refuses to stream": {"local", found(chat, works[0], works[1], probe.Check{Name: probe.Streams, State: probe.No, Refused: true}), "claude-code no anthropic-messages openai-chat, codex no openai-responses openai-chat, gemini-cli no gemini openai-chat, opencode no openai-chat openai-chat, text yes  , vexa no openai-chat openai-chat"},
		"says nothing":      {"local", probe.Report{Checks: []probe.Check{{Name: probe.Answers, Protocol: chat, State: probe.No}}}, "claude-code no anthropic-messages openai-chat, codex no openai-responses openai-chat, gemini-cli no gemini openai-chat, opencode no openai-chat openai-chat, text yes  , vexa no openai-chat openai-chat"},
		"not there":         {"local", probe.Report{Checks: []probe.Check{{Name: probe.Reachable, State: probe.No}}}, "claude-code no anthropic-messages openai-chat, codex no openai-responses openai-chat, gemini-cli no gemini openai-chat, opencode no openai-chat openai-chat, text yes  , vexa no openai-chat openai-chat"},
		"one of two":        {"both", found(messages, works...), "claude-code yes anthropic-messages anthropic-messages, codex yes openai-responses anthropic-messages, gemini-cli yes gemini anthropic-messages, opencode unknown openai-chat openai-chat, text yes  , vexa yes anthropic-messages anthropic-messages"},
		"gemini":            {"gem", found(inference.Gemini, works...), "claude-code yes anthropic-messages gemini, codex yes openai-responses gemini, gemini-cli yes gemini gemini, opencode yes openai-chat gemini, text yes  , vexa yes anthropic-messages gemini"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withModels(t, c.report)
			w := f.ask(t, http.MethodPost, "/v1/models/"+c.provider+"/test", "{}")
			var got api.ModelTest
			must(t, json.Unmarshal(w.Body.Bytes(), &got))
			var rows []string
			for _, r := range got.Runners {
				if slices.Contains([]string{"acp", "pi", "qwen-code"}, r.Runner) { // as opencode
					continue
				}
				rows = append(rows, fmt.Sprintf("%s %s %s %s", r.Runner, r.State, r.Protocol, r.Through))
			}
			if all := strings.Join(rows, ", "); w.Code != http.StatusOK || got.Model != "m" || got.Provider != c.provider || all != c.want {
				t.Errorf("%d: %s", w.Code, all)
			}
		})
	}
}

// A test is told as it goes on to a client that wants to hear it, is of the model
// that is asked for, and of none that the provider does not have.
func TestModelTest(t *testing.T) {
	t.Parallel()
	report := found(inference.OpenAIChat, probe.Check{Name: probe.Speaks, State: probe.Yes})
	report.Checks[1].Protocol = inference.OpenAIResponses
	report.Paces = []probe.Pace{{Protocol: inference.OpenAIChat, First: time.Second, TokensPerSec: 20}}
	f := withModels(t, report)
	w := f.ask(t, http.MethodPost, "/v1/models/local/test", `{"model":"a/n"}`, "Accept", "text/event-stream")
	first, last, _ := strings.Cut(w.Body.String(), "\n\n")
	if first != `data: {"check":"answers","protocol":"openai-chat"}` || w.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("%v %s", w.Header(), first)
	}
	for _, want := range []string{
		`data: {"done":{"ok":true,"model":"a/n"`, `"protocols":[{"protocol":"openai-chat","declared":true,"ok":true,"firstMs":1000,"tokensPerSec":20},{"protocol":"openai-responses","declared":false,"ok":true,`,
		`{"check":"speaks","protocol":"openai-responses","state":"yes","detail":""}`,
	} {
		if !strings.Contains(last, want) {
			t.Errorf("%q is not in %s", want, last)
		}
	}
	for body, want := range map[string]string{`{"model":"x"}`: `provider local has no model \"x\"`, `{"modell":"m"}`: "does not fit"} {
		if w := f.ask(t, http.MethodPost, "/v1/models/local/test", body, "Accept", "text/event-stream"); w.Code < 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if w := f.ask(t, http.MethodPost, "/v1/models/nobody/test", "{}"); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodGet, "/v1/models", ""); !strings.Contains(w.Body.String(), `"prices":{"m":{"input":1,"output":2}}`) {
		t.Errorf("%s", w.Body)
	}
}

// What models cost is set without anything else of their provider.
func TestSetPrices(t *testing.T) {
	t.Parallel()
	f := withModels(t, probe.Report{})
	w := f.ask(t, http.MethodPost, "/v1/models/local/prices", `{"prices":{"m":null,"a/n":{"input":3,"output":15,"cacheRead":0.3}}}`)
	if want := `"prices":{"a/n":{"input":3,"output":15,"cacheRead":0.3}}`; w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for body, want := range map[string]string{
		`{"prices":{"m":{"input":-1,"output":1}}}`: "no amount", `{"prices":{"x":null}}`: `has no model \"x\"`, `{"price":{}}`: "does not fit",
	} {
		if w := f.ask(t, http.MethodPost, "/v1/models/local/prices", body); w.Code < 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if w := f.ask(t, http.MethodPost, "/v1/models/nobody/prices", `{"prices":{}}`); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodGet, "/v1/models", ""); !strings.Contains(w.Body.String(), `"prices":{"a/n":{"input":3,"output":15,"cacheRead":0.3}}`) {
		t.Errorf("what was refused changed something: %s", w.Body)
	}
}
