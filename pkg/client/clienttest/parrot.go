package clienttest

import (
	"encoding/json"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// Hostile is text that steers a terminal where it is not made plain.
const Hostile = "\x1b]0;owned\a\x1b[2Jplain\u202e text"

const sha = "9c0ffee1d2c3b4a5968778695a4b3c2d1e0f1a2b"

// undoSHA is the commit that the history has for an undo.
const undoSHA = "0ddba11d2c3b4a5968778695a4b3c2d1e0f1a2b3"

// undoProposal is the proposal that an undo becomes where Contested is set.
const undoProposal = "01JDX4A0UND00000000000000"

func commit(paths ...string) wsv2.Commit {
	return wsv2.Commit{Workspace: "ws_01jdx0personal", Name: "personal", SHA: sha, Branch: "main", Merged: true, Files: len(paths)}
}

// parrot answers a message; see Daemon for the words it knows.
func (d *Daemon) parrot(u *unit, turn, text string) {
	has := func(word string) bool { return strings.Contains(text, word) }
	reply := "you said: " + text
	if has("unasked") { // it asks no model
		u.d.Requests, u.d.Tokens = 0, 0
	}
	switch {
	case has("wait"):
		d.say(u, turn, wsv2.Agent, wsv2.MessageDelta{Text: "waiting"})
		u.turn = turn
		return
	case has("mute"):
		u.turn = turn
		return
	case has("fail"):
		d.done(u, turn, "", wsv2.OutcomeFailed, "the agent exited with code 3")
		return
	case has("truncate"):
		d.say(u, turn, wsv2.Agent, wsv2.MessageDelta{Text: "half an ans"})
		d.done(u, turn, "", wsv2.OutcomeTruncated, "")
		return
	case has("lose"):
		d.done(u, turn, "", wsv2.OutcomeLost, "")
		return
	case has("limit"):
		d.done(u, turn, "", wsv2.OutcomeLimit, "tokens")
		return
	case has("hostile"):
		reply = Hostile
	case has("quiet"):
		d.done(u, turn, reply, wsv2.OutcomeCompleted, "")
		return
	}
	d.say(u, turn, wsv2.Agent, wsv2.Message{Text: "Let me write that down."},
		wsv2.ToolCall{CallID: "1", Tool: "write", Arguments: json.RawMessage(`{"path":"note.md"}`)},
		wsv2.ToolResult{CallID: "1", OK: !has("tool"), Output: "7 bytes"})
	for _, piece := range pieces(reply) {
		d.say(u, turn, wsv2.Agent, wsv2.MessageDelta{Text: piece})
	}
	d.say(u, turn, wsv2.Agent, wsv2.Message{Text: reply})
	c := commit("note.md")
	if has("conflict") {
		c.Merged, c.Conflicts, c.Branch = false, []string{"note.md"}, "vexa/"+u.d.ID
	}
	if has("approval") {
		c.Merged, c.Branch = false, "vexa/"+u.d.ID
	}
	if has("reject") {
		d.say(u, turn, wsv2.Host, wsv2.Rejected{Workspace: c.Workspace, Path: `evil\x1b[2Jlink`, Reason: "a link out of the workspace"})
	}
	d.say(u, turn, wsv2.Host, wsv2.Usage{Model: "rehearsal", Requests: 1, InputTokens: 100, OutputTokens: 20}, c)
	u.d.Commits = append(u.d.Commits, api.DispatchCommit{Workspace: c.Workspace, SHA: c.SHA, Merged: c.Merged})
	d.done(u, turn, reply, wsv2.OutcomeCompleted, "")
}

// pieces cuts s into pieces of three bytes, in the middle of sequences.
func pieces(s string) []string {
	var out []string
	for runes := []rune(s); len(runes) > 0; {
		n := min(3, len(runes))
		out = append(out, string(runes[:n]))
		runes = runes[n:]
	}
	return out
}
