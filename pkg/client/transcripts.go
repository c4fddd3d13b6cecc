package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Exchanges yields what a dispatch sent to models, as far as that was recorded, in
// the order of sending. The last element may be an error.
func (c *Client) Exchanges(ctx context.Context, unit string) iter.Seq2[api.Exchange, error] {
	return func(yield func(api.Exchange, error) bool) {
		resp, err := c.send(ctx, http.MethodGet, join("dispatches", unit, "inference"), nil, nil)
		if err != nil {
			yield(api.Exchange{}, err)
			return
		}
		defer resp.Body.Close()
		for dec := json.NewDecoder(resp.Body); ; {
			var x api.Exchange
			err := dec.Decode(&x)
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil && ctx.Err() != nil:
				err = interrupted(ctx)
			case err != nil:
				err = &fault.Error{
					Kind: fault.Internal, Msg: "the daemon broke off what unit " + unit + " sent", Err: err, Hint: "see why: vexa daemon logs",
				}
			}
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
}

// Recording says what is recorded of the installation.
func (c *Client) Recording(ctx context.Context) (api.Recording, error) {
	var r api.Recording
	return r, c.call(ctx, http.MethodGet, join("recording"), nil, &r)
}

// SetRecording says what is recorded from now on.
func (c *Client) SetRecording(ctx context.Context, r api.Recording) (api.Recording, error) {
	var now api.Recording
	return now, c.call(ctx, http.MethodPut, join("recording"), r, &now)
}
