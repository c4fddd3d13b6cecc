package client

import (
	"context"
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
)

// Web says whether the pages of the browser are served.
func (c *Client) Web(ctx context.Context) (api.Web, error) {
	var out api.Web
	return out, c.call(ctx, http.MethodGet, join("web"), nil, &out)
}

// OpenWeb has the daemon serve the pages, and returns a link that signs in once.
func (c *Client) OpenWeb(ctx context.Context) (api.WebLink, error) {
	var out api.WebLink
	return out, c.call(ctx, http.MethodPost, join("web"), nil, &out)
}

// CloseWeb ends that; whoever was signed in is not any more.
func (c *Client) CloseWeb(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, join("web"), nil, nil)
}
