package dispatch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/quota"
	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/stream"
)

// ConnectGrace is how long a worker may take from the start of its container,
// or of the daemon, to its first word.
const ConnectGrace = 30 * time.Second

// Options are the parts a Manager works with. All are required up to Log.
type Options struct {
	Home       home.Home
	Binary     string // the vexa binary to mount into containers, absolute
	Records    Records
	Streams    stream.Log
	Runtime    Runtime
	Workspaces Workspaces
	Sessions   Sessions
	Tokens     Tokens
	Audit      Auditor
	OpenSocket OpenSocket
	Runners    Runners
	Models     ResolveModel
	Images     Images
	Tools      Tools            // nil: there are none
	Quota      *quota.Gate      // nil: any number of containers
	Failpoints *failpoint.Set   // nil outside of tests
	Now        func() time.Time // the time of day
	NewID      func() string    // ULIDs, upper case
	Log        *slog.Logger

	ConnectGrace time.Duration // replaces the constant of that name where it is not zero
	SaveAgain    time.Duration // likewise

	Ticks       func() time.Time                               // a clock that nobody sets; nil: time.Now, which is monotonic
	Retention   retention.Policy                               // what is kept for how long; zero: everything, for ever
	RetainEvery time.Duration                                  // replaces the constant of that name where it is not zero
	AlsoRetain  func(ctx context.Context, now time.Time) error // what Retain does besides; nil: nothing
}

// Manager owns every dispatch of an installation. Its methods may be called
// concurrently.
type Manager struct {
	home       home.Home
	binary     string
	records    Records
	streams    stream.Log
	runtime    Runtime
	workspaces Workspaces
	sessions   Sessions
	tokens     Tokens
	audit      Auditor
	openSocket OpenSocket
	runners    Runners
	tools      Tools
	models     ResolveModel
	images     Images
	quota      *quota.Gate
	failpoints *failpoint.Set
	now        func() time.Time
	newID      func() string
	log        *slog.Logger

	connectGrace time.Duration
	saveAgain    time.Duration
	failed       chan error // holds one

	life   context.Context //nolint:containedctx // the life of the goroutines that own dispatches, ended by Close
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu       sync.Mutex // guards what follows; never held while a port is called
	units    map[string]*entry
	order    []string
	runs     map[string]*run          // live dispatches by unit
	starting map[string]chan struct{} // see alone
	unsaved  map[string]error         // those that have not ended and have no owner
	closed   bool
	retain   retainer // says itself what of it mu guards
}

// New returns a manager over the records that exist. Call Recover before
// anything else, and Close at the end.
func New(ctx context.Context, o Options) (*Manager, error) {
	t, err := replay(o.Records)
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &Manager{
		home: o.Home, binary: o.Binary, records: o.Records, streams: o.Streams, runtime: o.Runtime,
		workspaces: o.Workspaces, sessions: o.Sessions, tokens: o.Tokens, audit: o.Audit, openSocket: o.OpenSocket, runners: o.Runners, tools: o.Tools,
		models: o.Models, images: o.Images, quota: cmp.Or(o.Quota, quota.NewGate(quota.Policy{})), failpoints: o.Failpoints, now: o.Now, newID: o.NewID, log: o.Log,
		connectGrace: cmp.Or(o.ConnectGrace, ConnectGrace), saveAgain: cmp.Or(o.SaveAgain, SaveAgain), failed: make(chan error, 1),
		life: life, cancel: cancel,
		units: t.units, order: t.order, runs: map[string]*run{}, starting: map[string]chan struct{}{}, unsaved: map[string]error{},
		retain: newRetainer(o, t),
	}, nil
}

// Start takes one message or plan: a turn of a live dispatch where the
// conversation has one that fits, else of a new dispatch. When it returns, the
// turn is on disk; what becomes of it is told on the unit's topic.
func (m *Manager) Start(ctx context.Context, caller Caller, req api.StartRequest) (api.Started, error) {
	if req.Key != "" {
		release, err := m.alone(ctx, "key "+caller.Subject+" "+req.Key)
		if err != nil {
			return api.Started{}, err
		}
		defer release()
	}
	if started, ok := m.repeated(caller, req.Key); ok {
		return started, nil
	}
	p, err := m.resolve(ctx, caller, req)
	if err != nil {
		return api.Started{}, err
	}
	release, err := m.alone(ctx, "session "+caller.Subject+" "+p.Session)
	if err != nil {
		return api.Started{}, err
	}
	defer release()
	for {
		live, err := m.liveFor(ctx, caller, p)
		if err != nil {
			return api.Started{}, err
		}
		if live == nil {
			break
		}
		started, err := live.offer(ctx, p.text, req.Key)
		if !errors.Is(err, errLeft) {
			return started, err
		}
	}
	if err := p.ended(ctx, m); err != nil {
		return api.Started{}, err
	}
	if err := m.available(ctx); err != nil {
		return api.Started{}, err
	}
	return m.accept(ctx, p)
}

// alone keeps others out of what is named until it is released: two requests
// at once must not both find that a conversation has no container, or that an
// idempotency key is new.
func (m *Manager) alone(ctx context.Context, what string) (release func(), err error) {
	for {
		m.mu.Lock()
		held := m.starting[what]
		if held == nil {
			own := make(chan struct{})
			m.starting[what] = own
			m.mu.Unlock()
			return func() {
				m.mu.Lock()
				delete(m.starting, what)
				m.mu.Unlock()
				close(own)
			}, nil
		}
		m.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// repeated answers a request whose idempotency key was seen before.
func (m *Manager) repeated(caller Caller, key string) (api.Started, bool) {
	if key == "" {
		return api.Started{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, e := range m.units {
		if turn, ok := e.keys[key]; ok && e.Unit.Identity.Subject == caller.Subject {
			return api.Started{Unit: id, Turn: turn, Session: e.Session}, true
		}
	}
	return api.Started{}, false
}

// available reports whether the runtime kernel answers, so that a request is
// refused before anything is written for it.
func (m *Manager) available(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	_, err := m.runtime.Get(ctx, "availability-probe")
	if err == nil || fault.Is(err, fault.NotFound) {
		return nil
	}
	return &fault.Error{
		Kind: fault.Unavailable, Err: err,
		Hint: "look at vexa daemon status and vexa doctor; vexa daemon start starts it again",
	}
}

// liveFor returns the live dispatch that holds the session of p, where it can
// take another turn. One that fits but is about to exit is waited for; one
// that was given other things is a conflict while a turn of it runs.
func (m *Manager) liveFor(ctx context.Context, caller Caller, p plan) (*run, error) {
	for {
		r := m.holder(caller.Subject, p.Session)
		if r == nil {
			return nil, m.standing(caller.Subject, p.Session)
		}
		fit, told := r.fits(p)
		switch fit {
		case fitYes:
			return r, nil
		case fitBusy:
			return nil, fault.New(fault.Conflict, "session "+p.Session+" is in use by unit "+r.id()+" with other workspaces, tools, runner or model",
				"wait for its turn to end, or vexa stop "+r.id())
		case fitLeaving:
			r.retire()
		case fitTold:
		}
		select {
		case <-r.done:
		case <-told:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (m *Manager) holder(subject, session string) *run {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.runs {
		if r.plan.Session == session && r.plan.Unit.Identity.Subject == subject {
			return r
		}
	}
	return nil
}

// accept journals the intent, then lets a goroutine carry it out. It is refused
// where too many wait already.
func (m *Manager) accept(ctx context.Context, p plan) (_ api.Started, err error) {
	id := p.Unit.ID
	place, err := m.quota.Enter(p.Unit.Identity.Subject)
	if err != nil {
		return api.Started{}, err
	}
	defer func() {
		if err != nil {
			place.Leave()
		}
	}()
	m.retain.accepting.RLock()
	defer m.retain.accepting.RUnlock()
	if err := m.open(); err != nil { // not after a record: what is refused is not to run later
		return api.Started{}, err
	}
	seq, err := m.append(ctx, record{Type: recordAccepted, Unit: id, Accepted: &p.accepted})
	if err != nil {
		return api.Started{}, err
	}
	out, err := openPublisher(ctx, m.streams, m.now, id)
	if err != nil {
		return api.Started{}, err
	}
	first := turn{id: m.newID(), text: p.text}
	taken := record{Type: recordTurn, Unit: id, Turn: first.id, Text: first.text, Key: p.Unit.IdempotencyKey}
	if err := m.write(ctx, taken); err != nil {
		return api.Started{}, err
	}
	e := &entry{accepted: p.accepted, startedAt: m.now().UTC(), first: seq, order: order{Accepted: seq, Turn: seq}}
	e.apply(taken)
	r := newRun(m, p, e, out, place)
	r.queue, r.first = append(r.queue, first), p.text

	m.mu.Lock()
	m.units[id] = e
	m.order = append(m.order, id)
	m.runs[id] = r
	m.wait.Add(1)
	m.mu.Unlock()

	m.at(ctx, pointAccepted)
	go r.live(m.life, r.enter)
	return api.Started{Unit: id, Turn: first.id, Session: p.Session}, nil
}

// List returns the dispatches, newest first; only live ones unless all.
func (m *Manager) List(all bool) []api.Dispatch {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := []api.Dispatch{}
	for _, id := range slices.Backward(m.order) {
		if e := m.units[id]; all || e.endedAt == nil {
			rows = append(rows, m.row(id, e))
		}
	}
	return rows
}

// Get returns one dispatch whole. The id may be a unique prefix in any case.
func (m *Manager) Get(id string) (api.Dispatch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	full, err := m.find(id)
	if err != nil {
		return api.Dispatch{}, err
	}
	e := m.units[full]
	row := m.row(full, e)
	unit := e.Unit
	row.Unit = &unit
	for _, c := range e.commits {
		row.Commits = append(row.Commits, api.DispatchCommit{Workspace: c.Workspace, SHA: c.SHA, Merged: c.Merged})
	}
	return row, nil
}

// find resolves a prefix. The caller holds mu.
func (m *Manager) find(prefix string) (string, error) {
	prefix = strings.ToUpper(prefix)
	if m.units[prefix] != nil {
		return prefix, nil
	}
	var found []string
	for _, id := range m.order {
		if prefix != "" && strings.HasPrefix(id, prefix) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return "", fault.New(fault.NotFound, "there is no unit "+prefix, m.goneHint(prefix))
	case 1:
		return found[0], nil
	default:
		return "", fault.New(fault.Invalid, "several units begin with "+prefix, "give more of the id; see vexa ps -a")
	}
}

// row renders one dispatch. The caller holds mu.
func (m *Manager) row(id string, e *entry) api.Dispatch {
	d := api.Dispatch{
		ID: id, State: runtimev1.Starting, Subject: e.Unit.Identity.Subject, Launcher: e.Unit.Identity.Launcher,
		Runner: e.Unit.Runner, Model: e.Model, Trigger: e.Unit.Trigger, Container: e.container, Session: e.Session,
		StartedAt: e.startedAt, EndedAt: e.endedAt, StopReason: e.stopReason, Detail: e.detail,
		Turns: e.turns, Requests: e.requests, Tokens: e.tokens, Workspaces: []api.GrantedWorkspace{},
	}
	switch {
	case e.endedAt != nil:
		d.State = runtimev1.Destroyed
	case e.container != "":
		d.State, d.Busy = runtimev1.Running, true
	}
	if why := m.unsaved[id]; why != nil {
		d.Detail = "stands still: " + why.Error()
	}
	if r := m.runs[id]; r != nil && e.endedAt == nil {
		d.State, d.Busy = r.state, r.busy
		d.Detail = or(r.waiting(), d.Detail)
		d.Requests += r.usage.Requests
		d.Tokens += r.usage.InputTokens + r.usage.OutputTokens
	}
	for _, w := range e.Unit.Workspaces {
		d.Workspaces = append(d.Workspaces, api.GrantedWorkspace{ID: w.ID, Name: e.Names[w.ID], Mode: w.Mode})
	}
	return d
}

// Live returns how many dispatches have not ended.
func (m *Manager) Live() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.runs)
}
