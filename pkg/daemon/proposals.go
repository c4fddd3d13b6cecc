package daemon

import (
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// caller is the person on whose behalf a request is.
func (s *Server) caller() workspace.Author { return workspace.Author{Subject: s.o.Caller.Subject} }

// listProposals lists the proposals of a workspace.
func (s *Server) listProposals(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	all, err := e.Workspaces.Proposals(r.Context(), r.PathValue("name"), r.URL.Query().Get("all") == "true")
	if err != nil {
		return err
	}
	rows := make([]api.Proposal, 0, len(all))
	for _, p := range all {
		rows = append(rows, proposalRow(p))
	}
	unixhttp.WriteJSON(w, http.StatusOK, rows)
	return nil
}

// createProposal proposes a branch.
func (s *Server) createProposal(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.CreateProposal
	if err := decode(r, &req); err != nil {
		return err
	}
	p, err := e.Workspaces.Propose(r.Context(), workspace.ProposeRequest{
		Workspace: r.PathValue("name"), Branch: req.Branch, Target: req.Target, Title: req.Title, Body: req.Body, Author: s.caller(),
	})
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusCreated, proposalRow(p))
	return nil
}

// onProposal answers with what a request makes of one proposal.
func (s *Server) onProposal(do func(e *Engine, r *http.Request, name, id string) (workspace.Proposal, error)) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		e, err := s.engine()
		if err != nil {
			return err
		}
		p, err := do(e, r, r.PathValue("name"), r.PathValue("id"))
		if err != nil {
			return err
		}
		unixhttp.WriteJSON(w, http.StatusOK, proposalRow(p))
		return nil
	}
}

func (s *Server) showProposal(e *Engine, r *http.Request, name, id string) (workspace.Proposal, error) {
	return e.Workspaces.Proposal(r.Context(), name, id)
}

func (s *Server) commentProposal(e *Engine, r *http.Request, name, id string) (workspace.Proposal, error) {
	var req api.ProposalText
	if err := decode(r, &req); err != nil {
		return workspace.Proposal{}, err
	}
	return e.Workspaces.CommentProposal(r.Context(), name, id, req.Text, s.caller())
}

func (s *Server) rejectProposal(e *Engine, r *http.Request, name, id string) (workspace.Proposal, error) {
	var req api.ProposalText
	if err := decode(r, &req); err != nil {
		return workspace.Proposal{}, err
	}
	return e.Workspaces.RejectProposal(r.Context(), name, id, req.Text, s.caller())
}

func (s *Server) resolveProposal(e *Engine, r *http.Request, name, id string) (workspace.Proposal, error) {
	var req api.ResolveProposal
	if err := decode(r, &req); err != nil {
		return workspace.Proposal{}, err
	}
	return e.Workspaces.ResolveProposal(r.Context(), name, id, workspace.Resolution{Paths: req.Paths, How: req.How, Content: req.Content, From: req.From, Source: req.Source, Author: s.caller()})
}

func (s *Server) approveProposal(e *Engine, r *http.Request, name, id string) (workspace.Proposal, error) {
	var req api.ProposalResult
	if err := decode(r, &req); err != nil {
		return workspace.Proposal{}, err
	}
	return e.Workspaces.ApproveProposal(r.Context(), name, id, req.Result, s.caller())
}

func (s *Server) acceptProposal(e *Engine, r *http.Request, name, id string) (workspace.Proposal, error) {
	var req api.ProposalResult
	if err := decode(r, &req); err != nil {
		return workspace.Proposal{}, err
	}
	return e.Workspaces.AcceptProposal(r.Context(), name, id, req.Result, s.caller())
}

func (s *Server) refreshProposal(e *Engine, r *http.Request, name, id string) (workspace.Proposal, error) {
	return e.Workspaces.RefreshProposal(r.Context(), name, id, s.caller())
}

// proposalDiff says what a proposal changes.
func (s *Server) proposalDiff(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	patch, p, err := e.Workspaces.ProposalDiff(r.Context(), r.PathValue("name"), r.PathValue("id"), r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, api.Diff{From: p.From, To: p.Result, Patch: patch})
	return nil
}

// proposalSides returns the versions of a path.
func (s *Server) proposalSides(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	v, err := e.Workspaces.ProposalSides(r.Context(), r.PathValue("name"), r.PathValue("id"), r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, api.ProposalSides{From: v.From, Source: v.Source, Conflict: conflictRow(v.Conflict), Base: v.Base, Ours: v.Ours, Theirs: v.Theirs, Merged: v.Merged})
	return nil
}

// showPolicy says how many approvals branches need.
func (s *Server) showPolicy(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	p, err := e.Workspaces.Policy(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, policyRow(p))
	return nil
}

// setPolicy changes that.
func (s *Server) setPolicy(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.ApprovalsRule
	if err := decode(r, &req); err != nil {
		return err
	}
	p, err := e.Workspaces.SetApprovals(r.Context(), r.PathValue("name"), req.Refs, req.Threshold)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, policyRow(p))
	return nil
}

func policyRow(p workspace.Policy) api.Policy {
	out := api.Policy{Version: p.Version, Approvals: make([]api.ApprovalsRule, 0, len(p.Approvals))}
	for _, a := range p.Approvals {
		out.Approvals = append(out.Approvals, api.ApprovalsRule(a))
	}
	return out
}

func proposalRow(p workspace.Proposal) api.Proposal {
	out := api.Proposal{
		ID: p.ID, Title: p.Title, Status: p.Status, Target: p.Target, Branch: p.Branch, From: p.From, Source: p.Source, Result: p.Result, Merge: p.Merge,
		Subject: p.Subject, Unit: p.Unit, Undoes: p.Undoes, Body: p.Body, Needed: p.Needed, Approved: p.Approved, Stale: p.Stale, Problem: p.Problem,
		UpdatedAt: p.Updated, By: api.Signer(p.By), OpenedBy: api.Signer(p.Opened), Open: len(proposal.Open(p.Conflicts)),
		Conflicts: make([]api.ProposalConflict, 0, len(p.Conflicts)), Approvals: make([]api.ProposalApproval, 0, len(p.Approvals)), Events: make([]api.ProposalEvent, 0, len(p.Events)),
	}
	if out.Undoes == nil {
		out.Undoes = []string{}
	}
	for _, c := range p.Conflicts {
		out.Conflicts = append(out.Conflicts, conflictRow(c))
	}
	for _, a := range p.Approvals {
		out.Approvals = append(out.Approvals, api.ProposalApproval{By: api.Signer(a.By), Time: a.Time, Counts: a.Counts, Why: a.Why})
	}
	for _, e := range p.Events {
		out.Events = append(out.Events, api.ProposalEvent{Kind: e.Kind, SHA: e.Commit, By: api.Signer(e.By), Time: e.Time, Text: e.Text})
	}
	return out
}

func conflictRow(c proposalv1.Conflict) api.ProposalConflict {
	return api.ProposalConflict{Path: c.Path, Why: c.Why, Base: c.Base != nil, Ours: c.Ours != nil, Theirs: c.Theirs != nil, Resolution: c.Resolution}
}
