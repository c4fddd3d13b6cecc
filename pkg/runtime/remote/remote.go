// Package remote speaks to the runtime kernel over its Unix socket. It is all
// that the daemon knows of containers.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

// Client is a connection to one kernel. It is safe for concurrent use. A kernel
// that does not answer is fault.Unavailable; what the kernel refuses comes back
// as the fault that it was.
type Client struct {
	http *http.Client
}

// New returns a client of the kernel whose socket is at path. Nothing is dialed.
func New(path string) *Client { return &Client{http: unixhttp.Client(path)} }

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Create runs a workload with its dispatch token. See runtime.Kernel.Create.
func (c *Client) Create(ctx context.Context, spec runtimev1.Spec, token string) (runtimev1.Status, error) {
	if spec.Env == nil {
		spec.Env = map[string]string{}
	}
	body, err := json.Marshal(spec)
	if err != nil {
		return runtimev1.Status{}, err
	}
	header := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
	return c.status(ctx, call{method: http.MethodPost, path: "/workloads", body: body, header: header})
}

// Get returns the status of a workload.
func (c *Client) Get(ctx context.Context, id string) (runtimev1.Status, error) {
	return c.status(ctx, call{method: http.MethodGet, path: workload(id)})
}

// List returns the status of every workload that the kernel knows.
func (c *Client) List(ctx context.Context) ([]runtimev1.Status, error) {
	data, err := c.do(ctx, call{method: http.MethodGet, path: "/workloads"})
	if err != nil {
		return nil, err
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("list workloads: %w", err)
	}
	list := make([]runtimev1.Status, 0, len(raw))
	for _, item := range raw {
		st, err := contract.Decode[runtimev1.Status]("runtime.v1#WorkloadStatus", item)
		if err != nil {
			return nil, err
		}
		list = append(list, st)
	}
	return list, nil
}

// Stop ends a workload, reason "" being stopped, and returns once it has ended.
func (c *Client) Stop(ctx context.Context, id string, reason runtimev1.StopReason) (runtimev1.Status, error) {
	body, err := json.Marshal(map[string]runtimev1.StopReason{"reason": reason})
	if err != nil {
		return runtimev1.Status{}, err
	}
	return c.status(ctx, call{method: http.MethodPost, path: workload(id) + "/stop", body: body})
}

// Delete ends a workload if it has not ended, and forgets it.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: workload(id)})
	return err
}

// Pause freezes a running workload; errors.ErrUnsupported where the kernel's
// machine cannot.
func (c *Client) Pause(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: workload(id) + "/pause"})
	return err
}

// Resume ends a pause.
func (c *Client) Resume(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: workload(id) + "/resume"})
	return err
}

// Refusals tells the kernel which refusal is the last that is recorded, "" for
// none, and returns what it refused since. It waits a while until there is
// something, and returns nothing where there is not.
func (c *Client) Refusals(ctx context.Context, recorded string) ([]api.Refusal, error) {
	body, err := json.Marshal(map[string]string{"recorded": recorded})
	if err != nil {
		return nil, err
	}
	data, err := c.do(ctx, call{method: http.MethodPost, path: "/refusals", body: body})
	if err != nil {
		return nil, err
	}
	var list []api.Refusal
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("refusals of the runtime: %w", err)
	}
	return list, nil
}

// Health says what the kernel is.
func (c *Client) Health(ctx context.Context) (runtime.Health, error) {
	data, err := c.do(ctx, call{method: http.MethodGet, path: "/healthz"})
	if err != nil {
		return runtime.Health{}, err
	}
	var h runtime.Health
	if err := json.Unmarshal(data, &h); err != nil {
		return runtime.Health{}, fmt.Errorf("health of the runtime: %w", err)
	}
	return h, nil
}

func workload(id string) string { return "/workloads/" + url.PathEscape(id) }

type call struct {
	method, path string
	body         []byte
	header       http.Header
}

func (c *Client) status(ctx context.Context, q call) (runtimev1.Status, error) {
	data, err := c.do(ctx, q)
	if err != nil {
		return runtimev1.Status{}, err
	}
	return contract.Decode[runtimev1.Status]("runtime.v1#WorkloadStatus", data)
}

func (c *Client) do(ctx context.Context, q call) ([]byte, error) {
	res, err := c.send(ctx, q)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	return data, nil
}

// send makes one request. The caller closes the body of a success.
func (c *Client) send(ctx context.Context, q call) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, "http://"+unixhttp.Host+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, q.header)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	if err := unixhttp.ReadError(res); err != nil {
		res.Body.Close()
		return nil, err
	}
	return res, nil
}

// unavailable classifies an error of the transport.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &fault.Error{
		Kind: fault.Unavailable, Msg: "the runtime does not answer", Err: err,
		Hint: "run vexa daemon start, or vexa doctor",
	}
}
