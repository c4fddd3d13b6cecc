package dialect

import (
	"encoding/json"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// codexEvent is what is used of a line of codex exec --json.
type codexEvent struct {
	Type    string    `json:"type"`
	Thread  string    `json:"thread_id"`
	Item    codexItem `json:"item"`
	Message string    `json:"message"` // of error
	Error   struct {
		Message string `json:"message"`
	} `json:"error"` // of turn.failed
}

// codexItem is a thing that the agent does or says.
type codexItem struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Status string `json:"status"`
	Text   string `json:"text"` // of agent_message and reasoning

	Command  string          `json:"command"` // of command_execution
	Output   string          `json:"aggregated_output"`
	ExitCode *int            `json:"exit_code"`
	Changes  json.RawMessage `json:"changes"` // of file_change
	Query    string          `json:"query"`   // of web_search
	Items    json.RawMessage `json:"items"`   // of todo_list

	Server    string          `json:"server"` // of mcp_tool_call
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
	Result    struct {
		Content json.RawMessage `json:"content"`
	} `json:"result"`
	Error   json.RawMessage `json:"error"`
	Message string          `json:"message"` // of error
}

// ownModel begins what Codex says in each turn of a model that its vendor does not sell,
// about which nobody can do anything.
const ownModel = "Model metadata for `"

// maxOpen bounds the calls whose end is awaited.
const maxOpen = 1024

// codexParser reads codex-jsonl. It has no pieces: a message is printed whole.
type codexParser struct {
	result Result
	open   map[string]bool // calls that were shown
}

func (p *codexParser) Line(line []byte) []wsv2.Body {
	var e codexEvent
	if strange, ok := p.result.event(line, &e); !ok {
		return strange
	}
	switch e.Type {
	case "thread.started":
		p.result.SessionRef, _ = cut(e.Thread, maxName)
	case "turn.started":
	case "item.updated":
		return p.other(e.Item, line)
	case "item.started":
		if tool, _ := e.Item.call(); tool == "" {
			return p.other(e.Item, line)
		}
		return p.begin(e.Item)
	case "item.completed":
		return p.done(e.Item, line)
	case "turn.completed":
		p.result.Terminal = true
	case "turn.failed":
		p.result.Terminal, p.result.Failed = true, true
		p.result.Error, _ = cut(firstOf(e.Error.Message, "the turn failed"), maxError)
	case "error":
		return seen(e.Message)
	default:
		return p.result.unknown(e.Type, line)
	}
	return nil
}

func (p *codexParser) End() Result { return p.result }

// begin shows a call as it begins.
func (p *codexParser) begin(i codexItem) []wsv2.Body {
	tool, arguments := i.call()
	if tool == "" || len(p.open) >= maxOpen {
		return nil
	}
	if p.open == nil {
		p.open = map[string]bool{}
	}
	p.open[callID(i.ID)] = true
	return []wsv2.Body{toolCall(i.ID, tool, arguments)}
}

// other is an item that is no call and that has not ended: of a plan it is known what it
// is, of what is being said not yet.
func (p *codexParser) other(i codexItem, line []byte) []wsv2.Body {
	switch tool, _ := i.call(); {
	case i.Type == "todo_list":
		return p.plan(i, line)
	case tool != "", i.Type == "agent_message", i.Type == "reasoning", i.Type == "error":
		return nil
	default:
		return p.result.unknown("item/"+i.Type, line)
	}
}

// done shows what was said, or the outcome of a call, and the call itself where
// its beginning was not printed.
func (p *codexParser) done(i codexItem, line []byte) []wsv2.Body {
	switch i.Type {
	case "agent_message":
		if i.Text == "" {
			return nil
		}
		p.result.Reply = message(i.Text)
		return []wsv2.Body{wsv2.Message{Text: p.result.Reply}}
	case "reasoning":
		return pieces(i.Text, reasoning)
	case "error":
		if strings.HasPrefix(i.Message, ownModel) {
			return nil
		}
		return seen(i.Message)
	case "todo_list":
		return p.plan(i, line)
	}
	tool, arguments := i.call()
	if tool == "" {
		return p.result.unknown("item/"+i.Type, line)
	}
	var out []wsv2.Body
	id := callID(i.ID)
	if !p.open[id] {
		out = append(out, toolCall(i.ID, tool, arguments))
	}
	delete(p.open, id)
	ok := i.Status != "failed" && i.Status != "declined" && (i.ExitCode == nil || *i.ExitCode == 0)
	return append(out, toolResult(i.ID, ok, i.output()))
}

// call is the tool that an item is a call of, "" for one that is none.
func (i codexItem) call() (tool string, arguments json.RawMessage) {
	switch i.Type {
	case "command_execution":
		return "shell", members("command", i.Command)
	case "file_change":
		return "file_change", members("changes", i.Changes)
	case "web_search":
		return "web_search", members("query", i.Query)
	case "mcp_tool_call", "collab_tool_call":
		return strings.Trim(i.Server+"."+i.Tool, "."), i.Arguments
	default:
		return "", nil
	}
}

// output is what a call came to.
func (i codexItem) output() string {
	var problem struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(i.Error, &problem) == nil && problem.Message != "" {
		return problem.Message
	}
	return i.Output + blockText(i.Result.Content)
}

// members is an object of one member.
func members(name string, value any) json.RawMessage {
	data, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		return nil
	}
	return data
}

// seen is something to be seen that does not end the turn.
func seen(text string) []wsv2.Body {
	text, _ = cut(valid(named(text)), maxError)
	return []wsv2.Body{wsv2.Error{Code: string(fault.Internal), Message: text}}
}
