package client

import (
	"context"
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
)

// Proposals lists the proposals of a workspace, the newest first; without all those
// alone that are open.
func (c *Client) Proposals(ctx context.Context, name string, all bool) ([]api.Proposal, error) {
	which := ""
	if all {
		which = "true"
	}
	var out []api.Proposal
	return out, c.call(ctx, http.MethodGet, query(join("workspaces", name, "proposals"), "all", which), nil, &out)
}

// Proposal returns one proposal with its history.
func (c *Client) Proposal(ctx context.Context, name, id string) (api.Proposal, error) {
	var out api.Proposal
	return out, c.call(ctx, http.MethodGet, join("workspaces", name, "proposals", id), nil, &out)
}

// CreateProposal proposes to merge a branch.
func (c *Client) CreateProposal(ctx context.Context, name string, r api.CreateProposal) (api.Proposal, error) {
	var out api.Proposal
	return out, c.call(ctx, http.MethodPost, join("workspaces", name, "proposals"), r, &out)
}

// ProposalDiff returns what a proposal changes of its target.
func (c *Client) ProposalDiff(ctx context.Context, name, id, path string) (api.Diff, error) {
	var out api.Diff
	return out, c.call(ctx, http.MethodGet, query(join("workspaces", name, "proposals", id, "diff"), "path", path), nil, &out)
}

// ProposalSides returns the versions of a path that conflicts.
func (c *Client) ProposalSides(ctx context.Context, name, id, path string) (api.ProposalSides, error) {
	var out api.ProposalSides
	return out, c.call(ctx, http.MethodGet, query(join("workspaces", name, "proposals", id, "sides"), "path", path), nil, &out)
}

// CommentProposal says something to a proposal.
func (c *Client) CommentProposal(ctx context.Context, name, id string, r api.ProposalText) (api.Proposal, error) {
	return c.proposal(ctx, name, id, "comment", r)
}

// ResolveProposal resolves paths that conflict.
func (c *Client) ResolveProposal(ctx context.Context, name, id string, r api.ResolveProposal) (api.Proposal, error) {
	return c.proposal(ctx, name, id, "resolve", r)
}

// ApproveProposal signs that a proposal may be merged.
func (c *Client) ApproveProposal(ctx context.Context, name, id string, r api.ProposalResult) (api.Proposal, error) {
	return c.proposal(ctx, name, id, "approve", r)
}

// RejectProposal closes a proposal without merging it.
func (c *Client) RejectProposal(ctx context.Context, name, id string, r api.ProposalText) (api.Proposal, error) {
	return c.proposal(ctx, name, id, "reject", r)
}

// AcceptProposal merges a proposal.
func (c *Client) AcceptProposal(ctx context.Context, name, id string, r api.ProposalResult) (api.Proposal, error) {
	return c.proposal(ctx, name, id, "accept", r)
}

// RefreshProposal merges the sides of a proposal anew.
func (c *Client) RefreshProposal(ctx context.Context, name, id string) (api.Proposal, error) {
	return c.proposal(ctx, name, id, "refresh", struct{}{})
}

func (c *Client) proposal(ctx context.Context, name, id, verb string, body any) (api.Proposal, error) {
	var out api.Proposal
	return out, c.call(ctx, http.MethodPost, join("workspaces", name, "proposals", id, verb), body, &out)
}

// Policy returns how many approvals the branches of a workspace need.
func (c *Client) Policy(ctx context.Context, name string) (api.Policy, error) {
	var out api.Policy
	return out, c.call(ctx, http.MethodGet, join("workspaces", name, "policy"), nil, &out)
}

// SetApprovals changes that.
func (c *Client) SetApprovals(ctx context.Context, name string, r api.ApprovalsRule) (api.Policy, error) {
	var out api.Policy
	return out, c.call(ctx, http.MethodPost, join("workspaces", name, "policy"), r, &out)
}
