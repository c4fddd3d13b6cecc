package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// deliver sends the next turn to the worker, when there are both.
func (r *run) deliver(ctx context.Context) {
	if !r.connected || r.active != nil || len(r.queue) == 0 || r.state != runtimev1.Running {
		return
	}
	r.active = &activeTurn{turn: r.queue[0], ended: make(chan struct{})}
	r.queue = r.queue[1:]
	r.deadline = nil
	r.sayAccepted(ctx)
	input := wsv2.Input{Type: wsv2.InputTurn, Turn: r.active.id, Text: r.active.text}
	r.noteInput(ctx, input)
	if err := r.send(ctx, input); err != nil {
		r.m.log.WarnContext(ctx, "send turn; it is sent again when the worker connects", "unit", r.id(), "error", err)
	}
	r.m.at(ctx, pointDelivered)
}

// sayAccepted publishes that the agent works on the running turn, once.
func (r *run) sayAccepted(ctx context.Context) {
	if r.out.about(r.active.id).accepted {
		return
	}
	r.publish(ctx, r.active.id, wsv2.TurnAccepted{
		Session: r.plan.Session, Runner: r.plan.Unit.Runner, Model: r.plan.Model,
		Container: r.entry.container, Resumed: r.plan.Resumed || r.entry.turns > 1, Text: r.active.text,
	})
}

// noteInput puts what the worker is asked on unit:<id>:in.
func (r *run) noteInput(ctx context.Context, in wsv2.Input) {
	data, err := json.Marshal(in)
	if err == nil {
		_, err = r.m.streams.Append(ctx, InTopic(r.id()), data)
	}
	if err != nil {
		r.m.log.ErrorContext(ctx, "note input", "unit", r.id(), "error", err)
	}
}

// finishTurn seals what the turn wrote, saves its session and says so. It is
// the only way a turn ends.
func (r *run) finishTurn(ctx context.Context, end wsv2.TurnEnd) {
	active := r.active
	if active == nil {
		return
	}
	done := wsv2.TurnDone{
		OK: end.Outcome == wsv2.OutcomeCompleted, Session: r.plan.Session, Reply: end.Reply, Outcome: end.Outcome, Error: end.Error,
		Unknown: end.Unknown,
	}
	if end.Outcome != wsv2.OutcomeLost && end.Outcome != wsv2.OutcomeLimit {
		code := end.ExitCode
		done.ExitCode = &code
	}
	if end.SessionRef != "" {
		r.plan.SessionRef = end.SessionRef
	}
	saved := make(chan error, 1)
	go func() { // the two have nothing in common
		err := r.saveSession(ctx)
		r.m.at(ctx, pointSession)
		saved <- err
	}()
	r.last = active.turn
	commits, sealErr := r.sealAll(ctx, active.turn, false)
	sessionErr := <-saved
	r.m.at(ctx, pointSealed)
	if err := r.m.explain(joined(sealErr, sessionErr)); err != nil {
		r.publish(ctx, active.id, wsv2.Error{Code: code(err), Message: "cannot save what the turn wrote: " + err.Error(), Hint: fault.HintOf(err)})
		done.OK, done.Error = false, err.Error()
	}
	usage := r.usage
	if said := r.out.about(active.id); said.usage != nil {
		usage = *said.usage
	} else if usage.Requests > 0 {
		r.publish(ctx, active.id, usage)
	}
	r.show(func() { r.told = active.ended })
	if said := r.out.about(active.id); said.done != nil {
		done = *said.done
	} else {
		r.publish(ctx, active.id, done)
	}
	r.m.at(ctx, pointTold)
	r.closeTurn(ctx, record{
		Type: recordTurnDone, Unit: r.id(), Turn: active.id, Done: &done, Commits: commits, Usage: &usage,
	})
}

// closeTurn makes the end of the running turn durable and tells who waits.
func (r *run) closeTurn(ctx context.Context, rec record) {
	if r.broken != nil {
		return
	}
	if err := r.out.sync(ctx); err != nil {
		r.fail(ctx, "flush the frames of a turn", err)
		return
	}
	if err := r.m.write(ctx, rec); err != nil {
		r.fail(ctx, "record the end of a turn", err)
		return
	}
	r.m.at(ctx, pointTurnDone)
	ended := r.active.ended
	r.active, r.deadline = nil, nil
	oneShot := *r.plan.Unit.Limits.IdleSec == 0
	r.show(func() {
		rec.At = r.m.now()
		r.entry.apply(rec)
		r.usage = wsv2.Usage{}
		r.busy, r.told = len(r.queue) > 0, nil
		r.retired = r.retired || oneShot
	})
	close(ended)
}

// afterTurn goes on to the next turn, or to the end of the container.
func (r *run) afterTurn(ctx context.Context) {
	switch {
	case r.ended():
	case r.asked != "":
		r.stopContainer(ctx, r.asked)
	case len(r.queue) > 0:
		r.deliver(ctx)
	case *r.plan.Unit.Limits.IdleSec == 0:
		r.lose(stopGrace, runtimev1.ReasonCompleted) // the worker exits by itself
	case r.crowded():
		r.m.makeRoom(r.plan.Unit.Identity.Subject)
	}
}

// sealAll commits what the agent wrote to each writable workspace. One that
// fails does not keep the others from being saved. A thorough seal reads every
// file again.
func (r *run) sealAll(ctx context.Context, t turn, thorough bool) (commits []wsv2.Commit, err error) {
	for i, c := range r.checkouts {
		w := r.plan.Unit.Workspaces[i]
		if !writable(w) {
			continue
		}
		sealed, e := r.seal(ctx, c, t, thorough)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		for _, rej := range sealed.Rejected {
			if !r.out.about(t.id).reject(w.ID, rej.Path) {
				r.publish(ctx, t.id, wsv2.Rejected{Workspace: w.ID, Path: rej.Path, Reason: rej.Reason})
			}
		}
		if sealed.SHA == "" {
			continue
		}
		commit := wsv2.Commit{
			Workspace: w.ID, Name: r.plan.Names[w.ID], SHA: sealed.SHA, Branch: sealed.Branch,
			Merged: sealed.Merged, Conflicts: sealed.Conflicts, Files: sealed.Files,
		}
		commits = append(commits, commit)
		if !r.out.about(t.id).commit(w.ID, commit.SHA) {
			r.publish(ctx, t.id, commit)
		}
	}
	r.unsaved = err
	return commits, err
}

func (r *run) seal(ctx context.Context, c *workspace.Checkout, t turn, thorough bool) (workspace.Sealed, error) {
	u := r.plan.Unit
	return r.m.workspaces.Seal(ctx, workspace.SealRequest{
		Checkout: c, Author: author(u), Message: subjectLine(t.text),
		Unit: u.ID, Launcher: u.Identity.Launcher, Runner: u.Runner, Session: r.plan.Session, Turn: t.id,
		Reported: r.recorded(c), Thorough: thorough,
	})
}

// recorded is the newest commit of a checkout that the records have.
func (r *run) recorded(c *workspace.Checkout) string {
	for _, known := range slices.Backward(r.entry.commits) {
		if known.Workspace == c.Workspace() {
			return known.SHA
		}
	}
	return c.Base()
}

// author is the person on whose behalf the agent wrote.
func author(u unitv1.Unit) workspace.Author {
	return workspace.Author{Subject: u.Identity.Subject}
}

// subjectLine is the first line of what was asked, cut to a commit subject.
func subjectLine(text string) string {
	const limit = 72
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	runes := []rune(line)
	if len(runes) > limit {
		runes = append(runes[:limit-1], '…')
	}
	if len(runes) == 0 {
		return "turn"
	}
	return string(runes)
}

// saveSession keeps what the runner needs to continue the conversation.
func (r *run) saveSession(ctx context.Context) error {
	m := r.plan.manifest
	if len(m.Session.Capsule) == 0 {
		return nil
	}
	globs, err := runner.Capsule(m, or(r.plan.SessionRef, r.plan.Session))
	if err != nil {
		return err
	}
	u := r.plan.Unit
	return r.m.sessions.Save(ctx, session.SaveRequest{
		Subject: u.Identity.Subject, Session: r.plan.Session, Unit: u.ID, Runner: u.Runner, Model: r.plan.Model,
		First: r.written(), Ref: r.plan.SessionRef, Workspaces: grantList(u), Tools: u.Tools,
		Dir: filepath.Join(r.m.home.Unit(u.ID), "session"), Globs: globs,
	})
}

// written is what was asked first, as the person wrote it: files of further workspaces by the
// names of those, not by where the container has them.
func (r *run) written() string {
	text := r.first
	for id, name := range r.plan.Names {
		text = strings.ReplaceAll(text, otherRoots+"/"+id+"/", "@"+name+":")
	}
	return text
}

// grantList is how a session keeps the workspaces of a unit.
func grantList(u unitv1.Unit) []string {
	grants := make([]string, 0, len(u.Workspaces))
	for _, w := range u.Workspaces {
		grants = append(grants, w.ID+":"+string(w.Mode))
	}
	return grants
}
