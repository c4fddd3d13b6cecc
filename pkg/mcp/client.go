package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Client calls the tools of one server. It is safe for concurrent use.
type Client struct{ session *sdk.ClientSession }

// Dial connects to the server at url with a token, by whichever of the current
// revisions both speak. The error is fault.Unavailable.
func Dial(ctx context.Context, url, token string) (*Client, error) {
	client := sdk.NewClient(&sdk.Implementation{Name: "vexa-agent", Version: "1"}, &sdk.ClientOptions{Capabilities: &sdk.ClientCapabilities{}})
	session, err := client.Connect(ctx, &sdk.StreamableClientTransport{
		Endpoint: url, DisableStandaloneSSE: true, MaxRetries: -1,
		HTTPClient: &http.Client{Transport: bearer{token, &http.Transport{}}}, // no proxy of the environment
	}, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "connect to the tools", err)
	}
	return &Client{session}, nil
}

// bearer adds the token to each request.
type bearer struct {
	token string
	next  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// Tools describes the tools that the token grants; of each it fills in what MCP
// says: name, title, description and inputSchema.
func (c *Client) Tools(ctx context.Context) ([]toolv1.Tool, error) {
	var out []toolv1.Tool
	for t, err := range c.session.Tools(ctx, nil) {
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, "list the tools", err)
		}
		schema, err := json.Marshal(t.InputSchema)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "the schema of "+t.Name, err)
		}
		out = append(out, toolv1.Tool{Name: t.Name, Title: t.Title, Description: t.Description, InputSchema: schema})
	}
	return out, nil
}

// Call calls a tool. The error says why there is no answer.
func (c *Client) Call(ctx context.Context, tool string, arguments json.RawMessage) (Answer, error) {
	res, err := c.session.CallTool(ctx, &sdk.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		return Answer{}, fault.Wrap(fault.Unavailable, "call "+tool, err)
	}
	var parts []string
	for _, content := range res.Content {
		switch content := content.(type) {
		case *sdk.TextContent:
			parts = append(parts, content.Text)
		default:
			parts = append(parts, fmt.Sprintf("[%T is not shown]", content))
		}
	}
	return Answer{Text: strings.Join(parts, "\n"), Failed: res.IsError}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.session.Close() }
