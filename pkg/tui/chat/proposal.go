package chat

import (
	"context"
	"path"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
)

// verdict is what a person decides about a commit that waits in a proposal.
type verdict string

const (
	merge   verdict = "Merge"
	approve verdict = "Approve"
	reject  verdict = "Reject"
)

// waiting is a commit that waits in a proposal, and what is to become of it.
type waiting struct {
	thread, block int
	name, id      string // of the workspace, of the proposal
	verdict       verdict
	why           string // it is rejected
}

// proposalMsg is what a proposal is now.
type proposalMsg struct {
	waiting
	proposal api.Proposal
	err      error
}

// decidedMsg answers what was decided about a proposal.
type decidedMsg struct {
	waiting
	proposal api.Proposal
	err      error
}

// newestWaiting is the block of the newest commit that waits, -1 where there is none.
func newestWaiting(t *thread) int {
	for i := t.conversation.Len() - 1; i >= t.conversation.First(); i-- {
		if c := commitOf(t, i); c != nil && waits(t, i) {
			return i
		}
	}
	return -1
}

func waits(t *thread, block int) bool {
	c := commitOf(t, block)
	return c != nil && !c.Merged && t.reading.Later(block) == ""
}

// decideNewest decides about the newest commit that waits.
func (m *Model) decideNewest(v verdict, why string) tea.Cmd {
	t := m.current()
	block := newestWaiting(t)
	if block < 0 {
		return m.say("no commit of this session waits; all proposals: vexa proposal list " + m.firstGranted())
	}
	t.pane.Show(m.blocks(t), block)
	return m.decideWhy(t, block, v, why)
}

// decide decides about a commit that waits in a proposal, once the person has seen it and
// said so.
func (m *Model) decide(t *thread, block int, v verdict) tea.Cmd {
	return m.decideWhy(t, block, v, "")
}

func (m *Model) decideWhy(t *thread, block int, v verdict, why string) tea.Cmd {
	c := commitOf(t, block)
	switch {
	case !waits(t, block):
		return m.say("that is no proposal")
	case len(c.Conflicts) > 0 && v != reject:
		return m.say("it conflicts: vexa proposal resolve " + named(*c) + " " + path.Base(c.Branch))
	case !t.reading.Patched(block):
		return m.say("look at it first: Enter unfolds it, and so does Ctrl-O")
	}
	w := waiting{t.id, block, named(*c), path.Base(c.Branch), v, why}
	return m.do(func(ctx context.Context) tea.Msg {
		p, err := m.daemon.Proposal(ctx, w.name, w.id)
		return proposalMsg{w, p, err}
	})
}

// proposed asks whether to decide so about what a proposal is now: that, and nothing that
// it may become meanwhile.
func (m *Model) proposed(msg proposalMsg) tea.Cmd {
	p := msg.proposal
	switch {
	case msg.err != nil:
		return m.fail(msg.err)
	case p.Status != "open":
		return m.say("the proposal is " + p.Status)
	}
	text := string(msg.verdict) + " proposal " + msg.id
	if p.Needed > 0 {
		text += " (" + itoa(p.Approved) + " of " + plural(p.Needed, "approval") + ")"
	}
	switch msg.verdict {
	case merge:
		text += " into main of " + msg.name + "?"
	case approve, reject:
		text += " of " + msg.name + "?"
	}
	return m.ask(text, func() tea.Cmd {
		return m.do(func(ctx context.Context) tea.Msg {
			now, err := m.carryOut(ctx, msg.waiting, p.Result)
			return decidedMsg{msg.waiting, now, err}
		})
	})
}

// carryOut does what was decided about the result that was looked at.
func (m *Model) carryOut(ctx context.Context, w waiting, result string) (api.Proposal, error) {
	switch w.verdict {
	case approve:
		return m.daemon.ApproveProposal(ctx, w.name, w.id, api.ProposalResult{Result: result})
	case reject:
		return m.daemon.RejectProposal(ctx, w.name, w.id, api.ProposalText{Text: w.why})
	case merge:
	}
	return m.daemon.AcceptProposal(ctx, w.name, w.id, api.ProposalResult{Result: result})
}

func (m *Model) decided(msg decidedMsg) tea.Cmd {
	if msg.err != nil {
		return m.fail(msg.err)
	}
	t := m.threadOf(msg.thread)
	switch msg.verdict {
	case approve:
		return m.say("proposal " + msg.id + " is approved, " + itoa(msg.proposal.Approved) + " of " + itoa(msg.proposal.Needed) + "; a merges it")
	case reject:
		if t != nil {
			t.reading.Rejected(msg.block)
		}
		return m.say("proposal " + msg.id + " is rejected")
	case merge:
	}
	m.brought.stale = true
	if t != nil {
		t.reading.Merged(msg.block)
	}
	return m.say("proposal " + msg.id + " is merged")
}
