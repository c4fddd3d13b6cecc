// Package toolv1 holds the Go types of the contract tool.v1: a tool that agents
// may call, and a call of it.
package toolv1

import (
	"encoding/json"
	"time"
)

// Transport says who runs a tool.
type Transport string

// The transports.
const (
	MCP     Transport = "mcp"     // an MCP server behind the gateway
	Builtin Transport = "builtin" // Vexa itself
)

// Effect says what a call does.
type Effect string

// The effects.
const (
	Read  Effect = "read"  // looks, and changes nothing
	Write Effect = "write" // changes something of the subject's
	Send  Effect = "send"  // reaches somebody else
)

// Grant says what happens when an agent calls a tool.
type Grant string

// The grants.
const (
	Auto Grant = "auto" // it runs
	Gate Grant = "gate" // it becomes a card; see cardv1.FromCall
)

// Tool describes one tool.
type Tool struct {
	Name        string          `json:"name"`
	Title       string          `json:"title"`
	Description string          `json:"description"` // for the model
	Transport   Transport       `json:"transport"`
	MCPServer   string          `json:"mcpServer,omitempty"` // for transport mcp alone
	InputSchema json.RawMessage `json:"inputSchema"`         // a JSON Schema of type object
	Effect      Effect          `json:"effect"`
	Grant       Grant           `json:"grant"`
	Scope       string          `json:"scope"`              // of the token exchanged for a call
	CredRef     string          `json:"credRef,omitempty"`  // secret://…; a reference, never a value
	Barriers    []string        `json:"barriers,omitempty"` // information barriers a call must not cross
	Limits      *Limits         `json:"limits,omitempty"`
}

// Limits bound the calls of one dispatch. Zero means the installation's default.
type Limits struct {
	Calls       int `json:"calls,omitempty"`
	TimeoutSec  int `json:"timeoutSec,omitempty"`
	OutputBytes int `json:"outputBytes,omitempty"`
}

// Call is one call of a tool, as it reaches the gateway.
type Call struct {
	CallID    string          `json:"callId"` // the agent's own id of it
	Unit      string          `json:"unit"`
	Turn      string          `json:"turn,omitempty"`
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"` // a JSON object
	TS        time.Time       `json:"ts"`        // UTC
}
