package inference_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/inference"
)

// listens answers in the place of the addresses given, and of no other.
func listens(t *testing.T, servers map[string]http.HandlerFunc) inference.DialFunc {
	t.Helper()
	to := map[string]string{}
	for addr, h := range servers {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		to[addr] = s.Listener.Addr().String()
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil || host != "127.0.0.1" {
			t.Errorf("dialled %s", addr)
		}
		server, ok := to[addr]
		if !ok {
			return nil, errors.New("connection refused")
		}
		return new(net.Dialer).DialContext(ctx, network, server)
	}
}

func models(owner string, ids ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		data := []any{}
		for _, id := range ids {
			data = append(data, map[string]string{"id": id, "object": "model", "owned_by": owner})
		}
		if r.Method != http.MethodGet || r.URL.Path != "/v1/models" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": data})
	}
}

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestDetectLocal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		servers map[string]http.HandlerFunc
		want    string
	}{
		"nothing": {nil, ""},
		"ollama":  {map[string]http.HandlerFunc{"127.0.0.1:11434": models("library", "llama3:8b", "nomic-embed-text")}, "ollama [llama3:8b]"},
		"all": {map[string]http.HandlerFunc{
			"127.0.0.1:11434": models("library", "a"), "127.0.0.1:8080": models("llamacpp", "b"),
			"127.0.0.1:8000": models("vllm", "c", "c"), "127.0.0.1:1234": models("organization_owner", "d"),
		}, "ollama [a], lm-studio [d], llama.cpp [b], vllm [c]"},
		"ollama without a model":    {map[string]http.HandlerFunc{"127.0.0.1:11434": models("library")}, "ollama []"},
		"vllm on another's port":    {map[string]http.HandlerFunc{"127.0.0.1:8080": models("vllm", "c")}, "vllm [c]"},
		"one kind on two ports":     {map[string]http.HandlerFunc{"127.0.0.1:8080": models("vllm", "c"), "127.0.0.1:8000": models("vllm", "d")}, "vllm [c]"},
		"an owner nobody knows":     {map[string]http.HandlerFunc{"127.0.0.1:8000": models("me", "c")}, "vllm [c]"},
		"a name that is no model's": {map[string]http.HandlerFunc{"127.0.0.1:8000": models("vllm", "a b", "-x", "ok")}, "vllm [ok]"},
		"any web server":            {map[string]http.HandlerFunc{"127.0.0.1:8080": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }}, ""},
		"any JSON":                  {map[string]http.HandlerFunc{"127.0.0.1:8080": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }}, ""},
		"one that wants a key":      {map[string]http.HandlerFunc{"127.0.0.1:8080": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }}, ""},
		"one that sends us away": {map[string]http.HandlerFunc{"127.0.0.1:8080": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
		}}, ""},
		"one that names its program": {map[string]http.HandlerFunc{"127.0.0.1:8000": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Server", "llama.cpp")
			models("", "m")(w, r)
		}}, "llama.cpp [m]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range inference.DetectUnhurried(t.Context(), env(nil), listens(t, c.servers)) {
				got = append(got, fmt.Sprintf("%s %v", f.Kind, f.Provider.Models))
				if len(f.Provider.Models) > 0 {
					if err := f.Provider.Check(); err != nil {
						t.Errorf("cannot be added: %v", err)
					}
				}
				if f.Key != nil || !strings.HasPrefix(f.From, "127.0.0.1:") || !f.Provider.Local() {
					t.Errorf("found %+v", f)
				}
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("found %q; want %q", s, c.want)
			}
		})
	}
}

// Servers that accept and say nothing cost the budget once, not each.
func TestDetectIsQuick(t *testing.T) {
	t.Parallel()
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	dial := listens(t, map[string]http.HandlerFunc{
		"127.0.0.1:11434": silent, "127.0.0.1:8080": silent, "127.0.0.1:8000": silent, "127.0.0.1:1234": models("organization_owner", "m"),
	})
	begin := time.Now()
	found := inference.DetectUnhurried(t.Context(), env(nil), dial)
	if d := time.Since(begin); d >= 2*inference.DetectBudget || len(found) != 1 {
		t.Fatalf("found %v after %s", found, d)
	}
}

func TestDetectKeys(t *testing.T) {
	t.Parallel()
	dial := listens(t, nil)
	found := inference.DetectUnhurried(t.Context(), env(map[string]string{
		"ANTHROPIC_API_KEY": canary, "ANTHROPIC_MODEL": "claude-x", "OPENAI_API_KEY": canary + "2", "OPENAI_BASE_URL": "https://inference.example/v1/",
	}), dial)
	if len(found) != 2 {
		t.Fatalf("found %v", found)
	}
	a, o := found[0], found[1]
	if a.Kind != inference.Anthropic || string(a.Key) != canary || a.From != "ANTHROPIC_API_KEY" || !slices.Equal(a.Provider.Models, []string{"claude-x"}) ||
		a.Provider.URL != "https://api.anthropic.com" || a.Provider.Protocol != inference.AnthropicMessages {
		t.Errorf("found %+v", a)
	}
	if o.Kind != inference.OpenAI || o.Provider.URL != "https://inference.example/v1" || o.Provider.Protocol != inference.OpenAIChat || o.Provider.Check() != nil {
		t.Errorf("found %+v", o)
	}
	// OpenAI's own server speaks Responses, too; of another nobody knows.
	own := inference.DetectUnhurried(t.Context(), env(map[string]string{"OPENAI_API_KEY": canary}), dial)
	if len(own) != 1 || !own[0].Provider.Speaks(inference.OpenAIResponses) || own[0].Provider.Check() != nil || o.Provider.Speaks(inference.OpenAIResponses) {
		t.Errorf("found %+v and %+v", own, o)
	}
	// However it is printed, the key is not.
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("found", "one", a, "key", a.Key)
	data, err := json.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(found), fmt.Sprintf("%+v", found), fmt.Sprintf("%#v", found), fmt.Sprintf("%s %q %v", a.Key, a.Key, a.Key), log.String(), string(data)} {
		if strings.Contains(s, canary) {
			t.Errorf("printed the key: %s", s)
		}
	}
	// What would send a key where nobody meant it is no find.
	for _, url := range []string{"http://inference.example/v1", "https://u:p@h/", "ftp://h", "x"} {
		if found := inference.DetectUnhurried(t.Context(), env(map[string]string{"OPENAI_API_KEY": canary, "OPENAI_BASE_URL": url}), dial); len(found) != 0 {
			t.Errorf("%s: found %+v", url, found)
		}
	}
}

// The key goes to the provider in its protocol's way, and no other header of a
// client's does.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p    inference.Provider
		key  string
		want http.Header
	}{
		{anthropic(), canary, http.Header{"X-Api-Key": {canary}}},
		{local("x", "m"), canary, http.Header{"Authorization": {"Bearer " + canary}}},
		{local("x", "m"), "", http.Header{}},
		{local("x", "m").As(inference.Gemini), canary, http.Header{"X-Goog-Api-Key": {canary}}},
		{local("x", "m").As(inference.AnthropicMessages), canary, http.Header{"X-Api-Key": {canary}}},
	} {
		h := http.Header{"Authorization": {"Bearer dispatch"}, "X-Api-Key": {"dispatch"}, "X-Goog-Api-Key": {"dispatch"}, "Cookie": {"a=b"}}
		c.p.Authorize(h, []byte(c.key))
		if fmt.Sprint(h) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v", c.p.Protocol, h)
		}
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"http://127.0.0.1:11434/v1":     "http://127.0.0.1:11434/v1/messages",
		"http://127.0.0.1:11434":        "http://127.0.0.1:11434/v1/messages",
		"http://127.0.0.1:11434/v1/":    "http://127.0.0.1:11434/v1/messages",
		"https://h.example/base/v1":     "https://h.example/base/v1/messages",
		"https://h.example/v1beta":      "https://h.example/v1/messages",
		"https://h.example/openai/beta": "https://h.example/openai/beta/v1/messages",
	} {
		if got := (inference.Provider{URL: base}).Endpoint("messages"); got != want {
			t.Errorf("%s: %s", base, got)
		}
	}
	for base, want := range map[string]string{
		"https://generativelanguage.googleapis.com":         "https://generativelanguage.googleapis.com/v1beta/models/m:countTokens",
		"https://generativelanguage.googleapis.com/v1/":     "https://generativelanguage.googleapis.com/v1beta/models/m:countTokens",
		"https://generativelanguage.googleapis.com/v1beta/": "https://generativelanguage.googleapis.com/v1beta/models/m:countTokens",
	} {
		if got := (inference.Provider{URL: base, Protocol: inference.Gemini}).Endpoint("models/m:countTokens"); got != want {
			t.Errorf("%s: %s", base, got)
		}
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer "+canary {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		models("x", "a", "text-embedding-3", "b")(w, r)
	}))
	t.Cleanup(s.Close)
	p := local("x", "m")
	p.URL = s.URL
	u := inference.NewUpstream(inference.UpstreamOptions{})
	got, err := u.Models(t.Context(), p, []byte(canary))
	if err != nil || fmt.Sprint(got) != "[{a 0} {text-embedding-3 0} {b 0}]" {
		t.Fatalf("%v, %v", got, err)
	}
	var status inference.StatusError
	if _, err := u.Models(t.Context(), p, nil); !errors.As(err, &status) || status != http.StatusUnauthorized || asked.Load() != 2 {
		t.Fatalf("without the key: %v", err)
	}
}

// Every server has its own name for how long a model's context is; what cannot
// be a name or a length is left out.
func TestModelsOfTheField(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		protocol inference.Protocol
		body     string
		want     string
		uri      string
	}{
		"vLLM":       {inference.OpenAIChat, `{"object":"list","data":[{"id":"q","max_model_len":32768}]}`, "[{q 32768}]", "/v1/models"},
		"OpenRouter": {inference.OpenAIChat, `{"data":[{"id":"a/b","context_length":200000,"top_provider":{"context_length":1}}]}`, "[{a/b 200000}]", "/v1/models"},
		"Groq":       {inference.OpenAIChat, `{"data":[{"id":"q","context_window":131072}]}`, "[{q 131072}]", "/v1/models"},
		"llama.cpp":  {inference.OpenAIChat, `{"models":[{"name":"q.gguf","model":"q.gguf"}],"data":[{"id":"q.gguf","meta":{"n_ctx_train":40960}}]}`, "[{q.gguf 40960}]", "/v1/models"},
		"Anthropic":  {inference.AnthropicMessages, `{"data":[{"type":"model","id":"c","max_input_tokens":200000}],"has_more":false}`, "[{c 200000}]", "/v1/models?limit=1000"},
		"Gemini":     {inference.Gemini, `{"models":[{"name":"models/g","inputTokenLimit":1048576}]}`, "[{g 1048576}]", "/v1beta/models?pageSize=1000"},
		"a bad one":  {inference.OpenAIChat, `{"data":[{"id":"../x"},{"id":"a b"},{"id":"n","context_length":"long"},{"id":"m","max_model_len":-1},{"id":"m"}]}`, "[{n 0} {m 0}]", "/v1/models"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RequestURI() != c.uri {
				t.Errorf("%s was asked %s", name, r.URL)
			}
			_, _ = io.WriteString(w, c.body)
		}))
		t.Cleanup(s.Close)
		p := local("x", "m")
		p.Protocol, p.URL = c.protocol, s.URL
		got, err := inference.NewUpstream(inference.UpstreamOptions{}).Models(t.Context(), p, nil)
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// A provider is reached directly, whatever proxy the environment names, and
// over HTTPS only where its certificate holds.
func TestUpstream(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.example:3128")
	t.Setenv("HTTPS_PROXY", "http://proxy.example:3128")
	t.Setenv("ALL_PROXY", "http://proxy.example:3128")
	server := httptest.NewTLSServer(models("x", "a"))
	t.Cleanup(server.Close)
	var dialled atomic.Value
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled.Store(addr)
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	p := local("x", "m")
	p.URL = "https://example.com/v1"
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	trusting := inference.NewUpstream(inference.UpstreamOptions{Roots: roots, Dial: dial})
	if got, err := trusting.Models(t.Context(), p, nil); err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if dialled.Load() != "example.com:443" {
		t.Errorf("dialled %v", dialled.Load())
	}
	_, err := inference.NewUpstream(inference.UpstreamOptions{Dial: dial}).Models(t.Context(), p, nil)
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("a certificate that nobody signed: %v", err)
	}
	if strings.Contains(err.Error(), "example.com") {
		t.Errorf("the error repeats the URL: %v", err)
	}
}
