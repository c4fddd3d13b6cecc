package cli_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/term"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/client/clienttest"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal/plugin/plugintest"
)

var update = flag.Bool("update", false, "rewrite the goldens, in scripts and in docs")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"vexa":       func() { os.Exit(cli.Execute(context.Background(), processFactory(), os.Args[1:])) },
		"fakedaemon": func() { os.Exit(fakeDaemon()) },

		plugintest.Program: func() { os.Exit(plugintest.Main()) },
	})
}

// processFactory is what cmd/vexa gives the commands, with an in-memory daemon
// for the real one.
func processFactory() *cli.Factory {
	tty := func(f *os.File) func() bool { return func() bool { return term.IsTerminal(int(f.Fd())) } }
	f := &cli.Factory{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTTY: tty(os.Stdin), OutTTY: tty(os.Stdout), ErrTTY: tty(os.Stderr),
		Env: os.Getenv, Now: clienttest.Epoch, CompleteWithin: time.Minute,
		Terminal: factory.OpenTerminal,
		Version:  factory.Version{Version: "test", Go: "go"},
		Home:     func() (home.Home, error) { return home.Open(os.Getenv, os.Getuid()) },
		Spawn:    spawnFake,
		Keys:     testKeys, Contracts: fakeContracts{},
		FindModels: findFake, StoredModels: storedFake,
		Rehearsal: func(h home.Home) (string, error) { return filepath.Join(h.Config, "rehearsal.yaml"), nil },
		CheckCassette: func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return fault.New(fault.NotFound, "the cassette "+path+" cannot be read", "")
			}
			if !strings.HasPrefix(string(data), "version: 1") {
				return fault.New(fault.Invalid, "cassette: "+path+":1: needs a version", "")
			}
			return nil
		},
		BuildRunner: buildFake,
		UID:         func() int { return 1000 },
		System:      fakeSystem{},
	}
	f.Interrupts = func() (<-chan struct{}, func()) {
		sig, out := make(chan os.Signal, 2), make(chan struct{}, 2)
		signal.Notify(sig, os.Interrupt)
		go func() {
			for range sig {
				out <- struct{}{}
			}
		}()
		return out, func() { signal.Stop(sig) }
	}
	return f
}

// spawnFake starts the in-memory daemon as a process of its own.
func spawnFake(_ context.Context, h home.Home) (<-chan error, error) {
	switch os.Getenv("FAKE_SPAWN") {
	case "broken":
		return nil, errors.New("exec format error")
	case "ends":
		ended := make(chan error, 1)
		ended <- fault.New(fault.Internal, "the disk is full", "make room")
		return ended, nil
	}
	cmd := exec.Command("fakedaemon", h.DaemonSocket(), h.DaemonLog())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return nil, cmd.Process.Release()
}

// fakeDaemon serves an in-memory daemon: fakedaemon SOCKET LOG. FAKE_STATE names
// its state and FAKE_DROP after how many frames it breaks a stream.
func fakeDaemon() int {
	socket, log := os.Args[1], os.Args[2]
	l, err := net.Listen("unix", socket)
	if err != nil {
		return 1
	}
	d := clienttest.New(socket, os.Getenv("VEXA_HOME"))
	if v := os.Getenv("FAKE_VERSION"); v != "" {
		d.Version = v
	}
	for state := range strings.FieldsSeq(os.Getenv("FAKE_STATE")) {
		if err := d.Reset(state); err != nil {
			return 1
		}
	}
	d.DropAfter, _ = strconv.Atoi(os.Getenv("FAKE_DROP"))
	srv := &http.Server{Handler: d}
	done := make(chan struct{})
	d.OnShutdown = func() {
		defer close(done)
		_ = srv.Shutdown(context.Background())
	}
	if err := os.WriteFile(log, []byte("one\ntwo\nthree\x1b[2J\n"), 0o600); err != nil {
		return 1
	}
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return 1
	}
	<-done
	return 0
}

// testKeys keeps the keys as cmd/vexa does, with cheap passphrases and a keyring
// in a file.
func testKeys(h home.Home) (*keys.Store, error) {
	plugins, err := keys.LoadPlugins(h.Config)
	o := keys.Options{Dir: h.Keys(), Install: h.InstallID, Plugins: plugins, Cost: 6, Now: clienttest.Epoch}
	if dir := os.Getenv("FAKE_KEYRING"); dir != "" {
		o.Keyring = fileKeyring(dir)
	}
	return keys.New(o), err
}

// fileKeyring is a keyring that several processes see.
type fileKeyring string

func (k fileKeyring) path(install string) string { return filepath.Join(string(k), install) }

func (k fileKeyring) Get(_ context.Context, install string, _ bool) ([]byte, error) {
	data, err := os.ReadFile(k.path(install))
	if err != nil {
		return nil, fault.New(fault.NotFound, "the desktop keyring has no passphrase of this installation", "")
	}
	return data, nil
}

func (k fileKeyring) Put(_ context.Context, install string, passphrase []byte) error {
	return os.WriteFile(k.path(install), passphrase, 0o600)
}

func (k fileKeyring) Delete(_ context.Context, install string) error {
	return os.Remove(k.path(install))
}

type fakeContracts struct{}

func (fakeContracts) Names() []string { return []string{"unit.v1", "ws.v2"} }

func (fakeContracts) Source(name string) ([]byte, error) {
	if name != "unit.v1" {
		return nil, fault.New(fault.NotFound, "there is no contract "+name, "list them with: vexa contract list")
	}
	return []byte("{\"$id\":\"unit.v1\"}\n"), nil
}

func (fakeContracts) Validate(_ string, data []byte) error {
	if strings.TrimSpace(string(data)) == "{}" {
		return nil
	}
	return fault.New(fault.Invalid, "unit.v1 /id: is missing", "")
}

func (fakeContracts) Check(_ context.Context, dir string) ([]string, error) {
	if abs, _ := filepath.Abs(dir); dir != "" && filepath.Base(abs) == "broken" {
		return []string{"unit.v1: changed since it was sealed"}, nil
	}
	return nil, nil
}

func (fakeContracts) Seal(context.Context, string) ([]string, error) { return []string{"unit.v1"}, nil }

// storedFake reads config/models: name, protocol and, for the default, its word, one
// provider a line.
func storedFake(h home.Home) ([]api.Provider, error) {
	data, err := os.ReadFile(filepath.Join(h.Config, "models"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var out []api.Provider
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			return nil, fault.New(fault.Invalid, "the table of models is broken", "")
		}
		out = append(out, api.Provider{Name: words[0], Protocol: words[1], Default: len(words) > 2})
	}
	return out, err
}

func findFake(context.Context) ([]factory.FoundModel, error) {
	if os.Getenv("FAKE_MODELS") == "" {
		return nil, nil
	}
	return []factory.FoundModel{{
		Provider: api.AddProvider{Name: "ollama", Protocol: "openai-chat", URL: "http://127.0.0.1:11434/v1", Models: []string{"qwen3", "gemma"}},
		From:     "a server on 127.0.0.1:11434",
	}}, nil
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "waitfor": waitFor, "hardware": hardware, "tool": tool},
	})
}

// setup gives a script an installation of its own. Sockets need short paths.
func setup(env *testscript.Env) error {
	run, err := os.MkdirTemp("/tmp", "vx")
	if err != nil {
		return err
	}
	h := func(name string) string {
		return map[string]string{"VEXA_HOME": filepath.Join(env.WorkDir, "home"), "XDG_RUNTIME_DIR": run}[name]
	}
	hm, err := home.Open(h, os.Getuid())
	if err != nil {
		return err
	}
	env.Vars = append(env.Vars, "VEXA_HOME="+h("VEXA_HOME"), "XDG_RUNTIME_DIR="+run, "SOCKET="+hm.DaemonSocket(), "LC_ALL=C.UTF-8")
	env.Values[testKey{}] = env.T()
	env.Defer(func() {
		stopFake(hm.DaemonSocket())
		_ = os.RemoveAll(run)
		_ = os.RemoveAll(hm.Plain)
	})
	return nil
}

// stopFake ends the daemon that a script left behind.
func stopFake(socket string) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /v1/shutdown HTTP/1.1\r\nHost: vexa\r\nContent-Length: 14\r\n\r\n{\"force\":true}")
	_, _ = conn.Read(make([]byte, 1))
}

// exits runs a program and compares its exit code: exits CODE PROGRAM ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("%s exited with %d, want %d", strings.Join(args[1:], " "), code, want)
	}
}

// tool ends a script where a program is not there: tool NAME.
func tool(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tool NAME")
	}
	_, err := exec.LookPath(args[0])
	if err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv(require.Env), ","), args[0]) {
		ts.Fatalf("%s requires %v", require.Env, err)
	}
	if t, ok := ts.Value(testKey{}).(testscript.T); ok {
		t.Skip("needs " + args[0])
	}
}

// testKey is where a script's values have its test.
type testKey struct{}

// hardware makes a key in fake hardware, and names its plugin in the
// configuration: hardware NAME writes NAME.recipient, NAME.identity and, at each
// touch, a line of NAME.touches.
func hardware(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hardware NAME")
	}
	name := ts.MkAbs(args[0])
	key, err := plugintest.MakeKey(name+".touches", plugintest.Options{PIN: "1234"})
	ts.Check(err)
	program, err := exec.LookPath(plugintest.Program)
	ts.Check(err)
	config := filepath.Join(ts.Getenv("VEXA_HOME"), "config", "plugins.json")
	ts.Check(os.WriteFile(name+".recipient", []byte(key.Recipient+"\n"), 0o600))
	ts.Check(os.WriteFile(name+".identity", []byte("# Recipient: "+key.Recipient+"\n"+key.Identity+"\n"), 0o600))
	ts.Check(os.WriteFile(config, []byte(`{"version":1,"plugins":{"`+plugintest.Name+`":"`+program+`"}}`), 0o600))
}

// waitFor runs a program until its stdout holds a text: waitfor TEXT PROGRAM ARG...
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: waitfor TEXT PROGRAM ARG...")
	}
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if ts.Exec(args[1], args[2:]...) == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		select {
		case <-deadline:
			ts.Fatalf("%s never said %q", strings.Join(args[1:], " "), args[0])
		case <-tick.C:
		}
	}
}

// buildFake makes the image of a runner that is called acme.
func buildFake(_ context.Context, _ home.Home, b factory.RunnerBuild) (factory.RunnerImage, error) {
	if b.Name != "acme" {
		return factory.RunnerImage{}, fault.New(fault.NotFound, "no runner is called \""+b.Name+"\"", "list them with: vexa runner list")
	}
	b.Notice("downloading it")
	out := factory.RunnerImage{Runner: b.Name, Arch: "amd64", Downloaded: 1_500_000, Cached: 2_500_000, Freed: 3_500_000, Fetch: time.Second}
	if b.Download == "" {
		out.Image, out.Digest, out.Size = "localhost/vexa/runner-acme:1", "sha256:abc", 250_000_000
		out.Make, out.Load, out.Warm = 2*time.Second, 3*time.Second, 500*time.Millisecond
	}
	return out, nil
}
