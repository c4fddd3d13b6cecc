package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// Paths inside every container; most agent CLIs find a session again only
// under the same ones.
const (
	workdir    = "/workspace"
	otherRoots = "/workspaces"
	historyDir = "/.vexa/history"
	sessionDir = "/.vexa/session"
	runDir     = "/.vexa/run"
	binary     = "/.vexa/bin/vexa"
	forwarder  = "127.0.0.1:8787"
)

// createPatience is how long a kernel is waited for that was lost while it made
// the container. The daemon starts it again.
const createPatience = 20 * time.Second

// begin brings the container of a new dispatch up.
func (r *run) begin(ctx context.Context) {
	r.m.at(ctx, pointBegun)
	if err := r.prepare(ctx); err != nil {
		r.m.log.ErrorContext(ctx, "start unit", "unit", r.id(), "error", err)
		r.failStart(ctx, err)
		return
	}
	r.create(ctx, int(createPatience/eventsPause))
}

// create has the kernel start the container. One that was lost meanwhile is
// asked again so many times; asking twice makes one container.
func (r *run) create(ctx context.Context, tries int) {
	if r.over || r.asked != "" || r.broken != nil {
		return // stopped while the kernel was away, or standing still: the next owner makes the container
	}
	if r.spec.Image == "" && !r.findImage(ctx, tries) {
		return
	}
	r.m.at(ctx, pointPrepared)
	status, err := r.m.runtime.Create(ctx, r.spec, r.token)
	r.m.at(ctx, pointCreated)
	if tries = r.triesLeft(ctx, tries, err); tries > 0 {
		r.m.log.WarnContext(ctx, "the runtime kernel was lost while it made a container; it is asked again", "unit", r.id(), "error", err)
		time.AfterFunc(eventsPause, func() {
			r.post(func(ctx context.Context) { r.create(ctx, tries-1) })
		})
		return
	}
	if err := joined(err, r.noteStart(ctx, err)); err != nil {
		r.m.log.ErrorContext(ctx, "start unit", "unit", r.id(), "error", err)
		r.failStart(ctx, r.imageWanted(err))
		return
	}
	r.started(ctx, status)
}

// imageWanted says how the image is made that a container could not be started
// for want of. That is the person's to do: it takes a download.
func (r *run) imageWanted(err error) error {
	if name := r.plan.Unit.Runner; fault.Is(err, fault.NotFound) && r.plan.manifest.Image.Ref != "" {
		return fault.New(fault.NotFound, "the image of runner "+name+" is not made yet", "make it: vexa runner build "+name) // the log has the rest
	}
	return err
}

// triesLeft is how often a create that failed is made again: not at all for what
// became of the container, once where a kernel is back that knows nothing of it,
// and tries times while there is none.
func (r *run) triesLeft(ctx context.Context, tries int, err error) int {
	if !fault.Is(err, fault.Unavailable) {
		return 0
	}
	_, err = r.m.runtime.Get(ctx, r.id())
	switch {
	case fault.Is(err, fault.NotFound):
		return min(tries, 1)
	case fault.Is(err, fault.Unavailable):
		return tries
	default:
		return 0
	}
}

func (r *run) started(ctx context.Context, status runtimev1.Status) {
	rec := record{Type: recordStarted, Unit: r.id(), Container: status.Container, Detail: status.Detail}
	if err := r.m.write(ctx, rec); err != nil {
		r.fail(ctx, "record the start of a container", err)
		return
	}
	r.show(func() {
		r.state = runtimev1.Running
		r.entry.container, r.entry.detail = status.Container, status.Detail
	})
	r.m.at(ctx, pointStarted)
	r.publish(ctx, "", wsv2.State{State: string(runtimev1.Running), Container: status.Container, Detail: status.Detail})
	if !r.connected {
		r.lose(r.m.connectGrace, runtimev1.ReasonStartFailed)
	}
	r.deliver(ctx)
}

// prepare makes the unit's directory, checkouts, session and socket.
func (r *run) prepare(ctx context.Context) error {
	r.publish(ctx, "", wsv2.State{State: string(runtimev1.Starting)})
	dir := r.m.home.Unit(r.id())
	for _, sub := range []string{"ws", "history", "meta", "session", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return fault.Wrap(fault.Internal, "make the unit's directory", err)
		}
	}
	for _, w := range r.plan.Unit.Workspaces {
		c, err := r.m.workspaces.Checkout(ctx, workspace.CheckoutRequest{
			Workspace: w.ID, Unit: r.id(), Mode: w.Mode,
			Dir:     filepath.Join(dir, "ws", w.ID),
			History: filepath.Join(dir, "history", w.ID),
			Meta:    filepath.Join(dir, "meta", w.ID),
		})
		if err != nil {
			return err
		}
		r.checkouts = append(r.checkouts, c)
	}
	if r.plan.Resumed {
		meta, err := r.m.sessions.Load(ctx, r.plan.Unit.Identity.Subject, r.plan.Session, filepath.Join(dir, "session"))
		if err != nil {
			return err
		}
		r.plan.SessionRef = meta.Ref // a turn that was waited for may have moved it
		r.first = meta.Title
	}
	if err := r.openSocket(ctx); err != nil {
		return err
	}
	return r.describe(dir)
}

// noteStart records what the kernel made of the workload and its token. A
// container that cannot be accounted for is not used.
func (r *run) noteStart(ctx context.Context, refused error) error {
	u := r.plan.Unit
	e := audit.Event{
		Unit: u.ID, Subject: u.Identity.Subject, Launcher: u.Identity.Launcher,
		Boundary: audit.Runtime, Action: "create", Effect: audit.Allow,
	}
	if refused != nil {
		e.Effect, e.Reason = audit.Deny, string(fault.KindOf(refused))+": "+refused.Error()
	}
	return r.m.audit.Record(ctx, e)
}

func (r *run) openSocket(ctx context.Context) error {
	s := broker.Session{
		Unit: r.plan.Unit, Dir: filepath.Join(r.m.home.Unit(r.id()), "run"), Limits: *r.plan.Unit.Limits,
		LastAgentSeq: r.lastReport(), Events: &worker{run: r},
		Used: wsv2.Usage{Requests: r.entry.requests, InputTokens: r.entry.tokens, CostUSD: r.entry.cost},
	}
	if r.active != nil {
		s.Turn = r.active.id
	}
	socket, err := r.m.openSocket(ctx, s)
	if err != nil {
		return err
	}
	r.socket = socket
	return nil
}

// lastReport is the newest of the worker's numbers that is stored.
func (r *run) lastReport() uint64 { return max(r.out.agentSeq, r.entry.agentSeq) }

// describe mints the tokens, writes the dispatch file and builds the workload.
// The kernel's token stays with the host: what the container reads is for its
// own socket alone.
func (r *run) describe(dir string) error {
	var models []string
	if r.plan.Model != "" {
		models = []string{r.plan.Model}
	}
	unit, limits := r.plan.Unit, r.plan.Unit.Limits
	ours, err := r.m.tokens.Mint(unit, models, tokenLife(limits), identityv1.AudienceRuntime)
	if err != nil {
		return err
	}
	r.token = ours
	token, err := r.m.tokens.Mint(unit, models, tokenLife(limits), identityv1.AudienceBroker, identityv1.AudienceStream)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, "run", "token"), []byte(token), 0o600); err != nil {
		return err
	}
	launch, err := json.Marshal(runnerv2.Launch{
		Unit: unit, Manifest: r.plan.manifest, Model: r.plan.Model, Protocol: r.plan.Protocol,
		Session: runnerv2.LaunchSession{ID: r.plan.Session, Resume: r.plan.Resumed, Ref: r.plan.SessionRef},
		Socket:  runDir + "/broker.sock", TokenFile: runDir + "/token", Listen: forwarder,
		IdleSec: *limits.IdleSec, MaxSec: *limits.MaxSec,
	})
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, "run", "dispatch.json"), launch, 0o600); err != nil {
		return err
	}
	r.spec = r.workload(dir)
	return nil
}

// workload is what the kernel is asked to run, but for the image.
func (r *run) workload(dir string) runtimev1.Spec {
	unit, limits := r.plan.Unit, r.plan.Unit.Limits
	idle, life := *limits.IdleSec+int(idleSlack/time.Second), *limits.MaxSec+int(lifeSlack/time.Second)
	spec := runtimev1.Spec{
		WorkloadID: unit.ID, Profile: "agent", Env: map[string]string{}, Backend: "podman",
		Argv: []string{binary, "worker"}, Mounts: r.mounts(dir),
		IdleTimeoutSec: &idle, MaxLifetimeSec: &life,
		Limits: &runtimev1.Limits{DiskMB: *limits.DiskMB},
	}
	if l := r.plan.manifest.Limits; l != nil {
		spec.Limits.Processes, spec.Limits.OpenFiles, spec.Limits.DataMB = l.Processes, l.OpenFiles, l.DataMB
		spec.Limits.TmpMB, spec.Limits.HomeMB = l.TmpMB, l.HomeMB
	}
	return spec
}

func (r *run) mounts(dir string) []runtimev1.Mount {
	mounts := []runtimev1.Mount{
		{Kind: runtimev1.MountBin, Source: r.m.binary, Target: binary, ReadOnly: true},
		{Kind: runtimev1.MountRun, Source: filepath.Join(dir, "run"), Target: runDir, ReadOnly: true},
		{Kind: runtimev1.MountSession, Source: filepath.Join(dir, "session"), Target: sessionDir},
	}
	for i, w := range r.plan.Unit.Workspaces {
		target := workdir
		if i > 0 {
			target = otherRoots + "/" + w.ID
		}
		mounts = append(mounts,
			runtimev1.Mount{
				Kind: runtimev1.MountWorkspace, Source: filepath.Join(dir, "ws", w.ID), Target: target,
				ReadOnly: w.Mode != unitv1.ReadWrite, Workspace: w.ID,
			},
			runtimev1.Mount{
				Kind: runtimev1.MountHistory, Source: filepath.Join(dir, "history", w.ID), Target: historyDir + "/" + w.ID,
				ReadOnly: true, Workspace: w.ID,
			})
	}
	return mounts
}

// failStart ends a dispatch whose container never came up.
func (r *run) failStart(ctx context.Context, err error) {
	err = r.m.explain(err)
	r.m.ifDead(err)
	r.publish(ctx, "", wsv2.Error{Code: code(err), Message: err.Error(), Hint: fault.HintOf(err)})
	r.stopAfterFailure(ctx)
	r.containerEnded(ctx, runtimev1.Status{
		State: runtimev1.Stopped, StopReason: runtimev1.ReasonStartFailed, Detail: err.Error(),
	})
}

// stopAfterFailure makes sure that no container outlives a failed start.
func (r *run) stopAfterFailure(ctx context.Context) {
	if _, err := r.m.runtime.Stop(ctx, r.id(), runtimev1.ReasonStartFailed); err != nil && !fault.Is(err, fault.NotFound) {
		r.m.log.WarnContext(ctx, "stop workload after a failed start", "unit", r.id(), "error", err)
	}
}

// publish writes a host frame. One that breaks its contract is left out, and
// said: who waits for the end of a turn is told that it ended.
func (r *run) publish(ctx context.Context, turn string, body wsv2.Body) {
	if r.broken != nil {
		return
	}
	err := r.out.host(ctx, turn, body)
	if _, ok := errors.AsType[*contract.Error](err); ok {
		r.m.log.ErrorContext(ctx, "a defect: a frame is left out", "unit", r.id(), "type", body.FrameType(), "error", err)
		err = r.out.host(ctx, turn, insteadOf(body, err))
	}
	if err != nil {
		r.fail(ctx, "publish a frame of type "+string(body.FrameType()), err)
	}
}

// insteadOf is what is said where a frame breaks its contract.
func insteadOf(body wsv2.Body, err error) wsv2.Body {
	why := "a defect: the frame " + string(body.FrameType()) + " is left out: " + err.Error()
	if done, ok := body.(wsv2.TurnDone); ok {
		return wsv2.TurnDone{Session: done.Session, Outcome: wsv2.OutcomeFailed, Error: why}
	}
	return wsv2.Error{Code: string(fault.Internal), Message: why}
}

// joined is errors.Join that keeps a lone error as it is, with its kind.
func joined(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	default:
		return errors.Join(a, b)
	}
}
