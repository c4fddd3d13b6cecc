// Package wsv2 holds the Go types of the contract ws.v2: the frames on a
// dispatch's topics, what the worker reports and the subscription messages of
// pages.
//
// A frame is flat: the common members and the members of its type stand side
// by side in one JSON object.
package wsv2

import (
	"encoding/json"
	"fmt"
	"time"
)

// Source says who vouches for a frame. What came through a container's socket
// is always Agent, whatever it claims.
type Source string

// The sources.
const (
	Host  Source = "host"
	Agent Source = "agent"
)

// Type names a frame's body.
type Type string

// The frame types. The ones marked host are refused from a container.
const (
	TypeTurnAccepted Type = "turn-accepted" // host
	TypeMessageDelta Type = "message-delta"
	TypeMessage      Type = "message"
	TypeReasoning    Type = "reasoning"
	TypeToolCall     Type = "tool-call"
	TypeToolResult   Type = "tool-result"
	TypePlan         Type = "plan"
	TypeOpaque       Type = "opaque"
	TypeUsage        Type = "usage"    // host: metered at the broker
	TypeCommit       Type = "commit"   // host
	TypeCard         Type = "card"     // host
	TypeRejected     Type = "rejected" // host
	TypeError        Type = "error"
	TypeTurnDone     Type = "turn-done" // host
	TypeState        Type = "state"     // host
)

// HostOnly reports whether only the host may publish frames of type t.
func (t Type) HostOnly() bool {
	switch t {
	case TypeTurnAccepted, TypeUsage, TypeCommit, TypeCard, TypeRejected, TypeTurnDone, TypeState:
		return true
	default:
		return false
	}
}

// Frame is one entry of unit:<id>:out.
type Frame struct {
	Seq      uint64    // position on the topic, from 1, without gap
	TS       time.Time // UTC
	Unit     string
	Source   Source
	Turn     string // the turn it belongs to; empty between turns
	AgentSeq uint64 // the worker's own count, from 1; 0 for host frames
	Body     Body
}

// Body is the typed part of a frame. The frame's type is the body's.
type Body interface{ FrameType() Type }

// TurnAccepted says that a turn was taken and where it runs.
type TurnAccepted struct {
	Session   string `json:"session"`
	Runner    string `json:"runner"`
	Model     string `json:"model,omitempty"`
	Container string `json:"container,omitempty"` // container id
	Resumed   bool   `json:"resumed"`             // the conversation came from a session capsule or a live container
	Text      string `json:"text"`                // what the person or plan said
}

// MessageDelta is a piece of the answer.
type MessageDelta struct {
	Text string `json:"text"`
}

// Message is a whole answer; it repeats the deltas before it.
type Message struct {
	Text string `json:"text"`
}

// Reasoning is a piece of the model's reasoning, where the runner shows it.
type Reasoning struct {
	Text string `json:"text"`
}

// ToolCall is one call of a tool inside the container.
type ToolCall struct {
	CallID    string          `json:"callId"`
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments,omitempty"` // a JSON object
}

// ToolResult is the outcome of the call with the same CallID.
type ToolResult struct {
	CallID    string `json:"callId"`
	OK        bool   `json:"ok"`
	Output    string `json:"output"`
	Truncated bool   `json:"truncated,omitempty"`
}

// Plan is what the agent means to do, whole: it replaces the plan before it.
type Plan struct {
	Steps []Step `json:"steps"` // at most 256
}

// Step is one thing of a plan.
type Step struct {
	Text  string    `json:"text"`
	State StepState `json:"state"`
}

// StepState is how far a step is.
type StepState string

// The states of a step.
const (
	StepPending StepState = "pending"
	StepActive  StepState = "active"
	StepDone    StepState = "done"
)

// Opaque is an event of the runner's that its dialect could not use.
type Opaque struct {
	Event string          `json:"event"`           // its type, as the runner calls it
	Known bool            `json:"known,omitempty"` // the dialect knows the type: what the event holds is of another shape
	Bytes int             `json:"bytes"`           // how long the event is
	JSON  json.RawMessage `json:"json,omitempty"`  // the event, an object; absent where it is too large for a frame
}

// Usage is what the broker metered for the turn so far.
type Usage struct {
	Model            string   `json:"model"`
	Requests         int      `json:"requests"`
	InputTokens      int64    `json:"inputTokens"`
	OutputTokens     int64    `json:"outputTokens"`
	CacheReadTokens  int64    `json:"cacheReadTokens,omitempty"`
	CacheWriteTokens int64    `json:"cacheWriteTokens,omitempty"`
	CostUSD          *float64 `json:"costUsd,omitempty"`
}

// Commit says that the turn's changes to one workspace are a commit.
type Commit struct {
	Workspace string   `json:"workspace"` // id
	Name      string   `json:"name,omitempty"`
	SHA       string   `json:"sha"` // the commit that holds the change
	Branch    string   `json:"branch"`
	Merged    bool     `json:"merged"`              // main holds it
	Conflicts []string `json:"conflicts,omitempty"` // paths, when it could not be merged
	Files     int      `json:"files"`               // paths added, changed or removed
}

// Card carries a proposed action.
type Card struct {
	Card json.RawMessage `json:"card"` // a proactive-card.v1
}

// Rejected names one path that was not committed.
type Rejected struct {
	Workspace string `json:"workspace"`
	Path      string `json:"path"` // escaped
	Reason    string `json:"reason"`
}

// Error is a failure that the reader should see; it does not end the turn.
type Error struct {
	Code    string `json:"code"` // a fault.Kind
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Outcome is how a turn ended.
type Outcome string

// The outcomes.
const (
	OutcomeCompleted   Outcome = "completed"
	OutcomeFailed      Outcome = "failed"    // the agent exited with an error or said so
	OutcomeTruncated   Outcome = "truncated" // its stream ended without a terminal event
	OutcomeInterrupted Outcome = "interrupted"
	OutcomeLimit       Outcome = "limit" // tokens, cost, disk or time of the unit are used up
	OutcomeLost        Outcome = "lost"  // the container ended under it
)

// TurnDone ends a turn; it comes after its commit frames.
type TurnDone struct {
	OK       bool    `json:"ok"`
	Session  string  `json:"session"`
	Reply    string  `json:"reply"`
	Outcome  Outcome `json:"outcome"`
	ExitCode *int    `json:"exitCode,omitempty"` // of the agent
	Error    string  `json:"error,omitempty"`
	Unknown  int     `json:"unknown,omitempty"` // events and lines of the runner's that its dialect could not use
}

// State reports a change of the unit's workload.
type State struct {
	State      string `json:"state"` // runtime.v1 state
	Container  string `json:"container,omitempty"`
	StopReason string `json:"stopReason,omitempty"`
	Detail     string `json:"detail,omitempty"`
}

// FrameType returns the type.
func (TurnAccepted) FrameType() Type { return TypeTurnAccepted }

// FrameType returns the type.
func (MessageDelta) FrameType() Type { return TypeMessageDelta }

// FrameType returns the type.
func (Message) FrameType() Type { return TypeMessage }

// FrameType returns the type.
func (Reasoning) FrameType() Type { return TypeReasoning }

// FrameType returns the type.
func (ToolCall) FrameType() Type { return TypeToolCall }

// FrameType returns the type.
func (ToolResult) FrameType() Type { return TypeToolResult }

// FrameType returns the type.
func (Plan) FrameType() Type { return TypePlan }

// FrameType returns the type.
func (Opaque) FrameType() Type { return TypeOpaque }

// FrameType returns the type.
func (Usage) FrameType() Type { return TypeUsage }

// FrameType returns the type.
func (Commit) FrameType() Type { return TypeCommit }

// FrameType returns the type.
func (Card) FrameType() Type { return TypeCard }

// FrameType returns the type.
func (Rejected) FrameType() Type { return TypeRejected }

// FrameType returns the type.
func (Error) FrameType() Type { return TypeError }

// FrameType returns the type.
func (TurnDone) FrameType() Type { return TypeTurnDone }

// FrameType returns the type.
func (State) FrameType() Type { return TypeState }

// head holds the common members of a frame on the wire.
type head struct {
	Seq      uint64    `json:"seq"`
	TS       time.Time `json:"ts"`
	Unit     string    `json:"unit"`
	Source   Source    `json:"source"`
	Type     Type      `json:"type"`
	Turn     string    `json:"turn,omitempty"`
	AgentSeq uint64    `json:"agentSeq,omitempty"`
}

// MarshalJSON writes the flat form, common members first.
func (f Frame) MarshalJSON() ([]byte, error) {
	if f.Body == nil {
		return nil, fmt.Errorf("ws.v2 frame %d of unit %s has no body", f.Seq, f.Unit)
	}
	h, err := json.Marshal(head{f.Seq, f.TS, f.Unit, f.Source, f.Body.FrameType(), f.Turn, f.AgentSeq})
	if err != nil {
		return nil, err
	}
	return join(h, f.Body)
}

// UnmarshalJSON reads the flat form. A type it does not know is an error: what
// enters is validated against the schema first.
func (f *Frame) UnmarshalJSON(data []byte) error {
	var h head
	if err := json.Unmarshal(data, &h); err != nil {
		return err
	}
	body, err := unmarshalBody(h.Type, data)
	if err != nil {
		return err
	}
	*f = Frame{h.Seq, h.TS, h.Unit, h.Source, h.Turn, h.AgentSeq, body}
	return nil
}

// Knows reports whether frames have such a type.
func Knows(t Type) bool {
	_, err := unmarshalBody(t, []byte("{}"))
	return err == nil
}

func unmarshalBody(t Type, data []byte) (Body, error) {
	switch t {
	case TypeTurnAccepted:
		return decode[TurnAccepted](data)
	case TypeMessageDelta:
		return decode[MessageDelta](data)
	case TypeMessage:
		return decode[Message](data)
	case TypeReasoning:
		return decode[Reasoning](data)
	case TypeToolCall:
		return decode[ToolCall](data)
	case TypeToolResult:
		return decode[ToolResult](data)
	case TypePlan:
		return decode[Plan](data)
	case TypeOpaque:
		return decode[Opaque](data)
	case TypeUsage:
		return decode[Usage](data)
	case TypeCommit:
		return decode[Commit](data)
	case TypeCard:
		return decode[Card](data)
	case TypeRejected:
		return decode[Rejected](data)
	case TypeError:
		return decode[Error](data)
	case TypeTurnDone:
		return decode[TurnDone](data)
	case TypeState:
		return decode[State](data)
	default:
		return nil, fmt.Errorf("ws.v2 has no frame type %q", t)
	}
}

func decode[B Body](data []byte) (Body, error) {
	var b B
	err := json.Unmarshal(data, &b)
	return b, err
}
