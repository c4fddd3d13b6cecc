package clienttest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// withCommands is the workspace that brings more commands than the others: help, and take,
// which names files of the machine.
const withCommands = "handbook"

func (d *Daemon) routeWorkspaces(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/workspaces", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		answer(w, http.StatusOK, append([]api.Workspace{}, d.workspaces...), nil)
	})
	mux.HandleFunc("POST /v1/workspaces", d.serveCreate)
	named := func(pattern string, f func(http.ResponseWriter, *http.Request, *api.Workspace)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			d.mu.Lock()
			defer d.mu.Unlock()
			ws, err := d.workspace(r.PathValue("name"))
			if err != nil {
				answer(w, 0, nil, err)
				return
			}
			f(w, r, ws)
		})
	}
	named("GET /v1/workspaces/{name}", func(w http.ResponseWriter, _ *http.Request, ws *api.Workspace) {
		answer(w, http.StatusOK, ws, nil)
	})
	named("GET /v1/workspaces/{name}/log", d.serveLog)
	named("GET /v1/workspaces/{name}/files", func(w http.ResponseWriter, _ *http.Request, ws *api.Workspace) {
		files := []api.FileEntry{
			{Path: ".vexa/commands/Bad.md", Mode: "100644", Size: 3, SHA: "1b376e4b6a4ad0ca5d1a7e1bd3a2b3ef8c7c5a52"},
			{Path: ".vexa/commands/review.md", Mode: "100644", Size: 78, SHA: "8c1384d825dbbe41309b7dc18ee7991a9085c46e"},
			{Path: "note.md", Mode: "100644", Size: 6, SHA: "ce013625030ba8dba906f756967f9e9ca394464a"},
			{Path: "run" + Hostile + ".sh", Mode: "100755", Size: 10, SHA: "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
		}
		if ws.Name == withCommands {
			files = append(files, api.FileEntry{Path: ".vexa/commands/help.md", Mode: "100644", Size: 9, SHA: "1c"}, api.FileEntry{Path: ".vexa/commands/take.md", Mode: "100644", Size: 9, SHA: "2c"})
		}
		answer(w, http.StatusOK, files, nil)
	})
	named("GET /v1/workspaces/{name}/file", serveFile)
	named("GET /v1/workspaces/{name}/diff", func(w http.ResponseWriter, r *http.Request, ws *api.Workspace) {
		answer(w, http.StatusOK, api.Diff{
			From: r.URL.Query().Get("from"), To: ws.Head,
			Patch: "--- a/note.md\n+++ b/note.md\n@@ -1 +1 @@\n-old\n+" + Hostile + "\n",
		}, nil)
	})
	named("GET /v1/workspaces/{name}/proposals", func(w http.ResponseWriter, _ *http.Request, _ *api.Workspace) {
		list := []api.Proposal{}
		if len(d.contested) > 0 {
			list = append(list, api.Proposal{ID: undoProposal, Status: "open", Undoes: d.contested})
		}
		answer(w, http.StatusOK, list, nil)
	})
	named("GET /v1/workspaces/{name}/proposals/{id}", func(w http.ResponseWriter, r *http.Request, _ *api.Workspace) {
		answer(w, http.StatusOK, api.Proposal{ID: r.PathValue("id"), Status: "open", Result: sha, Needed: 2, Approved: 1}, nil)
	})
	named("POST /v1/workspaces/{name}/proposals/{id}/accept", func(w http.ResponseWriter, r *http.Request, _ *api.Workspace) {
		req, err := body[api.ProposalResult](r)
		d.accepted = append(d.accepted, r.PathValue("id")+" "+req.Result)
		answer(w, http.StatusOK, api.Proposal{ID: r.PathValue("id")}, err)
	})
	named("POST /v1/workspaces/{name}/proposals/{id}/approve", func(w http.ResponseWriter, r *http.Request, _ *api.Workspace) {
		req, err := body[api.ProposalResult](r)
		d.judged = append(d.judged, "approve "+r.PathValue("id")+" "+req.Result)
		answer(w, http.StatusOK, api.Proposal{ID: r.PathValue("id"), Status: "open", Needed: 2, Approved: 2}, err)
	})
	named("POST /v1/workspaces/{name}/proposals/{id}/reject", func(w http.ResponseWriter, r *http.Request, _ *api.Workspace) {
		req, err := body[api.ProposalText](r)
		d.judged = append(d.judged, "reject "+r.PathValue("id")+" "+req.Text)
		answer(w, http.StatusOK, api.Proposal{ID: r.PathValue("id"), Status: "rejected"}, err)
	})
	named("POST /v1/workspaces/{name}/undo", func(w http.ResponseWriter, r *http.Request, _ *api.Workspace) {
		req, err := body[api.UndoRequest](r)
		if d.Contested {
			d.contested = append(d.contested, req.Commit)
			answer(w, http.StatusOK, api.Undone{Conflicts: []string{"note.md"}, Reverted: []string{}, Proposal: undoProposal}, err)
			return
		}
		d.undos = append(d.undos, req)
		u := api.Undone{SHA: sha, Reverted: []string{"3f2a91c0d4e5f60718293a4b5c6d7e8f90a1b2c3"}, Conflicts: []string{}}
		if req.To == "conflict" {
			u = api.Undone{Conflicts: []string{"note.md"}, Reverted: []string{}}
		}
		answer(w, http.StatusOK, u, err)
	})
}

func (d *Daemon) serveCreate(w http.ResponseWriter, r *http.Request) {
	req, err := body[api.CreateWorkspace](r)
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, nerr := d.workspace(req.Name); err == nil && nerr == nil {
		err = fault.New(fault.Conflict, "there is a workspace "+req.Name+" already", "")
	}
	if strings.ContainsAny(req.Name, " /") {
		err = fault.New(fault.Invalid, "not a workspace name: "+strconv.Quote(req.Name), "use letters")
	}
	ws := api.Workspace{Name: req.Name, ID: "ws_01jdx0" + req.Name, Head: sha, CreatedAt: Epoch(), UpdatedAt: Epoch(), Unmerged: []string{}}
	if req.From != "" {
		ws.Files = 1
	}
	if err == nil {
		d.workspaces = append(d.workspaces, ws)
	}
	answer(w, http.StatusCreated, ws, err)
}

func (d *Daemon) serveLog(w http.ResponseWriter, r *http.Request, ws *api.Workspace) {
	list := []api.Commit{
		{
			SHA: sha, Subject: "u_jane", Launcher: "user:u_jane", Unit: "01JDX4A0000000000000000000",
			Session: "5e551010-0000-4000-8000-000000000001", Runner: "vexa", Message: "Write a note\n\n" + Hostile,
			Author: "u_jane", Time: Epoch(), Parents: []string{ws.Head}, Workspace: ws.ID,
		},
		{SHA: ws.Head, Message: "Create workspace personal", Author: "vexa", Time: Epoch(), Parents: nil, Workspace: ws.ID},
	}
	for _, u := range d.undos {
		if u.Commit != "" {
			list = append([]api.Commit{{SHA: undoSHA, Message: "Undo: Write a note", Author: "u_jane", Time: Epoch(), Parents: []string{sha}, Workspace: ws.ID, Undoes: []string{u.Commit}}}, list...)
		}
	}
	if r.URL.Query().Get("limit") == "1" {
		list = list[:1]
	}
	answer(w, http.StatusOK, list, nil)
}

func serveFile(w http.ResponseWriter, r *http.Request, _ *api.Workspace) {
	files := map[string]string{
		"note.md": "hello " + Hostile + "\n", "photo.jpg": "\xff\xd8\x00\x10",
		".vexa/commands/help.md":   "Help $ARGUMENTS, quiet.",
		".vexa/commands/take.md":   "Take @~/canary and @/proc/version, quiet; see @" + withCommands + ":house/rules.md for $ARGUMENTS",
		".vexa/commands/review.md": "---\ndescription: Review a note" + Hostile + "\nargument-hint: [note]\n---\nReview $1.\n",
	}
	data, there := files[r.URL.Query().Get("path")]
	if !there {
		answer(w, 0, nil, fault.New(fault.NotFound, "there is no file "+r.URL.Query().Get("path"), ""))
		return
	}
	w.Write([]byte(data)) //nolint:errcheck // the client went away
}
