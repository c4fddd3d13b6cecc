// Package fault is the one error vocabulary of Vexa.
//
// A domain package returns an *Error whose Kind says what class of thing went
// wrong; the edges translate the kind once: pkg/cli into an exit code,
// pkg/daemon into an HTTP status. A message names the object and the cause, a
// hint names the next command. Neither ever carries a secret, a prompt or the
// contents of a file.
package fault

import (
	"errors"
	"fmt"
)

// Kind is the class of a failure. It is part of the daemon's HTTP API.
type Kind string

// The kinds. An error without one is Internal.
const (
	Internal    Kind = "internal"            // a defect or an unclassified failure
	Usage       Kind = "usage"               // the command line is wrong
	Failed      Kind = "failed"              // the agent's turn failed
	Invalid     Kind = "invalid"             // an input breaks its contract
	NotFound    Kind = "not_found"           // the named thing does not exist
	Locked      Kind = "locked"              // a key is needed first
	Conflict    Kind = "conflict"            // the state changed, or the name is taken
	Unreachable Kind = "daemon_unreachable"  // the daemon does not answer
	Unavailable Kind = "runtime_unavailable" // the container runtime does not answer
	Timeout     Kind = "timeout"             // it took too long, or is still pending
	Denied      Kind = "denied"              // a boundary refused
	Interrupted Kind = "interrupted"         // the person stopped it
)

// Error is a classified failure. Msg says what happened to which object, in
// lower case and without a final period; Hint says what to do next.
type Error struct {
	Kind Kind
	Msg  string
	Hint string
	Err  error
}

// Error returns the message followed by its cause.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Msg
	case e.Msg == "":
		return e.Err.Error()
	default:
		return e.Msg + ": " + e.Err.Error()
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns an error of the given kind.
func New(kind Kind, msg, hint string) *Error {
	return &Error{Kind: kind, Msg: msg, Hint: hint}
}

// Newf returns an error of the given kind without a hint. It understands %w.
func Newf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// Wrap classifies err and says what was being done. It returns nil for nil.
func Wrap(kind Kind, msg string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Msg: msg, Err: err}
}

// WithHint returns e with the hint set.
func (e *Error) WithHint(hint string) *Error {
	c := *e
	c.Hint = hint
	return &c
}

// KindOf returns the kind of the outermost classified error in err's chain,
// and Internal where there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// HintOf returns the first hint in err's chain.
func HintOf(err error) string {
	var e *Error
	for errors.As(err, &e) {
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
		if err == nil {
			return ""
		}
	}
	return ""
}

// Is reports whether err is of the given kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }
