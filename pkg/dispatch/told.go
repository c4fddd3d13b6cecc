package dispatch

import (
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// told is what the host has said of one turn on its unit's topic. A daemon that
// takes the turn up after another one was killed says none of it again.
type told struct {
	turn     string
	accepted bool
	commits  []wsv2.Commit
	rejected []wsv2.Rejected
	usage    *wsv2.Usage
	done     *wsv2.TurnDone

	stopped bool // the last that was said of the container; belongs to no turn
}

// note keeps what a frame says of the newest turn that there are frames of, and
// of the container.
func (t *told) note(f wsv2.Frame) {
	if state, ok := f.Body.(wsv2.State); ok {
		t.stopped = state.State == string(runtimev1.Stopped)
	}
	if f.Turn == "" || f.Source != wsv2.Host {
		return
	}
	if f.Turn != t.turn {
		*t = told{turn: f.Turn, stopped: t.stopped}
	}
	switch b := f.Body.(type) {
	case wsv2.TurnAccepted:
		t.accepted = true
	case wsv2.Commit:
		t.commits = append(t.commits, b)
	case wsv2.Rejected:
		t.rejected = append(t.rejected, b)
	case wsv2.Usage:
		t.usage = &b
	case wsv2.TurnDone:
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
	return slices.ContainsFunc(t.commits, func(c wsv2.Commit) bool { return c.Workspace == workspace && c.SHA == sha })
}

func (t *told) reject(workspace, path string) bool {
	return slices.ContainsFunc(t.rejected, func(r wsv2.Rejected) bool { return r.Workspace == workspace && r.Path == path })
}
