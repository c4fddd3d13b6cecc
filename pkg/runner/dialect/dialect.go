// Package dialect reads what runners print and turns it into ws.v2 bodies.
//
// A dialect is a pure parser: bytes in, bodies out, no clock, no I/O. Whatever
// a runner prints, a parser neither panics nor fails nor holds more than a
// bounded amount of it: what it cannot read it counts and says. The bodies it
// returns are small enough for one line of the link and are valid UTF-8, so
// that they survive JSON unchanged; control characters stay in, since only a
// frontend knows which of them harm its screen.
package dialect

import (
	"maps"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// DefaultMaxLine is the longest line of a dialect of lines, in bytes, where a
// manifest says nothing.
const DefaultMaxLine = 32 << 20

// Parser reads the standard output of one turn. It is used by one goroutine.
type Parser interface {
	// Feed takes the next bytes, cut anywhere, and returns the bodies they
	// complete. It does not keep chunk.
	Feed(chunk []byte) []wsv2.Body
	// End says that the output is over and returns the bodies that remain and
	// what the turn came to. The parser is of no use afterwards.
	End() ([]wsv2.Body, Result)
}

// LineParser is a dialect of lines; NewLines makes a Parser of it.
type LineParser interface {
	// Line takes one line without its newline and returns its bodies. It does
	// not keep line.
	Line(line []byte) []wsv2.Body
	// End returns what the turn came to.
	End() Result
}

// Result is what a whole output says about its turn.
type Result struct {
	Reply      string // the answer; the last one where there were several
	Terminal   bool   // the event that ends a turn was seen
	Failed     bool   // that event, or another, says that the turn failed
	Error      string // why, in the runner's words
	SessionRef string // the runner's own session id
	Unknown    int    // events of a type the dialect does not know, and lines it could not use
	Noise      string // the last line that is no event of the dialect: often the only word on a crash

	strange strange
}

// Info says what a dialect is able to express.
type Info struct {
	Terminal string // the type of the event that ends a turn; empty where the exit code alone does
	Deltas   bool   // pieces of the answer arrive before the whole
}

// The names of the dialects.
const (
	VexaNDJSON     = "vexa-ndjson"     // the built-in agent's
	Text           = "text"            // any program that prints text
	ClaudeNDJSON   = "claude-ndjson"   // Claude Code's stream-json, and what others print in its form
	CodexJSONL     = "codex-jsonl"     // codex exec --json
	OpencodeNDJSON = "opencode-ndjson" // opencode run --format json
	GeminiNDJSON   = "gemini-ndjson"   // Gemini CLI's stream-json
	PiJSONL        = "pi-jsonl"        // pi --mode json
	ACP            = "acp"             // vexa acp: agents of the Agent Client Protocol
)

func infos() map[string]Info {
	return map[string]Info{
		VexaNDJSON:     {Terminal: "result", Deltas: true},
		Text:           {Deltas: true},
		ClaudeNDJSON:   {Terminal: "result", Deltas: true},
		CodexJSONL:     {Terminal: "turn.completed"},
		OpencodeNDJSON: {},
		GeminiNDJSON:   {Terminal: "result", Deltas: true},
		PiJSONL:        {Terminal: "agent_settled", Deltas: true},
		ACP:            {Terminal: ACPResult, Deltas: true},
	}
}

// Names returns the names of the dialects, sorted.
func Names() []string { return slices.Sorted(maps.Keys(infos())) }

// Lookup returns what the named dialect is able to express.
func Lookup(name string) (Info, bool) {
	info, ok := infos()[name]
	return info, ok
}

// New returns a parser for one turn of a runner whose manifest says s. An
// unknown dialect is fault.Invalid.
func New(s runnerv2.Stream) (Parser, error) {
	limit := s.MaxLine
	if limit <= 0 {
		limit = DefaultMaxLine
	}
	switch s.Dialect {
	case VexaNDJSON:
		return NewLines(limit, &vexaParser{}), nil
	case ClaudeNDJSON:
		return NewLines(limit, &claudeParser{}), nil
	case CodexJSONL:
		return NewLines(limit, &codexParser{}), nil
	case OpencodeNDJSON:
		return NewLines(limit, &opencodeParser{}), nil
	case GeminiNDJSON:
		return NewLines(limit, &geminiParser{}), nil
	case PiJSONL:
		return NewLines(limit, &piParser{}), nil
	case ACP:
		return NewLines(limit, &acpParser{}), nil
	case Text:
		return &textParser{}, nil
	default:
		return nil, fault.Newf(fault.Invalid, "no stream dialect is called %q", s.Dialect)
	}
}
