package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
)

// Back-off between attempts to reach the kernel's events again.
const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// maxLine bounds one line of the event stream.
const maxLine = 1 << 20

// Events yields what happens to workloads until ctx ends or the caller breaks.
// It begins with the current state of every workload, so nothing has to be
// asked for separately. A lost connection is yielded as an error; a caller that
// goes on is connected again, after a while, at the place where it was, with no
// event missing or repeated, or with the current states where that place is
// gone.
func (c *Client) Events(ctx context.Context) iter.Seq2[runtimev1.Event, error] {
	return func(yield func(runtimev1.Event, error) bool) {
		last, backoff := "", minBackoff
		for ctx.Err() == nil {
			seen, err := c.follow(ctx, last, yield)
			if errors.Is(err, errBreak) || ctx.Err() != nil {
				return
			}
			if seen != last {
				last, backoff = seen, minBackoff
			}
			if !yield(runtimev1.Event{}, err) {
				return
			}
			select {
			case <-time.After(backoff):
			case <-ctx.Done():
				return
			}
			backoff = min(2*backoff, maxBackoff)
		}
	}
}

// errBreak says that the caller wants no more.
var errBreak = errors.New("the reader broke off")

// follow reads one connection. It returns the id of the last event and why it
// ended.
func (c *Client) follow(ctx context.Context, last string, yield func(runtimev1.Event, error) bool) (string, error) {
	q := call{method: http.MethodGet, path: "/events"}
	if last != "" {
		q.header = http.Header{"Last-Event-Id": {last}}
	}
	res, err := c.send(ctx, q)
	if err != nil {
		return last, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxLine)
	id := last
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			e, err := contract.Decode[runtimev1.Event]("runtime.v1#RuntimeEvent", []byte(value))
			if err != nil {
				return last, err
			}
			last = id
			if !yield(e, nil) {
				return last, errBreak
			}
		}
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return last, unavailable(ctx, err)
}
