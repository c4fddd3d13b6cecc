package inference_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
	"github.com/vexa-ai/vexa/pkg/seal"
)

const canary = "sk-canary-0123456789abcdef"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func now() time.Time { return start }

func identity(t *testing.T) *seal.Identity {
	t.Helper()
	id, err := seal.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func open(t *testing.T, dir string, s inference.Sealer) *inference.Table {
	t.Helper()
	table, err := inference.Open(inference.Options{Dir: dir, Sealer: s, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func local(name string, models ...string) inference.Provider {
	return inference.Provider{Name: name, Protocol: inference.OpenAIChat, URL: "http://127.0.0.1:1/v1", Models: models}
}

func anthropic() inference.Provider {
	return inference.Provider{
		Name: "anthropic", Protocol: inference.AnthropicMessages, URL: "https://api.anthropic.com", Models: []string{"claude-a", "claude-b"},
		Prices: map[string]inference.Price{"claude-a": {Input: 3, Output: 15}},
	}
}

func rehearse(t *testing.T, name string) inference.Provider {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if _, err := rehearsal.Install(path); err != nil {
		t.Fatal(err)
	}
	return inference.Provider{Name: name, Protocol: inference.Rehearsal, Cassette: path, Models: []string{"rehearsal"}}
}

func add(t *testing.T, table *inference.Table, p inference.Provider, key string) {
	t.Helper()
	if err := table.Add(t.Context(), p, []byte(key)); err != nil {
		t.Fatal(err)
	}
}

// What was added is there after a restart, its key in no file of the table.
func TestTable(t *testing.T) {
	t.Parallel()
	dir, id := t.TempDir(), identity(t)
	table := open(t, dir, id)
	add(t, table, anthropic(), canary+"\n")
	add(t, table, local("ollama", "llama3:8b"), "")
	for _, table := range []*inference.Table{table, open(t, dir, id)} {
		list := table.List()
		if len(list) != 2 || list[0].Name != "anthropic" || !list[0].HasKey || !list[0].Default || list[1].HasKey || list[1].Default {
			t.Fatalf("list %+v", list)
		}
		key, err := table.Key("anthropic")
		if err != nil || string(key) != canary {
			t.Fatalf("key %q, %v", key, err)
		}
		if key, err := table.Key("ollama"); err != nil || key != nil {
			t.Fatalf("key of one without: %q, %v", key, err)
		}
		if _, err := table.Key("nobody"); !fault.Is(err, fault.NotFound) {
			t.Fatalf("key of nobody: %v", err)
		}
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if bytes.Contains(data, []byte(canary)) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v or holds the key", path, info.Mode())
		}
		if strings.Contains(path, "provider-keys") && strings.Contains(path, "anthropic") {
			t.Errorf("%s names its provider", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A caller that changes what it was given changes nothing of the table.
func TestTableCopies(t *testing.T) {
	t.Parallel()
	table := open(t, t.TempDir(), identity(t))
	p := anthropic()
	add(t, table, p, "")
	p.Models[0] = "changed"
	p.Prices["claude-a"] = inference.Price{}
	got := table.List()[0]
	got.Models[1] = "changed"
	p, _, err := table.Resolve("claude-a")
	if err != nil || p.Prices["claude-a"].Output != 15 || !slices.Equal(p.Models, []string{"claude-a", "claude-b"}) {
		t.Fatalf("%+v, %v", p, err)
	}
}

func TestTableRemove(t *testing.T) {
	t.Parallel()
	dir, id := t.TempDir(), identity(t)
	table := open(t, dir, id)
	add(t, table, anthropic(), canary)
	add(t, table, local("a", "m"), "")
	add(t, table, local("b", "m"), "")
	if err := table.Add(t.Context(), local("a", "x"), nil); !fault.Is(err, fault.Conflict) {
		t.Fatalf("a name that is taken: %v", err)
	}
	if err := table.SetDefault(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if err := table.SetDefault(t.Context(), "nobody"); !fault.Is(err, fault.NotFound) {
		t.Fatalf("default of nobody: %v", err)
	}
	for _, name := range []string{"anthropic", "b"} {
		if err := table.Remove(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Remove(t.Context(), "b"); !fault.Is(err, fault.NotFound) {
		t.Fatalf("again: %v", err)
	}
	list := open(t, dir, id).List()
	if len(list) != 1 || list[0].Name != "a" || !list[0].Default {
		t.Fatalf("list %+v", list)
	}
	keys, err := os.ReadDir(filepath.Join(dir, "provider-keys"))
	if err != nil || len(keys) != 0 {
		t.Fatalf("keys %v, %v", keys, err)
	}
}

// A model that is added after a rehearsal becomes the default; nothing else is
// replaced unasked.
func TestTableDefault(t *testing.T) {
	t.Parallel()
	table := open(t, t.TempDir(), identity(t))
	asked := local("c", "m")
	asked.Default = true
	for _, step := range []struct {
		add  inference.Provider
		want string
	}{
		{rehearse(t, "rehearsal"), "rehearsal"},
		{rehearse(t, "other"), "rehearsal"},
		{local("a", "m"), "a"},
		{local("b", "m"), "a"},
		{rehearse(t, "third"), "a"},
		{asked, "c"},
	} {
		add(t, table, step.add, "")
		p, _, err := table.Resolve("")
		if err != nil || p.Name != step.want {
			t.Errorf("after %s: default %s, %v; want %s", step.add.Name, p.Name, err, step.want)
		}
		n := 0
		for _, p := range table.List() {
			if p.Default {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d defaults", n)
		}
	}
}

// A cassette that cannot be played is found when it is added, and adds nothing.
func TestTableReadsCassette(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte("version: 1\nturns: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	table := open(t, t.TempDir(), identity(t))
	for path, want := range map[string]fault.Kind{filepath.Join(dir, "none.yaml"): fault.NotFound, broken: fault.Invalid, dir: fault.Invalid} {
		p := inference.Provider{Name: "play", Protocol: inference.Rehearsal, Cassette: path}
		if err := table.Add(t.Context(), p, nil); !fault.Is(err, want) || !strings.Contains(err.Error(), path) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v (%s), want %s", path, err, fault.HintOf(err), want)
		}
	}
	if list := table.List(); len(list) != 0 {
		t.Errorf("added: %+v", list)
	}
}

// A rehearsal needs no model's name: it serves one by its own.
func TestTableNamesRehearsal(t *testing.T) {
	t.Parallel()
	table := open(t, t.TempDir(), identity(t))
	p := rehearse(t, "play")
	p.Models = nil
	add(t, table, p, "")
	if got, model, err := table.Resolve("play"); err != nil || got.Name != "play" || model != "play" {
		t.Fatalf("%s %s, %v", got.Name, model, err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	table := open(t, t.TempDir(), identity(t))
	if _, _, err := table.Resolve(""); !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
		t.Fatalf("of an empty table: %v", err)
	}
	add(t, table, local("one", "llama", "shared", "org/model"), "")
	add(t, table, local("two", "shared", "qwen", "twice"), "")
	add(t, table, local("three", "twice", "one/llama"), "")
	for model, want := range map[string]string{
		"":                "one llama",
		"qwen":            "two qwen",
		"shared":          "one shared", // the default provider's
		"two/shared":      "two shared",
		"org/model":       "one org/model",
		"one/org/model":   "one org/model",
		"two":             "two shared", // a provider's name means its first model
		"three/twice":     "three twice",
		"one/llama":       "one llama", // the full name comes first
		"three/one/llama": "three one/llama",
	} {
		p, name, err := table.Resolve(model)
		if got := p.Name + " " + name; err != nil || got != want {
			t.Errorf("%q is %s, %v; want %s", model, got, err, want)
		}
		if again, name2, err := table.Resolve(p.FullName(name)); err != nil || again.Name != p.Name || name2 != name {
			t.Errorf("the full name of %q is %s %s, %v", model, again.Name, name2, err)
		}
	}
	for model, kind := range map[string]fault.Kind{"nothing": fault.NotFound, "one/qwen": fault.NotFound, "twice": fault.Conflict, "/": fault.NotFound} {
		if _, _, err := table.Resolve(model); !fault.Is(err, kind) {
			t.Errorf("%q: %v; want %s", model, err, kind)
		}
	}
	for _, word := range []string{"qwn", "quen"} {
		if _, _, err := table.Resolve(word); !strings.HasPrefix(fault.HintOf(err), "did you mean qwen? ") {
			t.Errorf("%q: hint %q", word, fault.HintOf(err))
		}
	}
	if _, err := table.Get("thre"); !strings.HasPrefix(fault.HintOf(err), "did you mean three? ") {
		t.Errorf("hint %q", fault.HintOf(err))
	}
	if _, _, err := table.Resolve("twice"); !strings.Contains(fault.HintOf(err), "two/twice, three/twice") {
		t.Errorf("hint %q", fault.HintOf(err))
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	edit := func(f func(*inference.Provider)) inference.Provider {
		p := anthropic()
		f(&p)
		return p
	}
	url := func(u string) inference.Provider { return edit(func(p *inference.Provider) { p.URL = u }) }
	name := func(n string) inference.Provider { return edit(func(p *inference.Provider) { p.Name = n }) }
	models := func(m ...string) inference.Provider {
		return edit(func(p *inference.Provider) { p.Models, p.Prices = m, nil })
	}
	for _, p := range []inference.Provider{
		anthropic(), local("x", "a"), rehearse(t, "r"), url("https://h.example/base/v1"),
		edit(func(p *inference.Provider) { p.Protocol = inference.Gemini }),
		edit(func(p *inference.Provider) {
			p.Also = []inference.Protocol{inference.OpenAIResponses, inference.OpenAIChat}
		}),
		url("http://[::1]:8080"), models("org/model:8b@v1+q"),
	} {
		if err := p.Check(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, p := range []inference.Provider{
		name(""), name("A"), name("a b"), name("../x"), name("a/b"), name(strings.Repeat("a", 65)), name("a\n"),
		models(), models(""), models("a", "a"), models("a b"), models("a\x00"), models("-a"), models(strings.Repeat("a", 129)),
		url(""), url("ftp://h"), url("file:///etc/passwd"), url("https://"), url("https:///v1"), url("//h/v1"), url("h:80"),
		url("https://user:" + canary + "@h/"), url("https://h/?key=" + canary), url("https://h/#x"), url("https://h/?"), url("https://h:port/" + canary), url("https://h/%zz" + canary),
		edit(func(p *inference.Provider) { p.Protocol = "telnet" }),
		edit(func(p *inference.Provider) { p.Also = []inference.Protocol{"telnet"} }),
		edit(func(p *inference.Provider) { p.Also = []inference.Protocol{inference.Rehearsal} }),
		edit(func(p *inference.Provider) { p.Also = []inference.Protocol{inference.AnthropicMessages} }),
		edit(func(p *inference.Provider) { p.Also = []inference.Protocol{inference.OpenAIChat, inference.OpenAIChat} }),
		edit(func(p *inference.Provider) { p.Protocol = "" }),
		edit(func(p *inference.Provider) { p.Cassette = "/c" }),
		edit(func(p *inference.Provider) { p.Prices = map[string]inference.Price{"other": {}} }),
		edit(func(p *inference.Provider) { p.Prices = map[string]inference.Price{"claude-a": {Output: -1}} }),
		edit(func(p *inference.Provider) { p.Prices = map[string]inference.Price{"claude-a": {Input: math.NaN()}} }),
		edit(func(p *inference.Provider) {
			p.Prices = map[string]inference.Price{"claude-a": {CacheRead: math.Inf(1)}}
		}),
		{Name: "r", Protocol: inference.Rehearsal, Models: []string{"m"}},
		{Name: "r", Protocol: inference.Rehearsal, Models: []string{"m"}, Cassette: "relative.yaml"},
		{Name: "r", Protocol: inference.Rehearsal, Models: []string{"m"}, Cassette: "/c", Also: []inference.Protocol{inference.OpenAIChat}},
		{Name: "r", Protocol: inference.Rehearsal, Models: []string{"m"}, Cassette: "/c", URL: "http://h"},
	} {
		err := p.Check()
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", p, err)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("the error repeats a secret: %v", err)
		}
		if err := open(t, t.TempDir(), identity(t)).Add(t.Context(), p, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("added %+v: %v", p, err)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	remote := anthropic()
	remote.URL = "http://inference.example"
	loopback := local("l", "m")
	for name, c := range map[string]struct {
		p   inference.Provider
		key string
		ok  bool
	}{
		"plain":             {anthropic(), canary, true},
		"with a line break": {anthropic(), " " + canary + "\r\n", true},
		"none":              {anthropic(), " \n", true},
		"two lines":         {anthropic(), canary + "\nX-Evil: 1", false},
		"a space within":    {anthropic(), "a b", false},
		"not ASCII":         {anthropic(), "ключ", false},
		"far too long":      {anthropic(), strings.Repeat("k", 20_000), false},
		"of a rehearsal":    {rehearse(t, "r"), canary, false},
		"over plain http":   {remote, canary, false},
		"to loopback":       {loopback, canary, true},
	} {
		err := open(t, t.TempDir(), identity(t)).Add(t.Context(), c.p, []byte(c.key))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error repeats the key", name)
		}
	}
}

// locked is a sealer whose installation is locked.
type locked struct{}

func (locked) SealBytes([]byte) ([]byte, error) {
	return nil, fault.New(fault.Locked, "locked", "")
}

func (locked) OpenBytes([]byte) ([]byte, error) {
	return nil, fault.New(fault.Locked, "locked", "")
}

// While locked the table can be read, and its keys cannot.
func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	add(t, open(t, dir, identity(t)), anthropic(), canary)
	table := open(t, dir, locked{})
	if _, _, err := table.Resolve(""); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Key("anthropic"); !fault.Is(err, fault.Locked) {
		t.Fatalf("key: %v", err)
	}
	p := anthropic()
	p.Name = "second"
	if err := table.Add(t.Context(), p, []byte(canary)); !fault.Is(err, fault.Locked) || len(table.List()) != 1 {
		t.Fatalf("add: %v", err)
	}
}

// A table of before there were further protocols is read, and a provider that has
// some keeps them.
func TestFurtherProtocols(t *testing.T) {
	t.Parallel()
	dir, id := t.TempDir(), identity(t)
	const before = `{"version":1,"providers":[{"name":"a","protocol":"openai-chat","url":"http://127.0.0.1:1/v1","models":["m"],"hasKey":false,"default":true,"addedAt":"2026-03-01T12:00:00Z"}]}`
	if err := os.WriteFile(filepath.Join(dir, "providers.json"), []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	p := local("b", "n")
	p.Also = []inference.Protocol{inference.OpenAIResponses}
	if err := open(t, dir, id).Add(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	table := open(t, dir, id)
	a, _, err := table.Resolve("m")
	if err != nil || a.Speaks(inference.OpenAIResponses) {
		t.Errorf("%+v, %v", a, err)
	}
	b, _, err := table.Resolve("n")
	if err != nil || !b.Speaks(inference.OpenAIResponses) || !b.Speaks(inference.OpenAIChat) || b.As(inference.OpenAIResponses).Protocol != inference.OpenAIResponses {
		t.Errorf("%+v, %v", b, err)
	}
}

// What models cost is changed, all of it or nothing, and the key stays.
func TestSetPrices(t *testing.T) {
	t.Parallel()
	dir, id := t.TempDir(), identity(t)
	table := open(t, dir, id)
	add(t, table, anthropic(), canary)
	add(t, table, local("ollama", "m"), "")
	add(t, table, rehearse(t, "play"), "")
	type prices = map[string]*inference.Price
	if err := table.SetPrices(t.Context(), "anthropic", prices{"claude-a": nil, "claude-b": {Input: 1, Output: 2, CacheRead: 0.1}}); err != nil {
		t.Fatal(err)
	}
	if err := table.SetPrices(t.Context(), "ollama", prices{"m": {}}); err != nil {
		t.Fatal(err)
	}
	for _, table := range []*inference.Table{table, open(t, dir, id)} {
		p, err := table.Get("anthropic")
		_, known := p.Price("claude-a")
		if b, _ := p.Price("claude-b"); err != nil || known || b != (inference.Price{Input: 1, Output: 2, CacheRead: 0.1}) || !p.HasKey || !p.Default {
			t.Errorf("%+v, %v", p, err)
		}
		if key, err := table.Key("anthropic"); err != nil || string(key) != canary {
			t.Errorf("its key is %q, %v", key, err)
		}
		if p, err := table.Get("ollama"); err != nil || len(p.Prices) != 1 {
			t.Errorf("%+v, %v", p, err)
		}
	}
	for name, c := range map[string]struct {
		provider string
		prices   prices
		kind     fault.Kind
	}{
		"nobody":        {"nobody", prices{"m": {}}, fault.NotFound},
		"a rehearsal":   {"play", prices{"rehearsal": {}}, fault.Invalid},
		"another model": {"anthropic", prices{"claude-b": nil, "claude-c": nil}, fault.Invalid},
		"negative":      {"anthropic", prices{"claude-b": {Input: -1}}, fault.Invalid},
		"NaN":           {"anthropic", prices{"claude-b": {CacheWrite: math.NaN()}}, fault.Invalid},
		"infinite":      {"anthropic", prices{"claude-a": {}, "claude-b": {Output: math.Inf(1)}}, fault.Invalid},
	} {
		if err := table.SetPrices(t.Context(), c.provider, c.prices); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, _ := table.Get("anthropic"); len(p.Prices) != 1 || p.Prices["claude-b"].Input != 1 {
		t.Errorf("what was refused changed something: %+v", p.Prices)
	}
}

// A table that cannot be read is said, never taken for an empty one.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	row := `{"name":"a","protocol":"openai-chat","url":"http://127.0.0.1:1/v1","models":["m"],"hasKey":false,"default":true,"addedAt":"2026-03-01T12:00:00Z"}`
	for name, data := range map[string]string{
		"empty":         "",
		"no JSON":       "{",
		"version 2":     `{"version":2,"providers":[]}`,
		"unknown field": `{"version":1,"providers":[],"x":1}`,
		"a bad row":     `{"version":1,"providers":[` + strings.Replace(row, `"http:`, `"ftp:`, 1) + `]}`,
		"a name twice":  `{"version":1,"providers":[` + row + `,` + row + `]}`,
		"two values":    `{"version":1,"providers":[]}{"version":1,"providers":[` + row + `]}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "providers.json"), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := inference.Open(inference.Options{Dir: dir, Sealer: locked{}, Now: now}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTableConcurrently(t *testing.T) {
	t.Parallel()
	dir, id := t.TempDir(), identity(t)
	table := open(t, dir, id)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			name := fmt.Sprintf("p%d", i)
			err := table.Add(context.WithoutCancel(t.Context()), local(name, "m"), []byte(canary))
			if i%2 == 0 {
				err = errors.Join(err, table.Remove(context.WithoutCancel(t.Context()), name))
			}
			if err != nil {
				t.Error(err)
			}
			table.List()
		})
	}
	wait.Wait()
	if a, b := len(table.List()), len(open(t, dir, id).List()); a != 4 || b != 4 {
		t.Errorf("%d in memory, %d on disk; want 4", a, b)
	}
}
