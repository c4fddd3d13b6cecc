// Package mcp speaks the Model Context Protocol over streamable HTTP: a server
// that offers tools to agents, and the built-in agent's client. It is the only
// package that knows the SDK.
//
// The server keeps nothing between two requests. There are no sessions, no
// streams that outlive their request, and nothing that a server asks of a
// client, as in revision 2026-07-28; a client of an earlier one (down to
// 2025-03-26) that says initialize is answered, and then told no session id,
// which that revision allows. What a request may see and call, its Offer says.
package mcp

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
)

// Path is where the server is, on the broker's socket and so on the worker's
// forwarder.
const Path = "/mcp"

// ErrNoTool is returned by Offer.Call where a name is none of the offered tools.
// The answer is the same whether there is such a tool for others or none.
var ErrNoTool = errors.New("there is no such tool")

// Offer is what one request may see and use. It is asked by one goroutine.
type Offer interface {
	// Tools describes the tools, in the order in which the client is told.
	Tools() []toolv1.Tool
	// Call calls one. The error is ErrNoTool, or one that says why the request
	// itself cannot be served; what goes wrong with a tool is in the answer, for
	// the model to read.
	Call(ctx context.Context, tool string, arguments json.RawMessage) (Answer, error)
}

// Answer is what a call of a tool brought: text for the model.
type Answer struct {
	Text   string // UTF-8
	Failed bool   // the text says what went wrong
}
