package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/containers/podman/v5/pkg/bindings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// apiVersion is the oldest API that is spoken; every later server serves it.
const apiVersion = "4.0.0"

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// conn is a connection to the API. The bindings pass theirs about inside a
// context, so that a caller's own context has none; it is taken out of there
// once, and every call is then made with the caller's context.
type conn struct {
	*bindings.Connection
}

// dial connects to uri, which must not be empty: the bindings would use
// CONTAINER_HOST instead.
func dial(ctx context.Context, uri string) (*conn, error) {
	type result struct {
		conn *bindings.Connection
		err  error
	}
	done := make(chan result, 1)
	go func() { // the ping retries with sleeps that know no context
		var r result
		inner, err := bindings.NewConnection(ctx, uri)
		if err == nil {
			r.conn, err = bindings.GetClient(inner)
		}
		r.err = err
		done <- r
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, unavailable(r.err)
		}
		return &conn{r.conn}, nil
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

func unavailable(err error) error {
	return &fault.Error{Kind: fault.Unavailable, Msg: "podman does not answer", Err: err, Hint: "run vexa doctor"}
}

// request is one API request. path has a %s for each of args.
type request struct {
	method string
	path   string
	args   []string
	query  url.Values
	body   io.Reader
	media  string                // of the body
	stream func(io.Reader) error // reads the answer of a success as it comes; nil: it is kept
}

// reply is an answer that was read whole.
type reply struct {
	status   int
	body     []byte
	streamed error // what the request's stream returned
}

// send makes a request and reads the answer, whatever its status.
//
// DoRequest tries three times with sleeps that no cancellation ends. So it runs
// beside this function, which returns as soon as ctx ends; and a request may
// have been made twice, which every request here can bear.
func (c *conn) send(ctx context.Context, q request) (reply, error) {
	type result struct {
		reply reply
		err   error
	}
	header := http.Header{"Api-Version": {apiVersion}}
	if q.media != "" {
		header.Set("Content-Type", q.media)
	}
	done := make(chan result, 1)
	go func() {
		res, err := c.DoRequest(ctx, q.body, q.method, q.path, q.query, header, q.args...)
		if err != nil {
			done <- result{err: err}
			return
		}
		defer res.Body.Close()
		if q.stream != nil && res.StatusCode/100 == 2 {
			done <- result{reply: reply{status: res.StatusCode, streamed: q.stream(res.Body)}}
			return
		}
		body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		done <- result{reply{status: res.StatusCode, body: body}, err}
	}()
	select {
	case r := <-done:
		if (r.err != nil || r.reply.streamed != nil) && ctx.Err() != nil {
			return reply{}, ctx.Err()
		}
		if r.err != nil {
			return reply{}, unavailable(transport(r.err))
		}
		return r.reply, nil
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
}

// transport strips the URL, which says nothing, off an error.
func transport(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// call makes a request whose answer must be a success, and reads it into out,
// which may be nil. A refusal is an *apiError.
func (c *conn) call(ctx context.Context, q request, out any) error {
	r, err := c.send(ctx, q)
	if err != nil {
		return err
	}
	if r.status/100 != 2 && r.status != http.StatusNotModified {
		return refusal(r)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(r.body, out); err != nil {
		return fmt.Errorf("podman's answer: %w", err)
	}
	return nil
}

// apiError is what the API says of a request that failed.
type apiError struct {
	Cause   string `json:"cause"`
	Message string `json:"message"`
	Status  int    `json:"-"`
}

func (e *apiError) Error() string {
	return fmt.Sprintf("podman: %s (%d)", strings.TrimSpace(e.Message), e.Status)
}

func refusal(r reply) error {
	e := &apiError{Status: r.status}
	if err := json.Unmarshal(r.body, e); err != nil || e.Message == "" {
		e.Message = string(bytes.TrimSpace(r.body[:min(len(r.body), 512)]))
	}
	switch {
	case r.status == http.StatusNotFound, e.Cause == "no such container": // with 500 where it goes while it is waited for
		return fault.Wrap(fault.NotFound, "", e)
	case r.status == http.StatusConflict:
		return fault.Wrap(fault.Conflict, "", e)
	default:
		return fault.Wrap(fault.Internal, "", e)
	}
}

// jsonBody makes the body of a request of v.
func jsonBody(v any) (io.Reader, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(data), nil
}
