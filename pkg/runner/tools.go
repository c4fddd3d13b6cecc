package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
)

// How a runner is given tool servers: mcp.kind of its manifest.
const (
	MCPNone           = "none"
	MCPClaudeJSON     = "claude-json"     // --mcp-config JSON
	MCPCodexTOML      = "codex-toml"      // -c mcp_servers.NAME={…}
	MCPOpenCodeJSON   = "opencode-json"   // "mcp" in OPENCODE_CONFIG_CONTENT
	MCPGeminiSettings = "gemini-settings" // "mcpServers" in the settings.json among the files
	MCPVexaEnv        = "vexa-env"        // VEXA_MCP_URL
)

// The variables that tell a runner of its tools. The token is never on a command
// line or in a file: each program puts the variable's value in by itself.
const (
	EnvToolsURL   = "VEXA_MCP_URL"   // vexa-env alone
	EnvToolsToken = "VEXA_MCP_TOKEN" //nolint:gosec // a name, and no token
)

// toolServer is what the server is called where a runner wants a name: it is
// part of the names by which most runners offer tools to the model.
const toolServer = "vexa"

// openCodeConfig is the variable that holds OpenCode's configuration.
const openCodeConfig = "OPENCODE_CONFIG_CONTENT"

// The patience of clients, in milliseconds: to connect, and with a call. The
// broker's own limits end a call sooner.
const (
	connectPatience = 30_000
	callPatience    = 600_000
)

// ToolsURL returns the address at which an agent in the container finds the
// tools behind the worker's forwarder at listen (host:port).
func ToolsURL(listen string) string { return "http://" + listen + "/mcp" }

// TakesTools reports whether tools can be given to the runner: it says how, and
// its MCP client speaks HTTP.
func TakesTools(m runnerv2.Manifest) bool {
	return m.MCP != nil && m.MCP.Kind != MCPNone && (len(m.MCP.Transport) == 0 || slices.Contains(m.MCP.Transport, "http"))
}

// wireTools tells the runner of its tools, in whichever way it reads them.
func wireTools(m runnerv2.Manifest, v Vars, c *Command) error {
	if !TakesTools(m) {
		return errors.New("it cannot be given tools")
	}
	if err := plain(v.ToolsURL); err != nil {
		return fmt.Errorf("the tools' URL %w", err)
	}
	setEnv(c, EnvToolsToken, v.Token)
	switch m.MCP.Kind {
	case MCPClaudeJSON:
		return wireClaude(v, c)
	case MCPCodexTOML:
		insertFlags(c, "-c", fmt.Sprintf("mcp_servers.%s={url=%q,bearer_token_env_var=%q,required=true,startup_timeout_sec=%d,tool_timeout_sec=%d}",
			toolServer, v.ToolsURL, EnvToolsToken, connectPatience/1000, callPatience/1000))
		return nil
	case MCPOpenCodeJSON:
		return wireOpenCode(v, c)
	case MCPGeminiSettings:
		return wireGemini(m, v, c)
	case MCPVexaEnv:
		setEnv(c, EnvToolsURL, v.ToolsURL)
		return nil
	default:
		return fmt.Errorf("mcp.kind: %q is unknown", m.MCP.Kind)
	}
}

// members is a JSON object; encoding/json sorts what it writes.
type members map[string]any

func wireClaude(v Vars, c *Command) error {
	config, err := json.Marshal(members{"mcpServers": members{toolServer: members{
		"type": "http", "url": v.ToolsURL, "headers": members{"Authorization": "Bearer ${" + EnvToolsToken + "}"},
	}}})
	if err != nil {
		return err
	}
	// The flag takes any number of values: only its "=" keeps it to one.
	flags := []string{"--mcp-config=" + string(config)}
	if !slices.Contains(c.Argv, "--strict-mcp-config") {
		flags = append(flags, "--strict-mcp-config")
	}
	insertFlags(c, flags...)
	return nil
}

func wireOpenCode(v Vars, c *Command) error {
	config := members{}
	if text := getEnv(c, openCodeConfig); text != "" {
		var err error
		if config, err = configOf(openCodeConfig, text); err != nil {
			return err
		}
	}
	servers, ok := config["mcp"].(map[string]any)
	if !ok {
		servers = members{}
	}
	servers[toolServer] = members{
		"type": "remote", "url": v.ToolsURL, "enabled": true, "oauth": false, "timeout": connectPatience,
		"headers": members{"Authorization": "Bearer {env:" + EnvToolsToken + "}"},
	}
	config["mcp"] = servers
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	setEnv(c, openCodeConfig, string(text))
	return nil
}

// wireGemini adds the tools to the settings among the runner's files.
func wireGemini(m runnerv2.Manifest, v Vars, c *Command) error {
	name, ok := settingsFile(m)
	if !ok {
		return errNoSettings
	}
	at, err := expand(name, map[string]string{varState: v.State, varHome: v.Home})
	if err != nil {
		return err
	}
	settings, err := configOf("files: "+name, string(c.Files[at]))
	if err != nil {
		return err
	}
	servers, ok := settings["mcpServers"].(map[string]any)
	if !ok {
		servers = members{}
	}
	servers[toolServer] = members{
		"httpUrl": v.ToolsURL, "headers": members{"Authorization": "Bearer $" + EnvToolsToken}, "timeout": callPatience, "trust": true,
	}
	settings["mcpServers"] = servers
	c.Files[at], err = json.Marshal(settings)
	return err
}

var errNoSettings = errors.New("mcp.kind " + MCPGeminiSettings + ": files has no settings.json")

// settingsFile is the name of the runner's settings among its files.
func settingsFile(m runnerv2.Manifest) (string, bool) {
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		if path.Base(name) == "settings.json" {
			return name, true
		}
	}
	return "", false
}

// configOf reads the configuration to which tools are added, called what. null is none:
// nothing can be added to it.
func configOf(what, text string) (members, error) {
	var config members
	err := json.Unmarshal([]byte(text), &config)
	if err == nil && config == nil {
		err = errors.New("it is null")
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no JSON object: %w", what, err)
	}
	return config, nil
}

// insertFlags puts flags before the first flag of the command line, after the
// program and its subcommands: there they are neither a flag's value nor taken
// for the prompt.
func insertFlags(c *Command, flags ...string) {
	first := slices.IndexFunc(c.Argv, func(arg string) bool { return strings.HasPrefix(arg, "-") })
	c.Argv = slices.Insert(c.Argv, max(first, 1), flags...)
}

// setEnv sets a variable of the command; the list stays sorted.
func setEnv(c *Command, name, value string) {
	c.Env = slices.DeleteFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	c.Env = append(c.Env, name+"="+value)
	slices.Sort(c.Env)
}

func getEnv(c *Command, name string) string {
	for _, e := range c.Env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// checkTools refuses a manifest that sets what tools are told by.
func checkTools(m runnerv2.Manifest) error {
	if !TakesTools(m) {
		return nil
	}
	if err := checkConfig(m); err != nil {
		return err
	}
	for _, name := range []string{EnvToolsToken, EnvToolsURL} {
		if _, ok := m.Env[name]; ok {
			return fmt.Errorf("env.%s: it is how the runner is told of its tools", name)
		}
		if m.Inference == nil {
			continue
		}
		if _, ok := m.Inference.Env[name]; ok {
			return fmt.Errorf("inference.env.%s: it is how the runner is told of its tools", name)
		}
	}
	return nil
}

// checkConfig refuses a configuration to which the tools could not be added, whatever
// the values of its variables are: the turn would fail in its container.
func checkConfig(m runnerv2.Manifest) error {
	switch m.MCP.Kind {
	case MCPGeminiSettings:
		name, ok := settingsFile(m)
		if !ok {
			return errNoSettings
		}
		_, err := configOf("files: "+name, withoutVariables(m.Files[name]))
		return err
	case MCPOpenCodeJSON:
		text := m.Env[openCodeConfig]
		if m.Inference != nil && text == "" {
			text = m.Inference.Env[openCodeConfig] // one of them sets it: see checkEnv
		}
		if text != "" {
			_, err := configOf(openCodeConfig, withoutVariables(text))
			return err
		}
	}
	return nil
}

// withoutVariables is a template with something plain for each of its variables.
func withoutVariables(template string) string {
	return variable.ReplaceAllLiteralString(template, "x")
}
