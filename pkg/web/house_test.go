package web_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
)

// house is a daemon with a workspace, a session, a dispatch and a proposal, and notes
// what pages did to them.
type house struct {
	mu       sync.Mutex
	story    *story
	live     bool // the dispatch runs
	did      []string
	resolved string
	approved bool
	status   string // of the proposal
	undone   string // the commit that took the dispatch's back
	policy   bool   // an undo waits for approvals
	undoing  bool   // the proposal is one
}

// with changes how it stands.
func (h *house) with(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

const (
	commit   = "0123456789abcdef0123456789abcdef01234567"
	proposal = "01K0000000000000000000PR0P"
)

func newHouse() *house {
	s := &story{asked: map[string]int{}}
	s.say("turn-accepted", map[string]any{"session": session, "runner": "vexa", "model": "rehearsal/rehearsal", "resumed": false, "text": "count the otters", "source": "host"})
	s.say("tool-call", map[string]any{"callId": "c", "tool": "write", "arguments": map[string]any{"path": "a.md"}})
	s.say("tool-result", map[string]any{"callId": "c", "ok": true, "output": "written", "truncated": false})
	s.say("message", map[string]any{"text": "There are *three*.\n\n```go\nfunc main() {}\n```\n"})
	s.say("commit", map[string]any{"workspace": "w", "name": "notes", "sha": commit, "branch": "main", "merged": true, "files": 1, "source": "host"})
	s.say("turn-done", map[string]any{"ok": true, "session": session, "reply": "", "outcome": "completed", "source": "host"})
	return &house{story: s, status: "open"}
}

// acts are what was done so far.
func (h *house) acts() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.did...)
}

func (h *house) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	if r.Method == http.MethodPost {
		h.act(w, r, path)
		return
	}
	if v, ok := h.shows(r, path); ok {
		_ = json.NewEncoder(w).Encode(v) // the page went away
		return
	}
	if path == "/workspaces/notes/file" && r.URL.Query().Get("path") == "empty.md" {
		return
	}
	if path == "/workspaces/notes/file" {
		_, _ = io.WriteString(w, "# Otters\n\nSee [more](more.md).\n")
		return
	}
	if path == "/subscribe" { // it has no WebSocket: frames come over HTTP
		http.Error(w, `{"code":"internal","message":"no"}`, http.StatusBadRequest)
		return
	}
	if path == "/workspaces/none" || path == "/workspaces/none/files" {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":"not_found","message":"there is no workspace none","hint":"vexa workspace list shows them"}`)
		return
	}
	h.mu.Unlock() // a stream takes its time
	defer h.mu.Lock()
	h.story.ServeHTTP(w, r)
}

func (h *house) act(w http.ResponseWriter, r *http.Request, path string) {
	body, _ := io.ReadAll(r.Body) // a page sends all of it
	h.did = append(h.did, path+" "+string(body))
	switch last := path[strings.LastIndex(path, "/")+1:]; last {
	case "resolve":
		h.resolved = "theirs"
	case "approve":
		h.approved = true
	case "accept", "reject":
		h.status = last + "ed"
	case "undo":
		if h.policy {
			h.undoing = true
			_ = json.NewEncoder(w).Encode(api.Undone{Reverted: []string{}, Conflicts: []string{}, Proposal: proposal}) // the page went away
			return
		}
		_ = json.NewEncoder(w).Encode(api.Undone{SHA: commit, Reverted: []string{commit}, Conflicts: []string{}})
		return
	}
	_, _ = io.WriteString(w, "{}")
}

const patch = "diff --git a/a.md b/a.md\n--- a/a.md\n+++ b/a.md\n@@ -1 +1 @@\n-two otters\n+three otters\n"

// shows is what there is to be read, as JSON.
func (h *house) shows(r *http.Request, path string) (any, bool) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	ann := api.Signer{Name: "ann", Key: "SHA256:x"}
	ws := api.Workspace{Name: "notes", ID: "w", Head: commit, UpdatedAt: at, Files: 2}
	p := api.Proposal{
		ID: proposal, Title: "Count again", Status: h.status, Target: "refs/heads/main", From: commit, Source: commit, Result: commit, Undoes: []string{}, Needed: 1,
		Conflicts: []api.ProposalConflict{{Path: "a.md", Why: []string{"both sides changed it"}, Base: true, Ours: true, Theirs: true, Resolution: h.resolved}},
		Approvals: []api.ProposalApproval{}, UpdatedAt: at, By: ann, OpenedBy: ann, Events: []api.ProposalEvent{{Kind: "opened", SHA: commit, By: ann, Time: at}},
	}
	if h.undoing {
		p.Undoes = []string{commit}
	}
	if h.resolved == "" {
		p.Open = 1
	}
	if h.approved {
		p.Approved, p.Approvals = 1, []api.ProposalApproval{{By: ann, Time: at.Format(time.RFC3339), Counts: true}}
	}
	d := api.Dispatch{
		ID: unit, State: "running", Subject: "u", Launcher: "user:u", Runner: "vexa", Model: "rehearsal/rehearsal", Session: session, StartedAt: at,
		Workspaces: []api.GrantedWorkspace{{ID: "w", Name: "notes", Mode: "rw"}}, Container: commit, Turns: len(h.did), Tokens: 1200,
	}
	if !h.live {
		d.State, d.EndedAt, d.StopReason = "stopped", &at, "completed"
	}
	switch path {
	case "/dispatches":
		return []api.Dispatch{d}, true
	case "/dispatches/" + unit:
		return d, true
	case "/sessions":
		return []api.Session{{ID: session, Title: "count the otters", Runner: "vexa", Unit: unit, UpdatedAt: at}}, true
	case "/models":
		return []api.Provider{{Name: "rehearsal", Protocol: "rehearsal", Models: []string{"rehearsal"}, Default: true}}, true
	case "/runners":
		return []api.Runner{{Name: "vexa", Image: "builtin:vexa"}}, true
	case "/workspaces":
		return []api.Workspace{ws}, true
	case "/workspaces/notes":
		return ws, true
	case "/workspaces/notes/files":
		return []api.FileEntry{{Path: "README.md", Mode: "100644", Size: 40}, {Path: "deep/a.md", Mode: "100644", Size: 10}, {Path: "empty.md", Mode: "100644"}, {Path: "big.txt", Mode: "100644", Size: 3e6}}, true
	case "/workspaces/notes/log":
		return h.log(at, r.URL.Query().Get("limit")), true
	case "/workspaces/notes/diff", "/workspaces/notes/proposals/" + proposal + "/diff":
		return api.Diff{From: commit, To: commit, Patch: patch}, true
	case "/workspaces/notes/proposals":
		return []api.Proposal{p}, true
	case "/workspaces/notes/proposals/" + proposal:
		return p, true
	case "/workspaces/notes/proposals/" + proposal + "/sides":
		return api.ProposalSides{From: commit, Source: commit, Conflict: p.Conflicts[0], Base: []byte("one\n"), Ours: []byte("two\n"), Theirs: []byte("three\n"), Merged: []byte("two\n")}, true
	}
	return nil, false
}

func (h *house) log(at time.Time, limit string) []api.Commit {
	most := 60
	_, _ = fmt.Sscan(limit, &most) // none: all
	var all []api.Commit
	if h.undone != "" {
		all = append(all, api.Commit{SHA: h.undone, Message: "Undo", Time: at, Undoes: []string{commit}}, api.Commit{SHA: commit, Message: "Count", Time: at, Undoes: []string{}})
	}
	for i := range min(most, 60) {
		all = append(all, api.Commit{Undoes: []string{}, SHA: fmt.Sprintf("e%02d%s", i, commit[3:]), Message: fmt.Sprintf("Commit %d", i), Author: "Ann <ann@example.org>", Time: at, Parents: []string{commit}})
	}
	if most == 1 {
		all = all[len(all)-1:]
		all[0].SHA = commit
	}
	return all
}
