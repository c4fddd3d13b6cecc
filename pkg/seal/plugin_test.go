package seal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	ageplugin "filippo.io/age/plugin"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal/plugin/plugintest"
)

func TestMain(m *testing.M) {
	if plugintest.Started() {
		os.Exit(plugintest.Main())
	}
	os.Exit(m.Run())
}

// plugins are the fake plugin alone.
func plugins(t *testing.T) Plugins {
	t.Helper()
	p, err := NewPlugins(map[string]string{plugintest.Name: plugintest.Install(t, t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// person answers what keys ask, and remembers what was said.
type person struct {
	mu      sync.Mutex
	answers []string
	said    []string
}

func (p *person) Say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, text)
}

func (p *person) Ask(_ context.Context, question string, _ bool) ([]byte, error) {
	p.Say(question)
	if len(p.answers) == 0 {
		return nil, fault.New(fault.Usage, "nobody answers", "")
	}
	answer := p.answers[0]
	p.answers = p.answers[1:]
	return []byte(answer), nil
}

func (p *person) Confirm(_ context.Context, question, yes, no string) (bool, error) {
	p.Say(question + " " + yes + " " + no)
	return true, nil
}

// opener reads a private key that a test wrote down.
func opener(t *testing.T, p Plugins, who Prompter, text string) *Opener {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := ReadOpener(t.Context(), path, OpenerOptions{Plugins: p, Prompter: who})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func parse(t *testing.T, p Plugins, text string) Recipient {
	t.Helper()
	r, err := p.ParseRecipient(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPluginOpensACopyWithOneTouch(t *testing.T) {
	t.Parallel()
	p, id, copies := plugins(t), identity(t), Copies{Dir: filepath.Join(t.TempDir(), "identity.d")}
	mine, other := plugintest.NewKey(t, t.TempDir(), plugintest.Options{PIN: "1234"}), plugintest.NewKey(t, t.TempDir(), plugintest.Options{})
	for _, text := range []string{other.Recipient, identity(t).Recipient(), mine.Recipient} {
		if err := copies.Add(id, parse(t, p, text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{mine.Identity, "#    Recipient: " + mine.Recipient + "\n" + mine.Identity + "\n"} {
		who := &person{answers: []string{"1234"}}
		before := mine.Touches(t)
		got, err := copies.Open(opener(t, p, who, text))
		if err != nil || !same(got, id) {
			t.Fatalf("opened: %v", err)
		}
		if n := mine.Touches(t) - before; n != 1 {
			t.Errorf("it was touched %d times", n)
		}
		if got := strings.Join(who.said, "|"); got != "fake: PIN |fake: touch the key" {
			t.Errorf("the person was told %q", got)
		}
	}
	if n := other.Touches(t); n != 0 {
		t.Errorf("the other key was touched %d times", n)
	}
	for name, who := range map[string]Prompter{"wrong PIN": &person{answers: []string{"0000"}}, "nobody": nil} {
		if _, err := copies.Open(opener(t, p, who, mine.Identity)); !fault.Is(err, fault.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger := plugintest.NewKey(t, t.TempDir(), plugintest.Options{})
	if _, err := copies.Open(opener(t, p, nil, stranger.Identity)); !fault.Is(err, fault.Denied) || fault.HintOf(err) == "" {
		t.Errorf("a key without a copy: %v", err)
	}
	if n := mine.Touches(t); n != 2 {
		t.Errorf("%d touches in all", n)
	}
}

func TestPluginsThatMisbehave(t *testing.T) {
	t.Parallel()
	p := plugins(t)
	for how, kind := range map[string]fault.Kind{"ends": fault.Internal, "babbles": fault.Internal, "refuses": fault.Invalid} {
		key := plugintest.NewKey(t, t.TempDir(), plugintest.Options{Broken: how})
		_, err := EncryptBytes([]byte("x"), parse(t, p, key.Recipient))
		if !fault.Is(err, kind) || !strings.Contains(err.Error(), "fake") {
			t.Errorf("%s: %v", how, err)
		}
		if how == "ends" && !strings.Contains(err.Error(), "no reader") {
			t.Errorf("it does not say what the program said: %v", err)
		}
	}
	good, hangs := plugintest.NewKey(t, t.TempDir(), plugintest.Options{}), plugintest.NewKey(t, t.TempDir(), plugintest.Options{Broken: "hangs"})
	copies := Copies{Dir: t.TempDir()}
	if err := copies.Add(identity(t), parse(t, p, good.Recipient)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, fault.New(fault.Interrupted, "enough", ""))
	defer cancel()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(hangs.Identity), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := ReadOpener(ctx, path, OpenerOptions{Plugins: p})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := copies.Open(o); !fault.Is(err, fault.Interrupted) || time.Since(began) > 10*time.Second {
		t.Errorf("one that hangs: %v after %v", err, time.Since(began))
	}
}

// TestPlantedPlugins: no program runs but the one whose path was configured.
func TestPlantedPlugins(t *testing.T) {
	planted, ran := t.TempDir(), filepath.Join(t.TempDir(), "ran")
	script := "#!/bin/sh\necho ran >>" + ran + "\nexit 1\n"
	for _, name := range []string{"age-plugin-fake", "age-plugin-evil", "age-plugin-"} {
		if err := os.WriteFile(filepath.Join(planted, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", planted+":"+os.Getenv("PATH"))
	t.Chdir(planted)
	p := plugins(t)
	key := plugintest.NewKey(t, t.TempDir(), plugintest.Options{})
	if _, err := EncryptBytes([]byte("x"), parse(t, p, key.Recipient)); err != nil {
		t.Errorf("the configured one: %v", err)
	}
	for _, q := range []Plugins{p, {}} {
		if _, err := q.ParseRecipient(ageplugin.EncodeRecipient("evil", []byte("x"))); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), "plugins.json") {
			t.Errorf("one that is not configured: %v", err)
		}
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(ageplugin.EncodeIdentity("evil", []byte("x"))), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadOpener(t.Context(), path, OpenerOptions{Plugins: p}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an identity of one that is not configured: %v", err)
	}
	if _, err := os.Stat(ran); !errors.Is(err, os.ErrNotExist) {
		t.Error("a planted program ran")
	}
}

func TestPluginConfiguration(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"": "/x", "../x": "/x", "a/b": "/x", "A": "/x", ".x": "/x", "-x": "/x", "a b": "/x", "a\x00": "/x",
		"relative": "age-plugin-x", "dotted": "/usr/../tmp/x", "slash": "/usr/bin/x/", "empty": "",
	} {
		if _, err := NewPlugins(map[string]string{name: path}); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%q at %q: %v", name, path, err)
		}
	}
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.WriteFile(open, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		mode os.FileMode
		kind fault.Kind
	}{"no program": {0o600, fault.Invalid}, "writable by all": {0o777, fault.Denied}, "writable by a group": {0o775, fault.Denied}} {
		if err := os.Chmod(open, c.mode); err != nil {
			t.Fatal(err)
		}
		if err := tryPlugin(t, open); !fault.Is(err, c.kind) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{open, link} {
		if err := tryPlugin(t, path); !fault.Is(err, fault.Denied) || fault.HintOf(err) == "" {
			t.Errorf("in a folder that is open to all: %v", err)
		}
	}
	if err := tryPlugin(t, filepath.Join(dir, "missing")); !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
		t.Errorf("missing: %v", err)
	}
	if err := tryPlugin(t, dir); !fault.Is(err, fault.Invalid) {
		t.Errorf("a directory: %v", err)
	}
}

func tryPlugin(t *testing.T, path string) error {
	t.Helper()
	p, err := NewPlugins(map[string]string{"x": path})
	if err != nil {
		t.Fatal(err)
	}
	_, err = EncryptBytes([]byte("x"), parse(t, p, ageplugin.EncodeRecipient("x", []byte("x"))))
	return err
}

// Post-quantum recipients and others do not go together, whoever says that they
// are.
func TestMixedRecipients(t *testing.T) {
	t.Parallel()
	p := plugins(t)
	hybrid, err := NewHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	classic := identity(t).Public()
	plugged := parse(t, p, plugintest.NewKey(t, t.TempDir(), plugintest.Options{}).Recipient)
	pluggedPQ := parse(t, p, plugintest.NewKey(t, t.TempDir(), plugintest.Options{PostQuantum: true}).Recipient)
	tagged := parse(t, p, "age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e")
	for name, c := range map[string]struct {
		to []Recipient
		ok bool
	}{
		"classic":                        {[]Recipient{classic, tagged, plugged}, true},
		"post-quantum":                   {[]Recipient{hybrid.Public(), pluggedPQ}, true},
		"plugins alone":                  {[]Recipient{pluggedPQ}, true},
		"mixed":                          {[]Recipient{classic, hybrid.Public()}, false},
		"a tag among them":               {[]Recipient{tagged, hybrid.Public()}, false},
		"a plugin's among classic":       {[]Recipient{classic, pluggedPQ}, false},
		"a classic plugin's among them":  {[]Recipient{plugged, hybrid.Public()}, false},
		"two plugins' that do not agree": {[]Recipient{plugged, pluggedPQ}, false},
	} {
		_, err := EncryptBytes([]byte("x"), c.to...)
		if c.ok != (err == nil) || err != nil && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "mixed")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := EncryptBytes([]byte("x"), Recipient{}); err == nil {
		t.Error("nobody can open it")
	}
}
