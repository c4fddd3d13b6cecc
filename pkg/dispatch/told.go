package dispatch

import (
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv1"
)

// told is what the host has said of one turn on its unit's topic. A daemon that
// takes the turn up after another one was killed says none of it again.
type told struct {
	turn     string
	accepted bool
	commits  []wsv1.Commit
	rejected []wsv1.Rejected
	usage    *wsv1.Usage
	done     *wsv1.TurnDone

	stopped bool // the last that was said of the container; belongs to no turn
}

// note keeps what a frame says of the newest turn that there are frames of, and
// of the container.
func (t *told) note(f wsv1.Frame) {
	if state, ok := f.Body.(wsv1.State); ok {
		t.stopped = state.State == string(runtimev1.Stopped)
	}
	if f.Turn == "" || f.Source != wsv1.Host {
		return
	}
	if f.Turn != t.turn {
		*t = told{turn: f.Turn, stopped: t.stopped}
	}
	switch b := f.Body.(type) {
	case wsv1.TurnAccepted:
		t.accepted = true
	case wsv1.Commit:
		t.commits = append(t.commits, b)
	case wsv1.Rejected:
		t.rejected = append(t.rejected, b)
	case wsv1.Usage:
		t.usage = &b
	case wsv1.TurnDone:
		t.done = &b
	}
}

// about returns what was said of a turn, if it is the newest.
func (p *publisher) about(turn string) *told {
	if p.told.turn != turn {
		return &told{}
	}
	return &p.told
}

func (t *told) commit(workspace, sha string) bool {
	return slices.ContainsFunc(t.commits, func(c wsv1.Commit) bool { return c.Workspace == workspace && c.SHA == sha })
}

func (t *told) reject(workspace, path string) bool {
	return slices.ContainsFunc(t.rejected, func(r wsv1.Rejected) bool { return r.Workspace == workspace && r.Path == path })
}
