package contract

import (
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Problem is one broken rule.
type Problem struct {
	Pointer string // JSON Pointer (RFC 6901) of the offending value; empty: the whole
	Rule    string // the schema's keyword, for example "enum", or "json" where the text is not I-JSON
	Msg     string // the rule in words, for example `must be one of "ro", "rw"`

	chooses bool // the value says which form its object has
}

// String returns the place and the rule.
func (p Problem) String() string {
	if p.Pointer == "" {
		return p.Msg
	}
	return p.Pointer + ": " + p.Msg
}

// Error says which rule of which contract an input breaks. It never quotes the
// input beyond the names of its members. Pointer, Rule and Msg are those of the
// first problem.
type Error struct {
	Contract string // for example "unit.v1"
	Shape    string // the shape it was read as; empty where no shape came close
	Pointer  string
	Rule     string
	Msg      string
	Problems []Problem // all of them, the most telling one first
}

// Error names the contract, the place and the rule.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Contract)
	b.WriteString(": ")
	b.WriteString(Problem{Pointer: e.Pointer, Rule: e.Rule, Msg: e.Msg}.String())
	if n := len(e.Problems) - 1; n > 0 {
		fmt.Fprintf(&b, " (and %d more)", n)
	}
	return b.String()
}

// newError returns the problems as a fault of kind Invalid.
func newError(name, shape string, problems []Problem) error {
	p := problems[0]
	return &fault.Error{Kind: fault.Invalid, Err: &Error{
		Contract: name, Shape: shape,
		Pointer: p.Pointer, Rule: p.Rule, Msg: p.Msg, Problems: problems,
	}}
}
