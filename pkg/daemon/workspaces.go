package daemon

import (
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/internal/sessionid"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

func (s *Server) listWorkspaces(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	all, err := e.Workspaces.List(r.Context())
	if err != nil {
		return err
	}
	rows := make([]api.Workspace, 0, len(all))
	for _, info := range all {
		rows = append(rows, workspaceRow(info))
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
	return nil
}

func workspaceRow(i workspace.Info) api.Workspace {
	row := api.Workspace{
		Name: i.Name, ID: i.ID, Head: i.Head, CreatedAt: i.CreatedAt, UpdatedAt: i.UpdatedAt,
		Files: i.Files, Encrypted: i.Encrypted, Unmerged: i.Unmerged, Bucket: i.Bucket, Generation: i.Generation, WriteOnly: i.WriteOnly, Problem: i.Problem,
	}
	if row.Unmerged == nil {
		row.Unmerged = []string{}
	}
	return row
}

func (s *Server) createWorkspace(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.CreateWorkspace
	if err := decode(r, &req); err != nil {
		return err
	}
	info, err := e.Workspaces.Create(r.Context(), workspace.CreateRequest{
		Name: req.Name, From: req.From, Bucket: req.Bucket, PostQuantum: req.PostQuantum, Author: workspace.Author{Subject: s.o.Caller.Subject},
	})
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusCreated, workspaceRow(info))
	return nil
}

// addWorkspace registers a bucket that is there.
func (s *Server) addWorkspace(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.AddWorkspace
	if err := decode(r, &req); err != nil {
		return err
	}
	info, err := e.Workspaces.Add(r.Context(), req.Name, req.URL)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusCreated, workspaceRow(info))
	return nil
}

// closeWorkspace removes what is readable of a workspace, after it was saved.
func (s *Server) closeWorkspace(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	if err := e.Workspaces.Shut(r.Context(), r.PathValue("name")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// rekey brings the installation's keys into every bucket.
func (s *Server) rekey(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	all, err := e.Workspaces.Rekey(r.Context())
	if err != nil {
		return err
	}
	rows := make([]api.Rekeyed, 0, len(all))
	for _, k := range all {
		row := api.Rekeyed{Workspace: k.Workspace, Changed: k.Changed, Generation: k.Generation}
		if k.Err != nil {
			row.Error = k.Err.Error()
		}
		rows = append(rows, row)
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
	return nil
}

// named finds the engine and the id of the workspace that the path names.
func (s *Server) named(r *http.Request) (*Engine, string, error) {
	e, err := s.engine()
	if err != nil {
		return nil, "", err
	}
	id, _, err := e.Workspaces.Find(r.Context(), r.PathValue("name"))
	return e, id, err
}

func (s *Server) showWorkspace(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	info, err := e.Workspaces.Lookup(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, workspaceRow(info))
	return nil
}

func (s *Server) workspaceLog(w http.ResponseWriter, r *http.Request) error {
	e, id, err := s.named(r)
	if err != nil {
		return err
	}
	limit, err := number(r, "limit")
	if err != nil {
		return err
	}
	q := r.URL.Query()
	session, err := s.sessionOf(r, e)
	if err != nil {
		return err
	}
	commits, err := e.Workspaces.Log(r.Context(), id, workspace.LogQuery{
		Limit: limit, Unit: q.Get("unit"), Session: session, Path: q.Get("path"), Rev: q.Get("rev"), Subject: q.Get("subject"), Launcher: q.Get("launcher"),
	})
	if err != nil {
		return err
	}
	rows := make([]api.Commit, 0, len(commits))
	for _, c := range commits {
		rows = append(rows, commitRow(c, id))
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
	return nil
}

// sessionOf returns the session whose commits are asked for. A short id is one of the
// caller's. What is none is left as it is: it may be of another member, or of a tool that
// commits beside Vexa.
func (s *Server) sessionOf(r *http.Request, e *Engine) (string, error) {
	text := r.URL.Query().Get("session")
	if sessionid.Whole(text) || !sessionid.Begins(text) {
		return text, nil
	}
	return e.Dispatch.FindSession(r.Context(), s.o.Caller.Subject, text)
}

func commitRow(c workspace.Commit, id string) api.Commit {
	return api.Commit{
		SHA: c.SHA, Subject: c.Subject, Launcher: c.Launcher, Unit: c.Unit, Session: c.Session, Runner: c.Runner,
		Message: c.Message, Author: c.Author, Time: c.Time, Parents: c.Parents, Workspace: id, Undoes: append([]string{}, c.Undoes...),
	}
}

func (s *Server) workspaceStatus(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	st, err := e.Workspaces.Status(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	row := api.WorkspaceStatus{
		Name: st.Info.Name, Bucket: st.Info.Bucket, Generation: st.Info.Generation, UpdatedAt: st.Info.UpdatedAt, Open: st.Open, Behind: st.Behind, Ahead: st.Ahead,
		Unmerged: st.Info.Unmerged, Members: st.Members, Policy: st.Policy, Proposals: st.Proposals, Inbox: st.Inbox, Epoch: st.Epoch, Packs: st.Packs, Unverified: st.Unverified,
	}
	if row.Unmerged == nil {
		row.Unmerged = []string{}
	}
	if b := st.Backup; b != nil {
		row.Backup = &api.Backup{Time: b.Time, Bucket: b.URL, Generation: b.Generation}
	}
	unixhttp.WriteJSON(w, http.StatusOK, row)
	return nil
}

func (s *Server) workspaceBlame(w http.ResponseWriter, r *http.Request) error {
	e, id, err := s.named(r)
	if err != nil {
		return err
	}
	lines, err := e.Workspaces.Blame(r.Context(), id, r.URL.Query().Get("rev"), r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	rows := make([]api.BlameLine, 0, len(lines))
	for _, l := range lines {
		rows = append(rows, api.BlameLine{Line: l.Line, Text: l.Text, Commit: commitRow(l.Commit, id)})
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
	return nil
}

func (s *Server) workspaceFiles(w http.ResponseWriter, r *http.Request) error {
	e, id, err := s.named(r)
	if err != nil {
		return err
	}
	files, err := e.Workspaces.Files(r.Context(), id, r.URL.Query().Get("rev"))
	if err != nil {
		return err
	}
	rows := make([]api.FileEntry, 0, len(files))
	for _, f := range files {
		rows = append(rows, api.FileEntry{Path: f.Path, Mode: f.Mode, Size: f.Size, SHA: f.SHA})
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
	return nil
}

func (s *Server) workspaceFile(w http.ResponseWriter, r *http.Request) error {
	e, id, err := s.named(r)
	if err != nil {
		return err
	}
	data, err := e.Workspaces.ReadFile(r.Context(), id, r.URL.Query().Get("rev"), r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, err = w.Write(data) //nolint:gosec // not markup: an octet stream, with nosniff, on a socket no browser reaches
	return err
}

func (s *Server) workspaceDiff(w http.ResponseWriter, r *http.Request) error {
	e, id, err := s.named(r)
	if err != nil {
		return err
	}
	v := r.URL.Query()
	q := workspace.DiffQuery{From: v.Get("from"), To: v.Get("to"), Unit: v.Get("unit"), Path: v.Get("path")}
	patch, err := e.Workspaces.Diff(r.Context(), id, q)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, api.Diff{From: q.From, To: q.To, Patch: patch})
	return nil
}

func (s *Server) workspaceUndo(w http.ResponseWriter, r *http.Request) error {
	e, id, err := s.named(r)
	if err != nil {
		return err
	}
	var req api.UndoRequest
	if err := decode(r, &req); err != nil {
		return err
	}
	undone, err := e.Workspaces.Undo(r.Context(), id, workspace.UndoRequest{
		To: req.To, Dispatch: req.Dispatch, Commit: req.Commit, Author: workspace.Author{Subject: s.o.Caller.Subject}, Launcher: s.o.Caller.Launcher,
	})
	if err != nil {
		return err
	}
	row := api.Undone{SHA: undone.SHA, Reverted: undone.Reverted, Conflicts: undone.Conflicts, Proposal: undone.Proposal}
	if row.Reverted == nil {
		row.Reverted = []string{}
	}
	if row.Conflicts == nil {
		row.Conflicts = []string{}
	}
	unixhttp.WriteJSON(w, http.StatusOK, row)
	return nil
}
