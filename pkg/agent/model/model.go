// Package model is the port through which the built-in agent speaks to a
// language model, and the conversation both sides share.
//
// An adapter translates one wire protocol; it holds no conversation and no
// credential beyond the one it was made with. Its conformance suite is package
// modeltest.
package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Role says who speaks.
type Role string

// The roles. Tool results are a message of their own: RoleTool.
const (
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool"
)

// Message is one entry of a conversation, as it is kept in the session file.
type Message struct {
	Role    Role     `json:"role"`
	Text    string   `json:"text,omitempty"`    // user and assistant
	Calls   []Call   `json:"calls,omitempty"`   // assistant
	Results []Result `json:"results,omitempty"` // tool; one for each call before it
}

// Call is a tool call that the model asks for.
type Call struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`           // a JSON object, always
	Malformed string          `json:"malformed,omitempty"` // what the model wrote, where that is none
}

// NewCall returns a call with the arguments as the model wrote them. Models
// write broken JSON, and answers are cut: then the arguments are empty and
// Malformed is set.
func NewCall(id, name, arguments string) Call {
	arguments = strings.TrimSpace(strings.ToValidUTF8(arguments, "\uFFFD"))
	c := Call{ID: id, Name: name, Arguments: json.RawMessage("{}")}
	switch {
	case arguments == "":
	case strings.HasPrefix(arguments, "{") && json.Valid([]byte(arguments)):
		c.Arguments = json.RawMessage(arguments)
	default:
		c.Malformed = arguments
	}
	return c
}

// Result answers the call with the same id.
type Result struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Output string `json:"output"`
}

// Tool describes a tool to the model.
type Tool struct {
	Name        string
	Description string
	Schema      json.RawMessage // JSON Schema of the arguments, an object
}

// Request asks for the next assistant message.
type Request struct {
	System    string
	Messages  []Message
	Tools     []Tool
	MaxTokens int // of the answer
}

// DeltaKind says what a Delta is a piece of.
type DeltaKind string

// The kinds of delta.
const (
	DeltaText      DeltaKind = "text"
	DeltaReasoning DeltaKind = "reasoning"
)

// Delta is a piece of the answer as it arrives.
type Delta struct {
	Kind DeltaKind
	Text string
}

// Voice passes on what a model says, and collects its text. The zero value
// with Yield is ready.
type Voice struct {
	Yield func(Delta)

	text strings.Builder
}

// Say passes on a piece; an empty one is none.
func (v *Voice) Say(kind DeltaKind, text string) {
	if text == "" {
		return
	}
	if kind == DeltaText {
		v.text.WriteString(text)
	}
	v.Yield(Delta{Kind: kind, Text: text})
}

// Text is all text so far, without the reasoning.
func (v *Voice) Text() string { return v.text.String() }

// Stop is why the model stopped.
type Stop string

// The reasons.
const (
	StopEnd    Stop = "end"    // it is done
	StopTools  Stop = "tools"  // it waits for tool results
	StopLength Stop = "length" // MaxTokens were used up
	StopOther  Stop = "other"  // it refused, or the provider says something else
)

// Response is a whole assistant message.
type Response struct {
	Message Message
	Stop    Stop
	Usage   Usage
}

// Usage is what the provider counted; the broker meters for itself.
type Usage struct {
	InputTokens  int64
	OutputTokens int64
}

// Model is a language model behind some wire protocol. Stream sends the
// request, calls yield for each piece in order from the calling goroutine, and
// returns the whole message. On an error it returns what was received before,
// whose calls must not be run. It stops soon after the context ends, with an
// error that matches the context's. Other errors are *Error.
type Model interface {
	Stream(ctx context.Context, r Request, yield func(Delta)) (Response, error)
}

// Error is what a provider, or the way to it, answered.
type Error struct {
	Status     int           // HTTP status; 0 where there was none
	Code       string        // the provider's own word for it
	Msg        string        // the provider's sentence
	RetryAfter time.Duration // how long it asks to wait; 0: it does not say
	TooLong    bool          // the conversation does not fit the model
	Transient  bool          // the same request may well succeed later
	Lost       bool          // the connection was refused or broke: nobody answered
	Err        error
}

// Error returns the provider's sentence with its status.
func (e *Error) Error() string {
	s := e.Msg
	if s == "" && e.Err != nil {
		s = e.Err.Error()
	}
	if s == "" {
		s = "no further word"
	}
	switch {
	case e.Status != 0 && e.Code != "":
		return fmt.Sprintf("the model's provider answered %d (%s): %s", e.Status, e.Code, s)
	case e.Status != 0:
		return fmt.Sprintf("the model's provider answered %d: %s", e.Status, s)
	default:
		return "the model's provider: " + s
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// TooLong reports whether err says that the conversation does not fit.
func TooLong(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.TooLong
}
