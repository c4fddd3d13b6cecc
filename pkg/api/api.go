// Package api holds the wire types of the daemon's HTTP API, version 1, spoken
// over its Unix socket. The daemon and its clients share this vocabulary; there
// is no logic here. JSON is camelCase; lists are arrays, never null.
package api

import (
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
)

// Level counts compatible additions to the API; it is sent with each response.
const Level = 2

// Headers of every response.
const (
	HeaderVersion = "Vexa-Version"
	HeaderAPI     = "Vexa-API"
)

// Error is the body of every response that is not a success.
type Error struct {
	Code    string `json:"code"` // a fault.Kind
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Status answers GET /v1/status.
type Status struct {
	PID        int       `json:"pid"`
	RuntimePID int       `json:"runtimePid"` // 0 while the runtime kernel is down
	Version    string    `json:"version"`
	Socket     string    `json:"socket"`
	Home       string    `json:"home"` // VEXA_HOME; without it the data directory
	InstallID  string    `json:"installId"`
	StartedAt  time.Time `json:"startedAt"`
	Locked     bool      `json:"locked"`
	Live       int       `json:"live"` // dispatches whose container has not ended
}

// Grant names a workspace, by name or id, and how it is granted.
type Grant struct {
	Workspace string      `json:"workspace"`
	Mode      unitv1.Mode `json:"mode"`
}

// StartRequest is the body of POST /v1/dispatches: say something to an agent.
//
// With Session set, or Continue and a previous session, the conversation goes
// on: in its live container where there is one that was given the same
// workspaces, tools, runner and model, else in a fresh one.
type StartRequest struct {
	Text       string         `json:"text,omitempty"`
	Plan       string         `json:"plan,omitempty"`       // path in the first workspace; excludes Text
	Workspaces []Grant        `json:"workspaces,omitempty"` // default: personal, rw
	Runner     string         `json:"runner,omitempty"`     // default: the session's, else "vexa"
	Model      string         `json:"model,omitempty"`      // default: the session's, else the default model
	Tools      []string       `json:"tools,omitempty"`      // names of tools; default: the session's, else none
	Session    string         `json:"session,omitempty"`    // its id, or the first letters of it
	Continue   bool           `json:"continue,omitempty"`   // the subject's latest session
	Limits     *unitv1.Limits `json:"limits,omitempty"`
	Parent     string         `json:"parent,omitempty"`
	Key        string         `json:"idempotencyKey,omitempty"`
}

// Started answers POST /v1/dispatches. The turn's frames follow From.
type Started struct {
	Unit    string `json:"unit"`
	Turn    string `json:"turn"`
	Session string `json:"session"`
	From    string `json:"from"` // cursor on unit:<id>:out before the turn's first frame
}

// Dispatch is one row of GET /v1/dispatches and answers GET /v1/dispatches/{id}.
type Dispatch struct {
	ID         string               `json:"id"`
	State      runtimev1.State      `json:"state"`
	Subject    string               `json:"subject"`
	Launcher   string               `json:"launcher"`
	Runner     string               `json:"runner"`
	Model      string               `json:"model"`
	Trigger    unitv1.Trigger       `json:"trigger"`
	Workspaces []GrantedWorkspace   `json:"workspaces"`
	Container  string               `json:"container"` // container id; empty before there is one
	Session    string               `json:"session"`
	StartedAt  time.Time            `json:"startedAt"`
	EndedAt    *time.Time           `json:"endedAt"`
	StopReason runtimev1.StopReason `json:"stopReason"` // empty: it has not ended
	Detail     string               `json:"detail"`     // why it could not start; limits that are not enforced here
	Busy       bool                 `json:"busy"`       // a turn runs or waits; else a running one waits for its next turn
	Turns      int                  `json:"turns"`
	Requests   int                  `json:"requests"`          // inference requests counted by the broker
	Tokens     int64                `json:"tokens"`            // input plus output
	Unit       *unitv1.Unit         `json:"unit,omitempty"`    // only from GET /v1/dispatches/{id}
	Commits    []DispatchCommit     `json:"commits,omitempty"` // likewise
}

// GrantedWorkspace is a granted workspace with its name.
type GrantedWorkspace struct {
	ID   string      `json:"id"`
	Name string      `json:"name"`
	Mode unitv1.Mode `json:"mode"`
}

// DispatchCommit is one commit a dispatch made.
type DispatchCommit struct {
	Workspace string `json:"workspace"`
	SHA       string `json:"sha"`
	Merged    bool   `json:"merged"`
}

// StopRequest is the body of POST /v1/dispatches/{id}/stop.
type StopRequest struct {
	Interrupt bool `json:"interrupt,omitempty"` // end only the running turn
}

// ShutdownRequest is the body of POST /v1/shutdown. Without Force the daemon
// refuses while something cannot be saved, and names it.
type ShutdownRequest struct {
	Force bool `json:"force,omitempty"`
}
