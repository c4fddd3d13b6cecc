package daemon

import (
	"maps"
	"net/http"
	"slices"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// verifyWorkspace says what is wrong with the bucket of a workspace.
func (s *Server) verifyWorkspace(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.VerifyRequest
	if err := decode(r, &req); err != nil {
		return err
	}
	rep, err := e.Workspaces.Verify(r.Context(), r.PathValue("name"), req.Paranoid)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, api.Verified{
		Healthy: rep.Healthy, Generation: rep.Generation, Newest: rep.Newest, Seen: rep.Seen,
		Manifests: rep.Manifests, Packs: rep.Packs, Refs: rep.Refs, Bytes: rep.Bytes, Findings: findings(rep.Findings),
	})
	return nil
}

// repairWorkspace puts the bucket of a workspace right.
func (s *Server) repairWorkspace(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.RepairRequest
	if err := decode(r, &req); err != nil {
		return err
	}
	out, err := e.Workspaces.Repair(r.Context(), workspace.RepairRequest{Workspace: r.PathValue("name"), From: req.From, DryRun: req.DryRun, PassOver: req.PassOver})
	if err != nil {
		return err
	}
	row := api.Repaired{Actions: []string{}, Moved: []string{}, Broken: list(slices.Sorted(maps.Keys(out.Broken))), Offered: list(out.Offered), Left: findings(out.Left)}
	for _, a := range out.Actions {
		row.Actions = append(row.Actions, a.String())
	}
	for _, m := range out.Moved {
		row.Moved = append(row.Moved, m.Ref+" to "+m.New+" of "+m.From)
	}
	if out.State != nil {
		row.Generation = out.State.Generation
	}
	unixhttp.WriteJSON(w, http.StatusOK, row)
	return nil
}

func findings(all []bucket.Finding) []api.Finding {
	rows := make([]api.Finding, 0, len(all))
	for _, f := range all {
		rows = append(rows, api.Finding{
			Object: f.Object, Generation: f.Generation, Kind: f.Kind, What: f.What, Readable: f.Readable, Repair: f.Repair,
		})
	}
	return rows
}

// backupWorkspace copies the bucket of a workspace.
func (s *Server) backupWorkspace(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.BackupRequest
	if err := decode(r, &req); err != nil {
		return err
	}
	url, out, err := e.Workspaces.Backup(r.Context(), r.PathValue("name"), req.To, req.Check)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, copied(url, out))
	return nil
}

// restoreWorkspace brings the bucket of a workspace back.
func (s *Server) restoreWorkspace(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.RestoreRequest
	if err := decode(r, &req); err != nil {
		return err
	}
	info, out, err := e.Workspaces.Restore(r.Context(), workspace.RestoreRequest{Workspace: r.PathValue("name"), From: req.From, AcceptOlder: req.AcceptOlder})
	if err != nil {
		return err
	}
	out.Generation = info.Generation
	unixhttp.WriteJSON(w, http.StatusOK, copied(info.Bucket, out))
	return nil
}

func copied(url string, out bucket.Copied) api.Copied {
	return api.Copied{
		Bucket: url, Generation: out.Generation, Objects: out.Objects, Bytes: out.Bytes, Present: out.Present,
		Replaced: list(out.Replaced), Damaged: list(out.Damaged),
	}
}
