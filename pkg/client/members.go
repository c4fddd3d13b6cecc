package client

import (
	"context"
	"net/http"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/api"
)

// Members says who the members of a workspace are, and were.
func (c *Client) Members(ctx context.Context, name string) (api.Members, error) {
	var m api.Members
	return m, c.call(ctx, http.MethodGet, join("workspaces", name, "members"), nil, &m)
}

// AddMember lets somebody into a workspace.
func (c *Client) AddMember(ctx context.Context, name string, r api.AddMember) (api.Member, error) {
	var m api.Member
	return m, c.call(ctx, http.MethodPost, join("workspaces", name, "members"), r, &m)
}

// SetRights gives a member other rights.
func (c *Client) SetRights(ctx context.Context, name string, r api.SetRights) (api.Member, error) {
	var m api.Member
	return m, c.call(ctx, http.MethodPost, join("workspaces", name, "members", "rights"), r, &m)
}

// AddKeys lets a member use more keys.
func (c *Client) AddKeys(ctx context.Context, name string, r api.AddKeys) (api.Member, error) {
	var m api.Member
	return m, c.call(ctx, http.MethodPost, join("workspaces", name, "members", "keys"), r, &m)
}

// RemoveMember shuts somebody out of a workspace.
func (c *Client) RemoveMember(ctx context.Context, name string, r api.RemoveMember) (api.RemovedMember, error) {
	var m api.RemovedMember
	return m, c.call(ctx, http.MethodPost, join("workspaces", name, "members", "remove"), r, &m)
}

// Rotate begins a new epoch of a workspace, encrypts it again, or both.
func (c *Client) Rotate(ctx context.Context, name string, r api.Rotate) (api.Rotated, error) {
	var out api.Rotated
	return out, c.call(ctx, http.MethodPost, join("workspaces", name, "rotate"), r, &out)
}

// Invite writes an invitation for a member of a workspace.
func (c *Client) Invite(ctx context.Context, name string, r api.Invite) (api.Invitation, error) {
	var out api.Invitation
	return out, c.call(ctx, http.MethodPost, join("workspaces", name, "invite"), r, &out)
}

// Join registers the workspace of an invitation.
func (c *Client) Join(ctx context.Context, r api.Join) (api.Joined, error) {
	var out api.Joined
	return out, c.call(ctx, http.MethodPost, join("workspaces", "join"), r, &out)
}

// Deliveries says what lies in the inbox of a workspace, and up to limit deliveries that
// were taken up.
func (c *Client) Deliveries(ctx context.Context, name string, limit int) ([]api.Delivery, error) {
	var rows []api.Delivery
	return rows, c.call(ctx, http.MethodGet, join("workspaces", name, "inbox")+"?limit="+strconv.Itoa(limit), nil, &rows)
}

// DropDelivery removes a delivery from the inbox of a workspace.
func (c *Client) DropDelivery(ctx context.Context, name, id string) error {
	return c.call(ctx, http.MethodPost, join("workspaces", name, "inbox", "drop"), api.DropDelivery{ID: id}, nil)
}
