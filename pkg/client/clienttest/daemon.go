// Package clienttest has an in-memory daemon for tests of the daemon's clients.
// It speaks the whole HTTP API of pkg/api; its agent is a parrot whose turns are
// chosen by the message, see Daemon.
package clienttest

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/sessionid"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

// Epoch is the time of everything that happens in a Daemon.
func Epoch() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) }

// Daemon is an in-memory daemon. Its ids count up, its clock stands still.
//
// A turn whose message holds one of these words ends that way: fail, truncate,
// lose, limit; unasked (it asks no model); wait (until it is interrupted); mute (likewise, and
// nothing is said); hostile
// (control sequences everywhere); conflict, approval and reject (in its commit); quiet (no
// deltas); queue (it waits for a container first); stillborn (it is lost before it is
// accepted). A turn in a container that has one which waits begins when that ends. Any other
// message is answered by "you said: " and itself, with a tool call and a commit.
type Daemon struct {
	Version string // sent with each response
	// DropAfter breaks every stream after so many frames, once for each unit.
	DropAfter int
	// Deaf keeps an interrupt from ending a turn.
	Deaf bool
	// Contested has an undo become a proposal.
	Contested bool
	// Forgetful ends each container with its turn, and keeps no session.
	Forgetful bool
	// OnShutdown is called, in its own goroutine, when a client asks for the end.
	OnShutdown func()

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced at each change
	status     api.Status
	shutdown   bool
	refuseStop bool
	workspaces []api.Workspace
	models     []api.Provider
	units      []*unit
	keys       map[string]api.Started
	starts     []api.StartRequest
	undos      []api.UndoRequest
	contested  []string // commits whose undo is a proposal
	accepted   []string // proposals
	judged     []string // likewise: approved or rejected
	dropped    map[string]bool
	recording  bool
	web        bool              // the pages are open
	titles     map[string]string // that were given to sessions
}

type unit struct {
	d       api.Dispatch
	frames  []wsv2.Frame
	reports uint64   // of the agent's frames
	turn    string   // waiting to be interrupted
	queue   []func() // the turns behind it
	sent    []api.Exchange
}

// New returns a daemon with the workspace personal and one provider.
func New(socket, home string) *Daemon {
	return &Daemon{
		Version: "test",
		changed: make(chan struct{}),
		status: api.Status{
			PID: 4242, RuntimePID: 4243, Version: "test", Socket: socket, Home: home,
			InstallID: "0123456789ab", StartedAt: Epoch(),
		},
		workspaces: []api.Workspace{{
			Name: "personal", ID: "ws_01jdx0personal", Head: "3f2a91c0d4e5f60718293a4b5c6d7e8f90a1b2c3",
			CreatedAt: Epoch(), UpdatedAt: Epoch(), Files: 2, Unmerged: []string{},
		}},
		models:  []api.Provider{{Name: "rehearsal", Protocol: "rehearsal", Models: []string{"rehearsal"}, Cassette: "/cassette.yaml", Default: true}},
		keys:    map[string]api.Started{},
		dropped: map[string]bool{},
	}
}

// Reset replaces the state that a script may ask for by name: empty (nothing
// there), locked, kernel-down, busy (it refuses to stop).
func (d *Daemon) Reset(state string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch state {
	case "empty":
		d.workspaces, d.models = nil, nil
	case "locked":
		d.status.Locked = true
	case "kernel-down":
		d.status.RuntimePID = 0
	case "busy":
		d.refuseStop = true
	default:
		return errors.New("no such state: " + state)
	}
	return nil
}

// Starts returns the requests to start a turn so far.
func (d *Daemon) Starts() []api.StartRequest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.starts)
}

// Undos returns the requests to undo something so far.
func (d *Daemon) Undos() []api.UndoRequest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.undos)
}

// Accepted returns the proposals that were merged so far: the id of each, and the tree
// that it was to have.
func (d *Daemon) Accepted() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.accepted)
}

// Judged returns what was approved and rejected so far: which, the id of the proposal, and
// the tree that was looked at or why.
func (d *Daemon) Judged() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.judged)
}

// Restart has the daemon be another process, of the same installation.
func (d *Daemon) Restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status.PID++
}

// ServeHTTP implements http.Handler.
func (d *Daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(api.HeaderVersion, d.Version)
	w.Header().Set(api.HeaderAPI, fmt.Sprint(api.Level))
	d.routes().ServeHTTP(w, r)
}

// say appends frames to a unit's topic. The caller holds mu.
func (d *Daemon) say(u *unit, turn string, source wsv2.Source, bodies ...wsv2.Body) {
	for _, b := range bodies {
		f := wsv2.Frame{Seq: uint64(len(u.frames) + 1), TS: Epoch(), Unit: u.d.ID, Source: source, Turn: turn, Body: b}
		if source == wsv2.Agent {
			u.reports++
			f.AgentSeq = u.reports
		}
		u.frames = append(u.frames, f)
	}
	d.notify()
}

func (d *Daemon) notify() {
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *Daemon) find(prefix string) (*unit, error) {
	var found []*unit
	for _, u := range d.units {
		if strings.HasPrefix(u.d.ID, strings.ToUpper(prefix)) {
			found = append(found, u)
		}
	}
	switch len(found) {
	case 0:
		return nil, fault.New(fault.NotFound, "there is no dispatch "+prefix, "list them with: vexa ps -a")
	case 1:
		return found[0], nil
	default:
		return nil, fault.New(fault.Invalid, "several dispatches begin with "+prefix, "")
	}
}

// findSession is the session that a short id names; a whole one may be of none yet.
func (d *Daemon) findSession(text string) (string, error) {
	if text == "" || sessionid.Whole(text) {
		return text, nil
	}
	ids := make([]string, len(d.units))
	for i, u := range d.units {
		ids[i] = u.d.Session
	}
	return sessionid.Find(text, ids)
}

func (d *Daemon) workspace(name string) (*api.Workspace, error) {
	for i := range d.workspaces {
		if w := d.workspaces[i]; w.Name == name || w.ID == name {
			return &d.workspaces[i], nil
		}
	}
	return nil, fault.New(fault.NotFound, "there is no workspace "+name, "list them with: vexa workspace list")
}

// start runs a turn of the parrot.
func (d *Daemon) start(r api.StartRequest) (api.Started, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status.Locked {
		return api.Started{}, errLocked()
	}
	if d.status.RuntimePID == 0 {
		return api.Started{}, fault.New(fault.Unavailable, "the runtime does not answer", "see: vexa doctor")
	}
	if s, again := d.keys[r.Key]; again && r.Key != "" {
		return s, nil
	}
	if strings.HasPrefix(r.Plan, "/") {
		return api.Started{}, fault.New(fault.Invalid, "not a path in a workspace", "name a file of it")
	}
	session, err := d.findSession(r.Session)
	if err != nil {
		return api.Started{}, err
	}
	for _, g := range r.Workspaces {
		if _, err := d.workspace(g.Workspace); err != nil {
			return api.Started{}, err
		}
	}
	for _, name := range r.Tools {
		if _, err := tool(name); err != nil {
			return api.Started{}, err
		}
	}
	d.starts = append(d.starts, r)
	r.Session = session
	u := d.unitFor(r)
	u.d.Turns++
	s := api.Started{Unit: u.d.ID, Turn: fmt.Sprintf("turn-%d", u.d.Turns), Session: u.d.Session, From: cursor(len(u.frames))}
	d.keys[r.Key] = s
	if strings.Contains(r.Text, "queue") {
		u.d.State, u.d.Detail = runtimev1.Starting, "waits for one of the 2 containers of u_jane; 3 before it"+Hostile
		d.say(u, "", wsv2.Host, wsv2.State{State: string(u.d.State), Detail: u.d.Detail})
	}
	if strings.Contains(r.Text, "stillborn") {
		d.done(u, s.Turn, "", wsv2.OutcomeLost, "")
		return s, nil
	}
	if u.turn != "" {
		u.queue = append(u.queue, func() { d.begin(u, s.Turn, r) })
		return s, nil
	}
	d.begin(u, s.Turn, r)
	return s, nil
}

// begin runs a turn of a unit. The caller holds mu.
func (d *Daemon) begin(u *unit, turn string, r api.StartRequest) {
	d.say(u, turn, wsv2.Host, wsv2.TurnAccepted{
		Session: u.d.Session, Runner: u.d.Runner, Model: u.d.Model, Container: u.d.Container, Resumed: r.Session != "" || r.Continue, Text: r.Text,
	})
	if d.recording {
		u.sent = append(u.sent, exchange(len(u.sent)+1, turn, r.Text+r.Plan))
	}
	d.parrot(u, turn, r.Text+r.Plan)
	if idle := r.Limits; idle == nil || idle.IdleSec == nil || *idle.IdleSec == 0 {
		if u.turn == "" {
			d.end(u, runtimev1.ReasonCompleted)
		}
	}
}

// unitFor returns the live unit of the request's session, or a new one.
func (d *Daemon) unitFor(r api.StartRequest) *unit {
	for _, u := range d.units {
		if u.d.EndedAt == nil && u.d.Session == r.Session {
			return u
		}
	}
	n := len(d.units) + 1
	session, granted := r.Session, d.granted(r)
	if session == "" {
		session = fmt.Sprintf("5e551010-0000-4000-8000-%012d", n)
	}
	unit := &unit{d: api.Dispatch{
		ID: fmt.Sprintf("%02dJDX4A0000000000000000000", n), State: runtimev1.Running, Subject: "u_jane", Launcher: "user:u_jane",
		Runner: "vexa", Model: "rehearsal", Trigger: unitv1.TriggerMessage, Session: session, StartedAt: Epoch(),
		Workspaces: granted,
		Container:  fmt.Sprintf("c0ffee%058d", n), Requests: 1, Tokens: 120,
		Unit: &unitv1.Unit{Start: unitv1.Start{Entrypoint: &unitv1.Entrypoint{Inline: r.Text, Path: r.Plan}}, Limits: r.Limits},
	}}
	d.units = append(d.units, unit)
	return unit
}

// granted are the workspaces that a request asks for, else those of its session.
func (d *Daemon) granted(r api.StartRequest) (out []api.GrantedWorkspace) {
	for _, g := range r.Workspaces {
		if ws, err := d.workspace(g.Workspace); err == nil {
			out = append(out, api.GrantedWorkspace{ID: ws.ID, Name: ws.Name, Mode: cmp.Or(g.Mode, unitv1.ReadWrite)})
		}
	}
	for _, u := range d.units {
		if len(r.Workspaces) == 0 && r.Session != "" && u.d.Session == r.Session {
			out = u.d.Workspaces
		}
	}
	if len(out) == 0 {
		out = []api.GrantedWorkspace{{ID: "ws_01jdx0personal", Name: "personal", Mode: unitv1.ReadWrite}}
	}
	return out
}

func (d *Daemon) end(u *unit, reason runtimev1.StopReason) {
	if u.d.EndedAt != nil {
		return
	}
	now := Epoch()
	u.d.State, u.d.StopReason, u.d.EndedAt = runtimev1.Destroyed, reason, &now
	d.say(u, "", wsv2.Host, wsv2.State{State: string(runtimev1.Destroyed), Container: u.d.Container, StopReason: string(reason)})
}

// done ends a turn.
func (d *Daemon) done(u *unit, turn, reply string, outcome wsv2.Outcome, cause string) {
	d.say(u, turn, wsv2.Host, wsv2.TurnDone{
		OK: outcome == wsv2.OutcomeCompleted, Session: u.d.Session, Reply: reply, Outcome: outcome, Error: cause,
	})
}

// stop ends a unit, or its running turn.
func (d *Daemon) stop(id string, interrupt bool) (api.Dispatch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	u, err := d.find(id)
	if err != nil {
		return api.Dispatch{}, err
	}
	if u.turn != "" && !d.Deaf {
		d.say(u, u.turn, wsv2.Host, commit("note.md"))
		d.done(u, u.turn, "", wsv2.OutcomeInterrupted, "")
		u.turn = ""
		for len(u.queue) > 0 && u.turn == "" && interrupt {
			next := u.queue[0]
			u.queue = u.queue[1:]
			next()
		}
	}
	if !interrupt {
		d.end(u, runtimev1.ReasonStopped)
	}
	return u.d, nil
}

var _ http.Handler = (*Daemon)(nil)

// answer writes the result of a handler.
func answer(w http.ResponseWriter, status int, v any, err error) {
	if err != nil {
		unixhttp.WriteError(w, err)
		return
	}
	unixhttp.WriteJSON(w, status, v)
}
