package inference

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// detectBudget is how long Detect takes at most: it is part of a person's first
// command.
const detectBudget = 300 * time.Millisecond

// Kind names the program or service behind a provider.
type Kind string

// The kinds that Detect knows.
const (
	Ollama    Kind = "ollama"
	LlamaCpp  Kind = "llama.cpp"
	VLLM      Kind = "vllm"
	LMStudio  Kind = "lm-studio"
	Anthropic Kind = "anthropic"
	OpenAI    Kind = "openai"
)

// Found is a provider that could be added. Where a local server has no model
// yet, Provider.Models is empty and it cannot be added before it has one.
type Found struct {
	Kind     Kind
	Provider Provider
	Key      Secret // from the environment; nil for a local server
	From     string // where it was found: an address or the name of a variable
}

// Secret is a key in the clear. It prints as "[key]" wherever it is printed by
// mistake; string(s) is the key.
type Secret []byte

// String hides the key.
func (Secret) String() string { return "[key]" }

// GoString hides the key.
func (Secret) GoString() string { return "[key]" }

// MarshalText hides the key.
func (Secret) MarshalText() ([]byte, error) { return []byte("[key]"), nil }

// LogValue hides the key.
func (Secret) LogValue() slog.Value { return slog.StringValue("[key]") }

// local is a server that people run on their own machine, on its usual port.
type local struct {
	kind Kind
	addr string
}

func locals() []local {
	return []local{
		{Ollama, "127.0.0.1:11434"},
		{LMStudio, "127.0.0.1:1234"},
		{LlamaCpp, "127.0.0.1:8080"},
		{VLLM, "127.0.0.1:8000"},
	}
}

// Detect looks for inference servers on this machine's loopback and for keys in
// the environment; nothing leaves the machine. A nil dial is the network. Local
// servers come first, each kind at most once; nothing found is an empty result.
func Detect(ctx context.Context, env func(string) string, dial DialFunc) []Found {
	return detect(ctx, env, dial, detectBudget)
}

func detect(ctx context.Context, env func(string) string, dial DialFunc, budget time.Duration) []Found {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	client := &http.Client{
		Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	all := locals()
	answers := make([]*Found, len(all))
	var wait sync.WaitGroup
	for i, l := range all {
		wait.Go(func() { answers[i] = l.ask(ctx, client) })
	}
	wait.Wait()
	var out []Found
	for _, f := range answers {
		if f != nil && !slices.ContainsFunc(out, func(o Found) bool { return o.Kind == f.Kind }) {
			out = append(out, *f)
		}
	}
	return append(out, fromEnvironment(env)...)
}

// ask returns what answers at the address, and nil where that is nothing or no
// inference server.
func (l local) ask(ctx context.Context, client *http.Client) *Found {
	base := "http://" + l.addr + "/v1"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/models", http.NoBody)
	if err != nil {
		return nil
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	list, err := readListing(resp)
	if err != nil || list.Object != "list" {
		return nil
	}
	kind := l.kind
	if k, ok := identify(resp.Header, list); ok {
		kind = k
	}
	f := &Found{Kind: kind, From: l.addr, Provider: Provider{
		Name: string(kind), Protocol: OpenAIChat, URL: base, Models: list.usable(),
	}}
	return f
}

// identify tells the programs apart by what they answer: a port can be anybody's.
func identify(h http.Header, list listing) (Kind, bool) {
	if strings.HasPrefix(h.Get("Server"), "llama.cpp") {
		return LlamaCpp, true
	}
	for _, m := range list.Data {
		switch strings.ToLower(m.OwnedBy) {
		case "library":
			return Ollama, true
		case "llamacpp":
			return LlamaCpp, true
		case "vllm":
			return VLLM, true
		case "organization_owner":
			return LMStudio, true
		}
	}
	return "", false
}

// Models that a key from the environment is added with where the environment
// names none. The services' own lists need the network; Upstream.Models asks
// them.
const (
	anthropicModel = "claude-sonnet-4-5"
	openAIModel    = "gpt-5.5"
)

// service is a hosted provider as its own tools find it in the environment.
type service struct {
	kind     Kind
	protocol Protocol
	also     []Protocol // at its own URL
	prefix   string     // of the variables
	url      string
	model    string
}

// fromEnvironment finds keys. A base URL that is not one Vexa would take is no
// find: it would send the key where the person did not mean to.
func fromEnvironment(env func(string) string) []Found {
	var out []Found
	for _, s := range []service{
		{Anthropic, AnthropicMessages, nil, "ANTHROPIC_", "https://api.anthropic.com", anthropicModel},
		{OpenAI, OpenAIChat, []Protocol{OpenAIResponses}, "OPENAI_", "https://api.openai.com/v1", openAIModel},
	} {
		key := Secret(strings.TrimSpace(env(s.prefix + "API_KEY")))
		if len(key) == 0 {
			continue
		}
		p := Provider{Name: string(s.kind), Protocol: s.protocol, Also: s.also, URL: s.url, Models: []string{s.model}}
		if u := strings.TrimRight(env(s.prefix+"BASE_URL"), "/"); u != "" && u != s.url {
			p.URL, p.Also = u, nil // who knows what else it speaks
		}
		if m := env(s.prefix + "MODEL"); m != "" {
			p.Models = []string{m}
		}
		if p.Check() != nil || checkKey(p, key) != nil {
			continue
		}
		out = append(out, Found{Kind: s.kind, Provider: p, Key: key, From: s.prefix + "API_KEY"})
	}
	return out
}
