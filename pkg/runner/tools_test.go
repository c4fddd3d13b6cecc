package runner_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
)

const secret = "s3cret-token"

// withTools are the values of a run whose dispatch has tools.
func withTools() runner.Vars {
	v := vars()
	v.Token, v.SessionRef, v.ToolsURL = secret, "own-id", runner.ToolsURL("127.0.0.1:8787")
	return v
}

// added renders a shipped runner with and without tools, and returns what the
// tools add to each.
func added(t *testing.T, m runnerv2.Manifest, resume bool) (argv, env []string, files map[string][]byte) {
	t.Helper()
	v := withTools()
	with, err := runner.Render(m, v, resume)
	if err != nil {
		t.Fatal(err)
	}
	v.ToolsURL = ""
	without, err := runner.Render(m, v, resume)
	if err != nil {
		t.Fatal(err)
	}
	for _, arg := range with.Argv {
		if strings.Contains(arg, secret) {
			t.Errorf("the token is on the command line: %q", arg)
		}
	}
	argv = with.Argv
	for _, arg := range without.Argv {
		if !slices.Contains(argv, arg) {
			t.Errorf("%q is gone", arg)
		}
	}
	for _, e := range with.Env {
		if !slices.Contains(without.Env, e) {
			env = append(env, e)
		}
	}
	if !slices.IsSorted(with.Env) {
		t.Error("the environment is not sorted")
	}
	return argv, env, with.Files
}

func TestToolsOfClaude(t *testing.T) {
	t.Parallel()
	for _, resume := range []bool{false, true} {
		argv, env, _ := added(t, shipped(t, "claude-code"), resume)
		want := []string{
			"claude", `--mcp-config={"mcpServers":{"vexa":{"headers":{"Authorization":"Bearer ${VEXA_MCP_TOKEN}"},"type":"http","url":"http://127.0.0.1:8787/mcp"}}}`, "-p",
		}
		if diff := cmp.Diff(want, argv[:3]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !slices.Contains(argv, "--strict-mcp-config") {
			t.Error("other servers are not shut out")
		}
		if diff := cmp.Diff([]string{"VEXA_MCP_TOKEN=" + secret}, env); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	m := shipped(t, "claude-code")
	m.Argv.New = slices.DeleteFunc(m.Argv.New, func(a string) bool { return a == "--strict-mcp-config" })
	if argv, _, _ := added(t, m, false); argv[2] != "--strict-mcp-config" {
		t.Errorf("%q", argv)
	}
}

func TestToolsOfCodex(t *testing.T) {
	t.Parallel()
	server := `mcp_servers.vexa={url="http://127.0.0.1:8787/mcp",bearer_token_env_var="VEXA_MCP_TOKEN",required=true,startup_timeout_sec=30,tool_timeout_sec=600}`
	argv, env, _ := added(t, shipped(t, "codex"), false)
	if diff := cmp.Diff([]string{"codex", "exec", "-c", server, "--json"}, argv[:5]); diff != "" || argv[len(argv)-1] != "-" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"VEXA_MCP_TOKEN=" + secret}, env); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	argv, _, _ = added(t, shipped(t, "codex"), true)
	if diff := cmp.Diff([]string{"codex", "exec", "resume", "-c", server, "--json"}, argv[:6]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"own-id", "-"}, argv[len(argv)-2:]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestToolsOfOpenCode(t *testing.T) {
	t.Parallel()
	argv, env, _ := added(t, shipped(t, "opencode"), false)
	if argv[0] != "opencode" || len(argv) != len(shipped(t, "opencode").Argv.New) || len(env) != 2 {
		t.Fatalf("%q, %q", argv, env)
	}
	text, ok := strings.CutPrefix(env[0], "OPENCODE_CONFIG_CONTENT=")
	var config struct {
		Model string
		MCP   map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &config); err != nil || !ok || config.Model != "vexa/m-1" || strings.Contains(text, secret) {
		t.Fatalf("%s, %v", env[0], err)
	}
	want := `{"enabled":true,"headers":{"Authorization":"Bearer {env:VEXA_MCP_TOKEN}"},"oauth":false,"timeout":30000,"type":"remote","url":"http://127.0.0.1:8787/mcp"}`
	if diff := cmp.Diff(want, string(config.MCP["vexa"])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m := shipped(t, "opencode")
	m.Inference.Env["OPENCODE_CONFIG_CONTENT"] = "[]"
	if _, err := runner.Render(m, withTools(), false); !fault.Is(err, fault.Invalid) {
		t.Errorf("a configuration that is no object: %v", err)
	}
	delete(m.Inference.Env, "OPENCODE_CONFIG_CONTENT")
	if c, err := runner.Render(m, withTools(), false); err != nil || !slices.ContainsFunc(c.Env, func(e string) bool {
		return strings.HasPrefix(e, `OPENCODE_CONFIG_CONTENT={"mcp":{"vexa":`)
	}) {
		t.Errorf("without a configuration: %q, %v", c.Env, err)
	}
}

func TestToolsOfGemini(t *testing.T) {
	t.Parallel()
	const server = `{"headers":{"Authorization":"Bearer $VEXA_MCP_TOKEN"},"httpUrl":"http://127.0.0.1:8787/mcp","timeout":600000,"trust":true}`
	_, env, files := added(t, shipped(t, "gemini-cli"), false)
	want := map[string][]byte{"/.vexa/session/.gemini/settings.json": []byte(`{"general":{"enableAutoUpdate":false,"enableAutoUpdateNotification":false},` +
		`"mcpServers":{"vexa":` + server + `},"privacy":{"usageStatisticsEnabled":false},"security":{"auth":{"selectedType":"gemini-api-key"}}}`)}
	if diff := cmp.Diff(want, files); diff != "" || len(env) != 1 {
		t.Errorf("%q (-want +got):\n%s", env, diff)
	}
	m := shipped(t, "qwen-code")
	m.Files = map[string]string{"{{home}}/settings.json": `{"mcpServers":{"mine":{"command":"x"}}}`}
	_, _, files = added(t, m, false)
	want = map[string][]byte{vars().Home + "/settings.json": []byte(`{"mcpServers":{"mine":{"command":"x"},"vexa":` + server + `}}`)}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.Files["{{home}}/settings.json"] = "[]"
	if _, err := runner.Render(m, withTools(), false); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "settings.json") {
		t.Errorf("settings that are no object: %v", err)
	}
}

func TestToolsOfTheBuiltInAgent(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"vexa", "acp"} { // and of the bridge, which tells its agent
		_, env, files := added(t, shipped(t, name), false)
		if diff := cmp.Diff([]string{"VEXA_MCP_TOKEN=" + secret, "VEXA_MCP_URL=http://127.0.0.1:8787/mcp"}, env); diff != "" || len(files) != 0 {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A runner that cannot be given tools is not started as if it had them.
func TestToolsOfNobody(t *testing.T) {
	t.Parallel()
	for name, mcp := range map[string]*runnerv2.MCP{
		"no mcp": nil, "none": {Kind: "none"}, "stdio alone": {Kind: runner.MCPClaudeJSON, Transport: []string{"stdio"}}, "unknown": {Kind: "x"},
	} {
		m := shipped(t, "text")
		m.MCP = mcp
		if _, err := runner.Render(m, withTools(), false); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := shipped(t, "vexa")
	m.Env = map[string]string{"VEXA_MCP_TOKEN": "x"}
	if err := runner.Check(m); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "env.VEXA_MCP_TOKEN") {
		t.Errorf("%v", err)
	}
}

// Where a manifest has no flag at all, the program comes first and its operands
// stay last.
func TestToolsBeforeOperands(t *testing.T) {
	t.Parallel()
	m := shipped(t, "text")
	m.MCP = &runnerv2.MCP{Kind: runner.MCPCodexTOML}
	m.Prompt, m.Argv.New = runner.PromptFile, []string{"agent", "{{promptFile}}"}
	c, err := runner.Render(m, withTools(), false)
	if err != nil || len(c.Argv) != 4 || c.Argv[1] != "-c" || c.Argv[3] != "/tmp/p" {
		t.Errorf("%q, %v", c.Argv, err)
	}
	argvPrompt("--", "{{prompt}}")(&m)
	if c, err = runner.Render(m, withTools(), false); err != nil || c.Argv[1] != "-c" || c.Argv[len(c.Argv)-1] != vars().Prompt {
		t.Errorf("%q, %v", c.Argv, err)
	}
}
