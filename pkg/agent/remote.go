package agent

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/vexa-ai/vexa/pkg/agent/tool"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/mcp"
)

// dialPatience is the longest wait between two attempts to reach the tools.
const dialPatience = 3 * time.Second

// Tools are those that the dispatch was granted besides the agent's own.
type Tools struct {
	URL   string // of their MCP server; "": there are none
	Token string
}

// connect offers the tools beside those of the box. An agent that cannot reach
// what it was granted does not begin: it would do without and not say so. The
// caller closes what is returned.
func (t Tools) connect(ctx context.Context, box *tool.Box) (end func() error, err error) {
	if t.URL == "" {
		return func() error { return nil }, nil
	}
	c, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	tools, err := c.Tools(ctx)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	box.Offer(remote{c}, tools)
	return c.Close, nil
}

// dial tries again for as long as a daemon takes to be there again.
func (t Tools) dial(ctx context.Context) (*mcp.Client, error) {
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		c, err := mcp.Dial(ctx, t.URL, t.Token)
		if err == nil || wait > dialPatience {
			return c, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// remote calls the tools.
type remote struct{ client *mcp.Client }

// Call calls one.
func (r remote) Call(ctx context.Context, name string, arguments json.RawMessage) (text string, failed bool, err error) {
	answer, err := r.client.Call(ctx, name, arguments)
	if err != nil && ctx.Err() != nil {
		err = fault.Wrap(fault.Interrupted, "call "+name, ctx.Err())
	}
	return answer.Text, answer.Failed, err
}
