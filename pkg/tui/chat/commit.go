package chat

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// patchMsg is what a commit changed.
type patchMsg struct {
	thread, block int
	sha, patch    string
	err           error
}

// fetchPatch asks for it.
func (m *Model) fetchPatch(t *thread, block int, c wsv2.Commit) tea.Cmd {
	id := t.id
	return m.do(func(ctx context.Context) tea.Msg {
		d, err := m.daemon.Diff(ctx, named(c), client.DiffQuery{To: c.SHA})
		return patchMsg{id, block, c.SHA, d.Patch, err}
	})
}

func (m *Model) patched(msg patchMsg) tea.Cmd {
	t := m.threadOf(msg.thread)
	if t == nil {
		return nil
	}
	item, ok := t.conversation.At(msg.block)
	if !ok || item.Commit == nil || item.Commit.SHA != msg.sha {
		return nil
	}
	if msg.err != nil {
		t.reading.Toggle(msg.block)
		return m.fail(msg.err)
	}
	t.reading.SetPatch(msg.block, msg.patch)
	t.pane.Show(m.blocks(t), msg.block)
	return nil
}

// named is the name of the workspace of a commit.
func named(c wsv2.Commit) string {
	if c.Name == "" {
		return c.Workspace
	}
	return c.Name
}

// undoneMsg answers an undo.
type undoneMsg struct {
	thread int
	block  int
	name   string
	undone api.Undone
	err    error
}

// commitOf is the commit at a block, else the newest of the thread; nil where there is none.
func commitOf(t *thread, block int) *wsv2.Commit {
	if item, ok := t.conversation.At(block); ok && item.Commit != nil {
		return item.Commit
	}
	return nil
}

// newestCommit is the block of the newest commit that main holds, -1 where there is none.
func newestCommit(t *thread) int {
	for i := t.conversation.Len() - 1; i >= t.conversation.First(); i-- {
		if c := commitOf(t, i); c != nil && c.Merged && t.reading.Later(i) == "" && t.reading.UndoneBy(i) == "" {
			return i
		}
	}
	return -1
}

// undo takes a commit back, once the person has said so.
func (m *Model) undo(t *thread, block int) tea.Cmd {
	c := commitOf(t, block)
	switch {
	case c == nil && block < 0:
		return m.say("this session has no commit to take back")
	case c == nil:
		return m.say("that is no commit; go to one with the arrows, or use /undo")
	case !c.Merged:
		return m.say("main does not hold it; there is nothing to take back")
	}
	if later := t.reading.Later(block); later != "" {
		return m.say("it is " + later + " already")
	}
	if id := t.reading.UndoneBy(block); id != "" {
		return m.say("a proposal is to take it back already: vexa proposal show " + named(*c) + " " + id)
	}
	id, name, sha := t.id, named(*c), c.SHA
	return m.ask("Take commit "+short(sha)+" of "+name+" back?", func() tea.Cmd {
		return m.do(func(ctx context.Context) tea.Msg {
			u, err := m.daemon.Undo(ctx, name, api.UndoRequest{Commit: sha})
			return undoneMsg{id, block, name, u, err}
		})
	})
}

func (m *Model) undone(msg undoneMsg) tea.Cmd {
	u := msg.undone
	t := m.threadOf(msg.thread)
	if t != nil && u.Proposal != "" {
		t.reading.Undoing(msg.block, u.Proposal)
	}
	switch {
	case msg.err != nil:
		return m.fail(msg.err)
	case len(u.Conflicts) > 0 && u.Proposal != "":
		return m.say("later commits changed the same lines of " + strings.Join(u.Conflicts, ", ") + ": vexa proposal resolve " + msg.name + " " + u.Proposal)
	case len(u.Conflicts) > 0:
		return m.say("later commits changed the same lines of " + strings.Join(u.Conflicts, ", ") + "; take those back first")
	case u.Proposal != "":
		return m.say("the undo waits for approval: vexa proposal approve " + msg.name + " " + u.Proposal)
	default:
		m.brought.stale = true
		if t != nil {
			t.reading.Undone(msg.block, u.SHA)
		}
		return m.say("taken back in " + msg.name + " by commit " + short(u.SHA))
	}
}

func short(sha string) string { return sha[:min(len(sha), 12)] }
