package dispatch

import "context"

// behind reports whether a workspace has something by now that the container
// lacks. Where that cannot be found out the container stays: the end of its turn
// says what is wrong.
func (r *run) behind(ctx context.Context) bool {
	for _, c := range r.checkouts {
		behind, err := r.m.workspaces.Behind(ctx, c)
		if err != nil {
			r.m.log.WarnContext(ctx, "compare a checkout with main", "unit", r.id(), "workspace", c.Workspace(), "error", err)
			continue
		}
		if behind {
			return true
		}
	}
	return false
}
