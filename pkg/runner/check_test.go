package runner_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/runners"
)

func shipped(tb testing.TB, name string) runnerv2.Manifest {
	tb.Helper()
	c, err := runner.Load(runners.FS)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := c.Get(name)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	type manifest = runnerv2.Manifest
	cases := map[string]struct {
		base   string
		change func(*manifest)
		want   string // in the message
	}{
		"unknown variable":           {"vexa", func(m *manifest) { m.Argv.New = append(m.Argv.New, "{{modell}}") }, "argv.new[4]"},
		"broken variable":            {"vexa", func(m *manifest) { m.Argv.New = append(m.Argv.New, "{{model") }, "argv.new[4]"},
		"variable program":           {"vexa", func(m *manifest) { m.Argv.New[0] = "{{home}}/x" }, "must not be a variable"},
		"variable in probe":          {"vexa", func(m *manifest) { m.Argv.Probe = []string{"x", "{{model}}"} }, "argv.probe[1]"},
		"token in argv":              {"vexa", func(m *manifest) { m.Argv.New = append(m.Argv.New, "--key={{token}}") }, "environment"},
		"prompt with stdin":          {"vexa", func(m *manifest) { m.Argv.New = append(m.Argv.New, "--", "{{prompt}}") }, "not available"},
		"prompt in env":              {"vexa", func(m *manifest) { m.Env = map[string]string{"P": "{{prompt}}"} }, "env.P"},
		"model without inference":    {"text", func(m *manifest) { m.Argv.New = append(m.Argv.New, "{{model}}") }, "without inference"},
		"session without one":        {"text", func(m *manifest) { m.Argv.New = append(m.Argv.New, "{{session}}") }, "{{session}}"},
		"resume without a session":   {"text", func(m *manifest) { m.Argv.Resume = []string{"x"} }, "nothing to resume"},
		"session without resume":     {"vexa", func(m *manifest) { m.Argv.Resume = nil }, "argv.resume"},
		"session without capsule":    {"vexa", func(m *manifest) { m.Session.Capsule = nil }, "session.capsule"},
		"capsule outside":            {"vexa", func(m *manifest) { m.Session.Capsule = []string{"../x"} }, "session.capsule[0]"},
		"capsule absolute":           {"vexa", func(m *manifest) { m.Session.Capsule = []string{"/etc/{{session}}"} }, "session.capsule[0]"},
		"capsule pattern":            {"vexa", func(m *manifest) { m.Session.Capsule = []string{"a/[x"} }, "session.capsule[0]"},
		"capsule variable":           {"vexa", func(m *manifest) { m.Session.Capsule = []string{"{{home}}"} }, "only {{session}}"},
		"state nowhere":              {"vexa", func(m *manifest) { m.Session.StateEnv = "" }, "{{state}}"},
		"unknown dialect":            {"vexa", func(m *manifest) { m.Stream.Dialect = "morse" }, "vexa-ndjson"},
		"wrong terminal":             {"vexa", func(m *manifest) { m.Stream.Terminal = "done" }, "stream.terminal"},
		"terminal for text":          {"text", func(m *manifest) { m.Stream.Terminal = "done" }, "stream.terminal"},
		"two images":                 {"vexa", func(m *manifest) { m.Image.Ref = "x" }, "image"},
		"variable set twice":         {"vexa", func(m *manifest) { m.Env = map[string]string{"VEXA_AGENT_STATE": "x"} }, "sets it too"},
		"no success":                 {"vexa", func(m *manifest) { m.Exit.OK = nil }, "exit.ok"},
		"success and interruption":   {"vexa", func(m *manifest) { m.Exit.Interrupted = []int{0} }, "both"},
		"unknown signal":             {"vexa", func(m *manifest) { m.Signals.Interrupt = "SIGKILL" }, "signals.interrupt"},
		"new session has no own id":  {"vexa", func(m *manifest) { m.Session.ID = runner.SessionStream }, "argv.new[3]"},
		"prompt as a flag":           {"text", argvPrompt("{{prompt}}"), "read as a flag"},
		"prompt within a word":       {"text", argvPrompt("--", "say {{prompt}}"), "read as a flag"},
		"prompt twice":               {"text", argvPrompt("--", "{{prompt}}", "{{prompt}}"), "exactly once"},
		"no prompt":                  {"text", argvPrompt("--"), "exactly once"},
		"separator after the prompt": {"text", argvPrompt("{{prompt}}", "--"), "read as a flag"},
		"no prompt file":             {"text", func(m *manifest) { m.Prompt = runner.PromptFile }, "{{promptFile}}"},
		"file elsewhere":             {"vexa", files("/etc/passwd", ""), "does not begin with"},
		"file in the workspace":      {"vexa", files("{{workdir}}/x", ""), "does not begin with"},
		"file above the state":       {"vexa", files("{{state}}/../x", ""), "no path of a file"},
		"file of two variables":      {"vexa", files("{{home}}/{{state}}/x", ""), "no path of a file"},
		"file without a name":        {"vexa", files("{{state}}/", ""), "no path of a file"},
		"token in a file":            {"vexa", files("{{state}}/x", "key: {{token}}"), "environment"},
		"prompt in a file":           {"vexa", files("{{state}}/x", "{{prompt}}"), "{{prompt}}"},
		"unknown variable in a file": {"vexa", files("{{state}}/x", "{{modell}}"), "{{modell}}"},
		"session in a file":          {"codex", files("{{state}}/x", "{{session}}"), "argv.resume"},
		"file that is a directory": {"vexa", func(m *manifest) {
			m.Files = map[string]string{"{{home}}/a": "", "{{home}}/a/b/c": "", "{{home}}/a-b": ""}
		}, "{{home}}/a is a file"},
		"settings that are no JSON": {"gemini-cli", files("{{state}}/settings.json", "{model"), "files: {{state}}/settings.json is no JSON object"},
		"settings that are a list":  {"gemini-cli", files("{{state}}/settings.json", `["{{model}}"]`), "is no JSON object"},
		"settings that are null":    {"qwen-code", files("{{state}}/settings.json", "null"), "is no JSON object: it is null"},
		"a config that is no JSON":  {"opencode", config("{]"), "OPENCODE_CONFIG_CONTENT is no JSON object"},
		"a config that is null":     {"opencode", config("null"), "is no JSON object: it is null"},
		"tools without settings":    {"vexa", func(m *manifest) { m.MCP.Kind = runner.MCPGeminiSettings }, "settings.json"},
		"bad variable name":         {"vexa", func(m *manifest) { m.Env = map[string]string{"A-B": ""} }, "A-B"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := shipped(t, c.base)
			c.change(&m)
			err := runner.Check(m)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want invalid with %q", err, c.want)
			}
		})
	}
}

func argvPrompt(args ...string) func(*runnerv2.Manifest) {
	return func(m *runnerv2.Manifest) {
		m.Prompt = runner.PromptArgv
		m.Argv.New = append([]string{"/bin/say"}, args...)
	}
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	for _, argv := range [][]string{{"--", "{{prompt}}"}, {"-q", "--", "-", "{{prompt}}"}, {"--message={{prompt}}"}, {"-m={{prompt}}"}} {
		m := shipped(t, "text")
		argvPrompt(argv...)(&m)
		if err := runner.Check(m); err != nil {
			t.Errorf("%q: %v", argv, err)
		}
	}
	m := shipped(t, "vexa")
	m.Session.StateEnv = ""
	m.Env = map[string]string{"CONFIG": `{"dir":"{{state}}","x":{"y":{}}}`}
	if err := runner.Check(m); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"{}", `{"model":"{{model}}","mcpServers":7}`} {
		m := shipped(t, "gemini-cli")
		files("{{state}}/settings.json", text)(&m)
		m.Files["{{home}}/settings"], m.Files["{{state}}/settings.json.d/x"] = "", ""
		if err := runner.Check(m); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	m = shipped(t, "gemini-cli")
	files("{{state}}/settings.json", "no JSON")(&m)
	m.MCP.Kind = runner.MCPNone // its settings are its own matter
	if err := runner.Check(m); err != nil {
		t.Error(err)
	}
}

func manifestFile(t *testing.T, m runnerv2.Manifest) *fstest.MapFile {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: data}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	text := shipped(t, "text")
	mine := text
	mine.Title = "mine"
	c, err := runner.Load(fstest.MapFS{"text/runner.json": manifestFile(t, text), "notes.txt": {}, "empty/readme": {}},
		fstest.MapFS{"text/runner.json": manifestFile(t, mine)})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get("text"); err != nil || got.Title != "mine" || len(c.List()) != 1 {
		t.Errorf("the later manifest does not win: %v, %v", got.Title, err)
	}
	if _, err := c.Get("none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown runner gives %v", err)
	}
	broken := map[string]*fstest.MapFile{
		"not JSON":        {Data: []byte("{")},
		"unknown member":  {Data: []byte(`{"name":"text","titel":"x"}`)},
		"schema":          {Data: []byte(`{"name":"text"}`)},
		"other directory": manifestFile(t, shipped(t, "vexa")),
	}
	for name, file := range broken {
		if _, err := runner.Load(fstest.MapFS{"text/runner.json": file}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "text/runner.json") {
			t.Errorf("%s: got %v, want invalid that names the file", name, err)
		}
	}
}

// A manifest of a person's own that is not right is that runner's matter alone.
func TestOwn(t *testing.T) {
	t.Parallel()
	c, err := runner.Load(runners.FS)
	if err != nil {
		t.Fatal(err)
	}
	mine := shipped(t, "text")
	mine.Name = "mine"
	broken := c.Own(fstest.MapFS{
		"mine/runner.json": manifestFile(t, mine),
		"text/runner.json": {Data: []byte(`{"name":"text"}`)},
	})
	if len(broken) != 1 || !strings.Contains(broken[0].Error(), "text/runner.json") {
		t.Errorf("broken: %v", broken)
	}
	if _, err := c.Get("claude-cod"); !fault.Is(err, fault.NotFound) || !strings.HasPrefix(fault.HintOf(err), "did you mean claude-code? ") {
		t.Errorf("a misspelt runner: %v: %s", err, fault.HintOf(err))
	}
	for _, name := range []string{"mine", "vexa"} {
		if _, err := c.Get(name); err != nil {
			t.Errorf("%s cannot be used: %v", name, err)
		}
	}
	if _, err := c.Get("text"); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), "text/runner.json") {
		t.Errorf("the broken runner gives %v", err)
	}
	if broken := c.Own(os.DirFS(filepath.Join(t.TempDir(), "none"))); len(broken) != 0 {
		t.Errorf("no directory: %v", broken)
	}
}

// Own manifests are taken as they are now, whatever they were before: what is corrected
// can be used, what is gone cannot, and what ships is there again.
func TestOwnAgain(t *testing.T) {
	t.Parallel()
	c, err := runner.Load(runners.FS)
	if err != nil {
		t.Fatal(err)
	}
	mine, text := shipped(t, "text"), shipped(t, "text")
	mine.Name, mine.Title, text.Title = "mine", "First", "My own"
	titles := func() (mine, text string) {
		m, merr := c.Get("mine")
		o, oerr := c.Get("text")
		why := func(err error) string {
			if err == nil {
				return ""
			}
			return string(fault.KindOf(err))
		}
		return m.Title + " " + why(merr), o.Title + " " + why(oerr)
	}
	ships := shipped(t, "text").Title + " "
	mine2 := mine
	mine2.Title = "Second"
	for i, step := range []struct {
		files      fstest.MapFS
		mine, text string
		broken     int
	}{
		{fstest.MapFS{"mine/runner.json": {Data: []byte(`{`)}, "text/runner.json": manifestFile(t, text)}, " invalid", "My own ", 1},
		{fstest.MapFS{"mine/runner.json": manifestFile(t, mine), "text/runner.json": manifestFile(t, text)}, "First ", "My own ", 0},
		{fstest.MapFS{"mine/runner.json": manifestFile(t, mine2)}, "Second ", ships, 0},
		{fstest.MapFS{}, " not_found", ships, 0},
	} {
		if broken := c.Own(step.files); len(broken) != step.broken {
			t.Errorf("step %d: broken: %v", i, broken)
		}
		if m, o := titles(); m != step.mine || o != step.text {
			t.Errorf("step %d: mine is %q and text %q", i, m, o)
		}
	}
	// Where nobody can tell what there is, what there was stays.
	c.Own(fstest.MapFS{"mine/runner.json": manifestFile(t, mine)})
	if broken := c.Own(os.DirFS("runner.go")); len(broken) != 1 {
		t.Errorf("what cannot be listed: %v", broken)
	}
	if m, _ := titles(); m != "First " {
		t.Errorf("mine is %q", m)
	}
}

func config(text string) func(*runnerv2.Manifest) {
	return func(m *runnerv2.Manifest) { m.Inference.Env["OPENCODE_CONFIG_CONTENT"] = text }
}

func files(name, text string) func(*runnerv2.Manifest) {
	return func(m *runnerv2.Manifest) { m.Files = map[string]string{name: text} }
}
