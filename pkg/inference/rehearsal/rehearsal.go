// Package rehearsal is an inference provider without a model: it answers from a
// cassette, a YAML file of turns, in the wire protocols that real providers
// speak, so that real agents run against it in tests, demos and evals.
//
// A turn matches on the latest user message or tool result, and replies with
// text, tool calls, a delay or an error. What an answer is made from is the
// request alone: there is no state, so a conversation that is resumed from its
// session file gets the answers that follow from what it holds. Every answer
// says that it is a rehearsal. A request that no turn matches is an error that
// quotes what came and what was expected.
package rehearsal

import (
	"embed"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// Header names the cassette in every answer.
const Header = "Vexa-Rehearsal"

// Model is the default name of the model that a rehearsal serves.
const Model = "rehearsal"

//go:embed cassettes/default.yaml
var shipped embed.FS

// Shipped returns the cassette that ships with Vexa, an ordinary file for a
// person to change.
func Shipped() []byte {
	data, err := shipped.ReadFile("cassettes/default.yaml")
	if err != nil {
		return nil // an embedded file can be read
	}
	return data
}

// Install writes the shipped cassette to path, unless there is a file already:
// it may be one that the person has changed. It reports whether it wrote.
func Install(path string) (bool, error) {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, fault.Wrap(fault.Internal, "look for the cassette", err)
	}
	if err := atomicfile.WriteFile(path, Shipped(), 0o600); err != nil {
		return false, fault.Wrap(fault.Internal, "write the cassette", err)
	}
	return true, nil
}

// Cassette is a parsed cassette. It is immutable.
type Cassette struct {
	Name  string
	Turns []Turn
}

// Turn is one entry: the first whose match fits answers.
type Turn struct {
	Line  int // in the file
	Match Match
	Reply []Step
	Usage *Usage // nil: estimated from the lengths
}

// Step is one piece of a reply; exactly one member is set.
type Step struct {
	Text  string // template
	Tool  *Tool
	Delay time.Duration
	Error *Error
}

// Tool is a call of the first of Names that the request offers. A name that ends
// in * stands for any that begins so.
type Tool struct {
	Names     []string
	Arguments map[string]any // strings in it are templates
}

// Error ends a reply: as the response's status where nothing was sent yet, else
// as an error within the stream.
type Error struct {
	Status  int
	Message string // template
}

// Usage is what the answer claims to have used, in tokens.
type Usage struct {
	Input  int
	Output int
}
