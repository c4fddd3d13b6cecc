// Package client is the Go client of the daemon's HTTP API over its Unix
// socket. It speaks the types of pkg/api and returns classified errors
// (pkg/fault); it knows nothing of terminals.
//
// A Client starts the daemon where none answers, through a hook of its owner
// and under a lock, so that any number of commands started at once end up with
// one daemon. A followed stream survives a restart of the daemon: it takes up
// after the last frame it delivered and repeats none.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
)

// Options configure a Client.
type Options struct {
	Socket  string                                   // the daemon's Unix socket
	Version string                                   // of this program; empty: versions are not compared
	Start   Start                                    // starts a daemon; nil: never
	Lock    string                                   // held while starting; default: Socket with ".start" appended
	OnSkew  func(daemonVersion string, apiLevel int) // called once when the daemon's version differs
}

// Start starts a daemon and returns at once. It sends why that daemon ended,
// where it does, on a channel with room for it; fault.Conflict says that
// another one was there first.
type Start func(context.Context) (ended <-chan error, err error)

// Client talks to one daemon. It is safe for concurrent use.
type Client struct {
	o     Options
	http  *http.Client
	retry retry
	skew  sync.Once
}

// maxAnswer bounds a JSON answer, in bytes.
const maxAnswer = 64 << 20

// New returns a client. It opens no connection; see Connect.
func New(o Options) *Client {
	if o.Lock == "" {
		o.Lock = o.Socket + ".start"
	}
	return &Client{o: o, http: unixhttp.Client(o.Socket), retry: defaultRetry()}
}

// Socket is the path of the daemon's socket.
func (c *Client) Socket() string { return c.o.Socket }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call makes one exchange: in, where it is not nil, is sent as JSON, and out,
// where it is not nil, receives the answer.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fault.Newf(fault.Internal, "encode the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	resp, err := c.send(ctx, method, path, body, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		if ctx.Err() != nil {
			return interrupted(ctx)
		}
		return fault.Newf(fault.Internal, "read the daemon's answer to %s %s: %w", method, path, err)
	}
	return nil
}

// send makes one request and returns the response if it is a success. The
// caller closes its body.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+unixhttp.Host+path, body)
	if err != nil {
		return nil, fault.Newf(fault.Internal, "make a request: %w", err)
	}
	maps.Copy(req.Header, header)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	c.compareVersions(resp.Header)
	if err := unixhttp.ReadError(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

func (c *Client) compareVersions(h http.Header) {
	theirs := h.Get(api.HeaderVersion)
	if c.o.OnSkew == nil || c.o.Version == "" || theirs == "" || theirs == c.o.Version {
		return
	}
	level, err := strconv.Atoi(h.Get(api.HeaderAPI))
	if err != nil {
		level = 0
	}
	c.skew.Do(func() { c.o.OnSkew(theirs, level) })
}

// unreachable classifies a request that got no response.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &fault.Error{
		Kind: fault.Unreachable,
		Msg:  "the daemon does not answer on " + c.o.Socket,
		Hint: "start it with: vexa daemon start (its log: vexa daemon logs)",
		Err:  err,
	}
}

// interrupted says why ctx ended, keeping the class of its cause.
func interrupted(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch {
	case isFault(cause):
		return cause
	case errors.Is(cause, context.DeadlineExceeded):
		return fault.Wrap(fault.Timeout, "waiting for the daemon", cause)
	default:
		return fault.Wrap(fault.Interrupted, "interrupted", cause)
	}
}

// query renders path with the non-empty pairs of kv as its query.
func query(path string, kv ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] != "" {
			q.Set(kv[i], kv[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// join builds a path of escaped segments beneath /v1.
func join(segments ...string) string {
	var path strings.Builder
	path.WriteString("/v1")
	for _, s := range segments {
		path.WriteString("/" + url.PathEscape(s))
	}
	return path.String()
}
