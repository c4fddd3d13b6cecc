package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Status asks the daemon about itself. It never starts one.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	var st api.Status
	return st, c.call(ctx, http.MethodGet, join("status"), nil, &st)
}

// Shutdown asks the daemon to save everything and end. It refuses, naming what
// could not be saved, unless force is set. The daemon is still ending when
// Shutdown returns.
func (c *Client) Shutdown(ctx context.Context, force bool) error {
	return c.call(ctx, http.MethodPost, join("shutdown"), api.ShutdownRequest{Force: force}, nil)
}

// Unlock hands the identity to the daemon's memory.
func (c *Client) Unlock(ctx context.Context, r api.UnlockRequest) error {
	return c.call(ctx, http.MethodPost, join("unlock"), r, nil)
}

// Lock makes the daemon forget the identity.
func (c *Client) Lock(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, join("lock"), struct{}{}, nil)
}

// StartRuntime starts the runtime kernel where it does not run.
func (c *Client) StartRuntime(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, join("runtime", "start"), struct{}{}, nil)
}

// Start says something to an agent. A request with a Key is repeated once
// where the connection broke: the key makes that harmless.
func (c *Client) Start(ctx context.Context, r api.StartRequest) (api.Started, error) {
	var s api.Started
	err := c.call(ctx, http.MethodPost, join("dispatches"), r, &s)
	if fault.Is(err, fault.Unreachable) && r.Key != "" {
		if _, cerr := c.Connect(ctx); cerr != nil {
			return s, cerr
		}
		err = c.call(ctx, http.MethodPost, join("dispatches"), r, &s)
	}
	return s, err
}

// Dispatches lists the live dispatches, or all of them.
func (c *Client) Dispatches(ctx context.Context, all bool) ([]api.Dispatch, error) {
	flag := ""
	if all {
		flag = "1"
	}
	var out []api.Dispatch
	return out, c.call(ctx, http.MethodGet, query(join("dispatches"), "all", flag), nil, &out)
}

// DispatchesOf lists the dispatches of a session, those that have ended too.
func (c *Client) DispatchesOf(ctx context.Context, session string) ([]api.Dispatch, error) {
	var out []api.Dispatch
	return out, c.call(ctx, http.MethodGet, query(join("dispatches"), "all", "1", "session", session), nil, &out)
}

// Dispatch returns one dispatch, by id or unique prefix.
func (c *Client) Dispatch(ctx context.Context, id string) (api.Dispatch, error) {
	var d api.Dispatch
	return d, c.call(ctx, http.MethodGet, join("dispatches", id), nil, &d)
}

// Stop ends a dispatch, or with interrupt only its running turn.
func (c *Client) Stop(ctx context.Context, id string, interrupt bool) (api.Dispatch, error) {
	var d api.Dispatch
	return d, c.call(ctx, http.MethodPost, join("dispatches", id, "stop"), api.StopRequest{Interrupt: interrupt}, &d)
}

// Sessions lists the conversations: first those whose turns came last.
func (c *Client) Sessions(ctx context.Context) ([]api.Session, error) {
	var out []api.Session
	return out, c.call(ctx, http.MethodGet, join("sessions"), nil, &out)
}

// RenameSession gives a session a title.
func (c *Client) RenameSession(ctx context.Context, id string, r api.RenameSession) (api.Session, error) {
	var out api.Session
	return out, c.call(ctx, http.MethodPost, join("sessions", id, "rename"), r, &out)
}

// Workspaces lists the workspaces.
func (c *Client) Workspaces(ctx context.Context) ([]api.Workspace, error) {
	var out []api.Workspace
	return out, c.call(ctx, http.MethodGet, join("workspaces"), nil, &out)
}

// CreateWorkspace makes a workspace.
func (c *Client) CreateWorkspace(ctx context.Context, r api.CreateWorkspace) (api.Workspace, error) {
	var w api.Workspace
	return w, c.call(ctx, http.MethodPost, join("workspaces"), r, &w)
}

// AddWorkspace registers a workspace whose bucket is there.
func (c *Client) AddWorkspace(ctx context.Context, r api.AddWorkspace) (api.Workspace, error) {
	var w api.Workspace
	return w, c.call(ctx, http.MethodPost, join("workspaces", "add"), r, &w)
}

// CloseWorkspace removes what is readable of a workspace on this machine.
func (c *Client) CloseWorkspace(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodPost, join("workspaces", name, "close"), nil, nil)
}

// VerifyWorkspace says what is wrong with the bucket of a workspace.
func (c *Client) VerifyWorkspace(ctx context.Context, name string, r api.VerifyRequest) (api.Verified, error) {
	var v api.Verified
	return v, c.call(ctx, http.MethodPost, join("workspaces", name, "verify"), r, &v)
}

// RepairWorkspace puts the bucket of a workspace right.
func (c *Client) RepairWorkspace(ctx context.Context, name string, r api.RepairRequest) (api.Repaired, error) {
	var v api.Repaired
	return v, c.call(ctx, http.MethodPost, join("workspaces", name, "repair"), r, &v)
}

// BackupWorkspace copies the bucket of a workspace.
func (c *Client) BackupWorkspace(ctx context.Context, name string, r api.BackupRequest) (api.Copied, error) {
	var v api.Copied
	return v, c.call(ctx, http.MethodPost, join("workspaces", name, "backup"), r, &v)
}

// RestoreWorkspace brings the bucket of a workspace back.
func (c *Client) RestoreWorkspace(ctx context.Context, name string, r api.RestoreRequest) (api.Copied, error) {
	var v api.Copied
	return v, c.call(ctx, http.MethodPost, join("workspaces", name, "restore"), r, &v)
}

// OpenSealed decrypts what is encrypted to the installation.
func (c *Client) OpenSealed(ctx context.Context, sealed []byte) ([]byte, error) {
	var v api.Opened
	err := c.call(ctx, http.MethodPost, join("keys", "open"), api.OpenSealed{Sealed: sealed}, &v)
	return v.Plain, err
}

// Sign signs the line of a bucket's manifest, or of a delivery, with the installation's
// key.
func (c *Client) Sign(ctx context.Context, namespace string, data []byte) (api.Signed, error) {
	var v api.Signed
	return v, c.call(ctx, http.MethodPost, join("keys", "sign"), api.Sign{Namespace: namespace, Data: data}, &v)
}

// Rekey brings the installation's keys into every workspace.
func (c *Client) Rekey(ctx context.Context) ([]api.Rekeyed, error) {
	var rows []api.Rekeyed
	return rows, c.call(ctx, http.MethodPost, join("keys"), nil, &rows)
}

// Workspace returns one workspace by name.
func (c *Client) Workspace(ctx context.Context, name string) (api.Workspace, error) {
	var w api.Workspace
	return w, c.call(ctx, http.MethodGet, join("workspaces", name), nil, &w)
}

// LogQuery selects commits; the zero value selects all of them.
type LogQuery struct {
	Limit   int // 0: the daemon's default
	Unit    string
	Session string
	Path    string

	Subject  string
	Launcher string
	Rev      string // from this commit on; empty: the newest of main
}

// Log lists commits of a workspace, newest first.
func (c *Client) Log(ctx context.Context, name string, q LogQuery) ([]api.Commit, error) {
	limit := ""
	if q.Limit > 0 {
		limit = strconv.Itoa(q.Limit)
	}
	path := query(join("workspaces", name, "log"), "limit", limit, "unit", q.Unit, "session", q.Session, "path", q.Path, "subject", q.Subject, "launcher", q.Launcher, "rev", q.Rev)
	var out []api.Commit
	return out, c.call(ctx, http.MethodGet, path, nil, &out)
}

// Files lists the files of a workspace at rev (empty: main).
func (c *Client) Files(ctx context.Context, name, rev string) ([]api.FileEntry, error) {
	var out []api.FileEntry
	return out, c.call(ctx, http.MethodGet, query(join("workspaces", name, "files"), "rev", rev), nil, &out)
}

// File opens one file of a workspace at rev (empty: main). The caller closes it.
func (c *Client) File(ctx context.Context, name, rev, path string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, query(join("workspaces", name, "file"), "rev", rev, "path", path), nil, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Diff compares two revisions of a workspace. The daemon's defaults are the
// last commit's parent and main.
func (c *Client) Diff(ctx context.Context, name string, q DiffQuery) (api.Diff, error) {
	var d api.Diff
	path := query(join("workspaces", name, "diff"), "from", q.From, "to", q.To, "unit", q.Unit, "path", q.Path)
	return d, c.call(ctx, http.MethodGet, path, nil, &d)
}

// DiffQuery says what a diff compares.
type DiffQuery struct {
	From string // default: the parent of To
	To   string // default: main
	Unit string // in place of both: what this dispatch changed
	Path string // only what is at or below it
}

// Blame returns the lines of a file at rev (empty: main), each with the commit
// that last changed it.
func (c *Client) Blame(ctx context.Context, name, rev, path string) ([]api.BlameLine, error) {
	var rows []api.BlameLine
	return rows, c.call(ctx, http.MethodGet, query(join("workspaces", name, "blame"), "rev", rev, "path", path), nil, &rows)
}

// WorkspaceStatus says how a workspace stands.
func (c *Client) WorkspaceStatus(ctx context.Context, name string) (api.WorkspaceStatus, error) {
	var st api.WorkspaceStatus
	return st, c.call(ctx, http.MethodGet, join("workspaces", name, "status"), nil, &st)
}

// Undo reverts commits of a workspace by a new commit.
func (c *Client) Undo(ctx context.Context, name string, r api.UndoRequest) (api.Undone, error) {
	var u api.Undone
	return u, c.call(ctx, http.MethodPost, join("workspaces", name, "undo"), r, &u)
}

// Models lists the providers.
func (c *Client) Models(ctx context.Context) ([]api.Provider, error) {
	var out []api.Provider
	return out, c.call(ctx, http.MethodGet, join("models"), nil, &out)
}

// AddModel adds a provider, or replaces the one of that name.
func (c *Client) AddModel(ctx context.Context, r api.AddProvider) (api.Provider, error) {
	var p api.Provider
	return p, c.call(ctx, http.MethodPost, join("models"), r, &p)
}

// SetPrices sets what models of a provider cost, and returns the provider.
func (c *Client) SetPrices(ctx context.Context, name string, r api.SetPrices) (api.Provider, error) {
	var p api.Provider
	return p, c.call(ctx, http.MethodPost, join("models", name, "prices"), r, &p)
}

// RemoveModel removes a provider and its key.
func (c *Client) RemoveModel(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, join("models", name), nil, nil)
}

// TestModel tries out a model of a provider, and tells progress what is tried
// next.
func (c *Client) TestModel(ctx context.Context, name string, r api.TestModel, progress func(api.ModelProgress)) (api.ModelTest, error) {
	var done api.ModelTest
	body, err := json.Marshal(r)
	if err != nil {
		return done, fault.Newf(fault.Internal, "encode the request: %w", err)
	}
	header := http.Header{"Accept": {"text/event-stream"}}
	resp, err := c.send(ctx, http.MethodPost, join("models", name, "test"), bytes.NewReader(body), header)
	if err != nil {
		return done, err
	}
	defer resp.Body.Close()
	for events := newEventReader(resp.Body); ; {
		ev, err := events.next()
		if err != nil {
			return done, c.unreachable(ctx, err)
		}
		var p api.ModelProgress
		if err := json.Unmarshal(ev.data, &p); err != nil {
			return done, fault.Newf(fault.Internal, "read the daemon's answer about %s: %w", name, err)
		}
		if p.Done != nil {
			return *p.Done, nil
		}
		progress(p)
	}
}

// Runners lists the runners.
func (c *Client) Runners(ctx context.Context) ([]api.Runner, error) {
	var out []api.Runner
	return out, c.call(ctx, http.MethodGet, join("runners"), nil, &out)
}

// AddRunner makes a runner a person's own, and returns its manifest.
func (c *Client) AddRunner(ctx context.Context, r api.AddRunner) (json.RawMessage, error) {
	var v json.RawMessage
	return v, c.call(ctx, http.MethodPost, join("runners"), r, &v)
}

// RemoveRunner removes a person's own runner.
func (c *Client) RemoveRunner(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, join("runners", name), nil, nil)
}

// Tools lists the tools that dispatches can be granted.
func (c *Client) Tools(ctx context.Context) ([]toolv1.Tool, error) {
	var out []toolv1.Tool
	return out, c.call(ctx, http.MethodGet, join("tools"), nil, &out)
}

// Tool returns one tool.
func (c *Client) Tool(ctx context.Context, name string) (toolv1.Tool, error) {
	var t toolv1.Tool
	return t, c.call(ctx, http.MethodGet, join("tools", name), nil, &t)
}

// Runner returns the manifest of a runner, an agent-runner.v2.
func (c *Client) Runner(ctx context.Context, name string) (json.RawMessage, error) {
	var m json.RawMessage
	return m, c.call(ctx, http.MethodGet, join("runners", name), nil, &m)
}
