package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// Caller is who asks, as the boundary that let them in established it.
type Caller struct {
	Subject  string // on whose behalf
	Launcher string // who or what triggered
	Trigger  unitv1.Trigger
}

// plan is a request resolved: everything a unit needs before it is accepted.
type plan struct {
	accepted
	manifest runnerv2.Manifest
	text     string // what the first turn says
	fromLive bool   // the session was described by the live dispatch that holds it
}

// personal is the workspace that keeps sessions, and the default grant.
const personal = "personal"

// resolve turns a request into a plan, or says what is wrong with it.
func (m *Manager) resolve(ctx context.Context, caller Caller, req api.StartRequest) (plan, error) {
	var p plan
	if (req.Text == "") == (req.Plan == "") {
		return p, fault.New(fault.Invalid, "a dispatch needs either a text or a plan", "say what to do, or name a plan file with --plan")
	}
	if n := utf8.RuneCountInString(req.Text); n > maxText {
		return p, fault.New(fault.Invalid, fmt.Sprintf("the message has %d characters, and an agent takes %d", n, maxText), "put what it is about into a workspace, and name the file")
	}
	if err := m.resolveSession(ctx, caller, &req, &p); err != nil {
		return p, err
	}
	manifest, err := m.runners.Get(or(req.Runner, DefaultRunner))
	if err != nil {
		return p, err
	}
	p.manifest = manifest
	if p.Resumed && len(manifest.Argv.Resume) == 0 {
		p.Resumed = false // the runner keeps no conversation; the session only groups its turns
	}
	if err := m.resolveModel(req.Model, &p); err != nil {
		return p, err
	}
	grants, err := m.resolveGrants(ctx, req.Workspaces, &p)
	if err != nil {
		return p, err
	}
	if err := m.checkTools(req.Tools, manifest); err != nil {
		return p, err
	}
	start, err := m.resolveStart(ctx, req, grants[0].ID, &p)
	if err != nil {
		return p, err
	}
	p.Unit = unitv1.Unit{
		ID:             m.newID(),
		Identity:       unitv1.Identity{Subject: caller.Subject, Launcher: caller.Launcher},
		Runner:         manifest.Name,
		Model:          p.Model,
		Workspaces:     grants,
		Tools:          req.Tools,
		Trigger:        caller.Trigger,
		Start:          start,
		Limits:         withDefaults(req.Limits),
		Parent:         req.Parent,
		IdempotencyKey: req.Key,
	}
	return p, valid(p.Unit)
}

// valid holds a unit to its contract: where it is made, and where it is read
// again by a daemon that may be another than the one that wrote it.
func valid(u unitv1.Unit) error {
	data, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return contract.Validate("unit.v1", data)
}

// DefaultRunner is the runner that is built in.
const DefaultRunner = "vexa"

// resolveSession finds the conversation to continue, and lets it fill in the
// runner, model, workspaces and tools that the request leaves open.
func (m *Manager) resolveSession(ctx context.Context, caller Caller, req *api.StartRequest, p *plan) error {
	if req.Session == "" && !req.Continue {
		id, err := newSession()
		p.Session = id
		return err
	}
	if req.Session != "" {
		var err error
		if req.Session, err = m.FindSession(ctx, caller.Subject, req.Session); err != nil {
			return err
		}
	}
	meta, live := m.liveSession(caller.Subject, req.Session)
	if !live {
		err := m.standing(caller.Subject, req.Session)
		if err != nil {
			return err
		}
		if meta, err = m.findSession(ctx, caller.Subject, req.Session); err != nil {
			return err
		}
	}
	p.fromLive = live
	p.Session, p.SessionRef, p.Resumed = meta.Session, meta.Ref, true
	req.Runner = or(req.Runner, meta.Runner)
	req.Model = or(req.Model, meta.Model)
	if len(req.Workspaces) == 0 {
		for _, w := range meta.Workspaces {
			id, mode, _ := strings.Cut(w, ":")
			req.Workspaces = append(req.Workspaces, api.Grant{Workspace: id, Mode: unitv1.Mode(mode)})
		}
	}
	if len(req.Tools) == 0 {
		req.Tools = meta.Tools
	}
	if req.Runner != meta.Runner {
		return fault.New(fault.Conflict, fmt.Sprintf("session %s was held with runner %s and cannot be continued with %s", p.Session, meta.Runner, req.Runner),
			"leave --runner out, or start a new session")
	}
	return nil
}

// liveSession describes a session by the live dispatch that holds it, without
// Ref, which may change with each turn.
func (m *Manager) liveSession(subject, id string) (session.Meta, bool) {
	r := m.holder(subject, id)
	if id == "" || r == nil {
		return session.Meta{}, false
	}
	u := r.plan.Unit
	return session.Meta{Session: id, Runner: u.Runner, Model: r.plan.Model, Workspaces: grantList(u), Tools: u.Tools}, true
}

// ended fills in what a plan lacks that was made from a live dispatch, once
// that has ended.
func (p *plan) ended(ctx context.Context, m *Manager) error {
	if !p.fromLive || !p.Resumed {
		return nil
	}
	meta, err := m.findSession(ctx, p.Unit.Identity.Subject, p.Session)
	p.SessionRef, p.fromLive = meta.Ref, false
	return err
}

// findSession returns the session with the id, or with "" the latest.
func (m *Manager) findSession(ctx context.Context, subject, id string) (session.Meta, error) {
	if id == "" {
		latest, err := m.latestSession(ctx, subject)
		if fault.Is(err, fault.NotFound) {
			err = fault.New(fault.NotFound, "there is no session to continue", "start one: vexa chat -p \"…\"")
		}
		return latest, err
	}
	meta, err := m.sessions.Get(ctx, subject, id)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.NotFound, "there is no session "+id, "see: vexa session list")
	}
	return meta, err
}

// resolveModel chooses the model and the protocol that runner and provider share.
func (m *Manager) resolveModel(model string, p *plan) error {
	if p.manifest.Inference == nil {
		if model != "" {
			return fault.New(fault.Invalid, "runner "+p.manifest.Name+" uses no model", "leave --model out")
		}
		return nil
	}
	offered, name, err := m.models(model)
	if err != nil {
		return err
	}
	if protocol, ok := runner.ChooseProtocol(p.manifest, offered...); ok {
		p.Model, p.Protocol = name, protocol
		return nil
	}
	return fault.New(fault.Invalid, fmt.Sprintf("runner %s speaks %s, but model %s is served over %s", p.manifest.Name,
		strings.Join(p.manifest.Inference.Protocols, " or "), name, strings.Join(offered, " or ")),
		"choose another with --model; see vexa model list")
}

func (m *Manager) resolveGrants(ctx context.Context, asked []api.Grant, p *plan) ([]unitv1.Workspace, error) {
	if len(asked) == 0 {
		asked = []api.Grant{{Workspace: personal, Mode: unitv1.ReadWrite}}
	}
	p.Names = map[string]string{}
	grants := make([]unitv1.Workspace, 0, len(asked))
	for _, g := range asked {
		id, name, err := m.workspaces.Find(ctx, g.Workspace)
		if err != nil {
			return nil, err
		}
		if _, twice := p.Names[id]; twice {
			return nil, fault.New(fault.Invalid, "workspace "+name+" is granted twice", "name each workspace once")
		}
		mode := g.Mode
		if mode == "" {
			mode = unitv1.ReadWrite
		}
		p.Names[id] = name
		grants = append(grants, unitv1.Workspace{ID: id, Mode: mode})
	}
	return grants, nil
}

// resolveStart says where the agent begins and what its first turn is told.
func (m *Manager) resolveStart(ctx context.Context, req api.StartRequest, workspaceID string, p *plan) (unitv1.Start, error) {
	p.text = req.Text
	start := unitv1.Start{Entrypoint: &unitv1.Entrypoint{Inline: req.Text}}
	if req.Plan != "" {
		text, err := m.readPlan(ctx, workspaceID, req.Plan)
		if err != nil {
			return unitv1.Start{}, err
		}
		p.text = text
		start = unitv1.Start{Entrypoint: &unitv1.Entrypoint{Path: req.Plan}}
	}
	if p.Resumed {
		start = unitv1.Start{Session: &unitv1.Session{Ref: p.Session}}
	}
	return start, nil
}

// What unit.v1 allows a text to have.
const (
	maxText = 1 << 20 // characters
	maxPlan = 1 << 20 // bytes
)

// readPlan returns the text of a plan as main has it when the dispatch is
// accepted. That text is recorded: it is what runs, whenever it gets to run.
func (m *Manager) readPlan(ctx context.Context, workspaceID, path string) (string, error) {
	data, err := m.workspaces.ReadFile(ctx, workspaceID, "main", path)
	if err != nil {
		return "", err
	}
	const hint = "a plan is a text: what the runner is to be told"
	switch {
	case len(data) > maxPlan:
		return "", fault.New(fault.Invalid, fmt.Sprintf("the plan %q is longer than %d bytes", path, maxPlan), hint)
	case !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0:
		return "", fault.New(fault.Invalid, fmt.Sprintf("the plan %q is not UTF-8 text", path), hint)
	case len(bytes.TrimSpace(data)) == 0:
		return "", fault.New(fault.Invalid, fmt.Sprintf("the plan %q is empty", path), hint)
	}
	return string(data), nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
