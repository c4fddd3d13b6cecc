package acp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// version is the one of the protocol that is spoken.
const version = 1

// errAuth is the code of an agent that wants to be signed in.
const errAuth = -32000

// greeting is what is used of the answer to initialize.
type greeting struct {
	Version      int `json:"protocolVersion"`
	Capabilities struct {
		Load bool `json:"loadSession"`
		MCP  struct {
			HTTP bool `json:"http"`
		} `json:"mcpCapabilities"`
		Session struct {
			Resume json.RawMessage `json:"resume"`
		} `json:"sessionCapabilities"`
	} `json:"agentCapabilities"`
	Agent struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"agentInfo"`
	Auth []struct {
		ID string `json:"id"`
	} `json:"authMethods"`
}

// open introduces Vexa to the agent and returns the session of the turn.
//
// No capability of an editor is declared: the agent reads and writes files and runs
// commands by itself, in the same container.
func open(ctx context.Context, c Config, p *peer) (session string, err error) {
	raw, err := p.call(ctx, "initialize", map[string]any{
		"protocolVersion": version,
		"clientInfo":      map[string]any{"name": "vexa", "title": "Vexa", "version": "1"},
		"clientCapabilities": map[string]any{
			"fs": map[string]any{"readTextFile": false, "writeTextFile": false}, "terminal": false,
		},
	}, c.Patience)
	if err != nil {
		return "", err
	}
	var g greeting
	_ = json.Unmarshal(raw, &g) // a capability of another shape is one that is not known
	if g.Version == 0 {
		return "", fault.New(fault.Invalid, "the agent's answer to initialize names no version of the protocol", "")
	}
	if g.Version != version {
		return "", fault.Newf(fault.Invalid, "the agent speaks version %d of the Agent Client Protocol, and Vexa version %d", g.Version, version)
	}
	servers, err := g.servers(c.Tools)
	if err != nil {
		return "", err
	}
	if c.Auth != "" {
		if _, err := p.call(ctx, "authenticate", map[string]any{"methodId": c.Auth}, c.Patience); err != nil {
			return "", err
		}
	}
	params := map[string]any{"cwd": c.Dir, "mcpServers": servers}
	method := "session/new"
	if c.Resume != "" {
		if method, err = g.resumes(); err != nil {
			return "", err
		}
		params["sessionId"] = c.Resume
	}
	if raw, err = p.call(ctx, method, params, c.Patience); err != nil {
		return "", g.explain(err)
	}
	if session = c.Resume; session == "" {
		var made struct {
			ID string `json:"sessionId"`
		}
		if json.Unmarshal(raw, &made) != nil || made.ID == "" {
			return "", fault.New(fault.Invalid, "the agent's answer to session/new names no session", "")
		}
		session = made.ID
	}
	p.events.session(session, strings.TrimSpace(g.Agent.Name+" "+g.Agent.Version))
	return session, nil
}

// servers are the MCP servers of the session. An agent that cannot be given what its
// dispatch was granted does not begin: it would do without and not say so.
func (g greeting) servers(t Tools) ([]any, error) {
	if t.URL == "" {
		return []any{}, nil
	}
	if !g.Capabilities.MCP.HTTP {
		return nil, fault.New(fault.Invalid, "this dispatch was granted tools, and the agent takes no MCP server over HTTP (agentCapabilities.mcpCapabilities.http)",
			`start it without tools, or say in its manifest how else it is given them (mcp.kind), or that it is not ("none")`)
	}
	return []any{map[string]any{
		"type": "http", "name": "vexa", "url": t.URL,
		"headers": []any{map[string]any{"name": "Authorization", "value": "Bearer " + t.Token}},
	}}, nil
}

// resumes is the method by which the agent goes on with a session. Some declare to
// resume one without telling it again, and do not; to load one each does that says so.
func (g greeting) resumes() (string, error) {
	if g.Capabilities.Load {
		return "session/load", nil
	}
	if r := string(g.Capabilities.Session.Resume); r != "" && r != "null" && r != "false" {
		return "session/resume", nil
	}
	return "", fault.New(fault.Invalid, "the agent cannot go on with a session (agentCapabilities.loadSession)",
		`say so in its manifest: "session": {"id": "none"}, without argv.resume`)
}

// explain adds to a refused session what can be done about it.
func (g greeting) explain(err error) error {
	refused, ok := errors.AsType[*refusal](err)
	if !ok || refused.Code != errAuth {
		return err
	}
	var ids []string
	for _, m := range g.Auth {
		ids = append(ids, shorten(m.ID, maxShown))
	}
	return &fault.Error{
		Kind: fault.Denied, Err: err,
		Hint: fmt.Sprintf("give it its key by inference.env of the manifest, or name the method to sign in by: vexa acp --auth METHOD (it offers: %s)",
			shorten(strings.Join(ids, ", "), maxShown)),
	}
}
