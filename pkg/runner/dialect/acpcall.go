package dialect

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// maxHeld bounds the outputs of calls that have not ended, together, and
// maxLocations the locations of one, in bytes.
const (
	maxHeld      = 4 << 20
	maxLocations = 4 << 10
)

// acpCall is a tool call of which the agent has told so far.
type acpCall struct {
	title     string
	locations json.RawMessage
	output    string // the newest, at most a little over MaxOutput
	shown     bool
	ended     bool
}

// acpCalls are those of a turn. The protocol tells of a call bit by bit: it is shown
// when its arguments are known, or when it runs without any, and its result when it
// has ended.
type acpCalls struct {
	byID map[string]*acpCall
	held int // bytes of the outputs
}

// update takes what an agent tells of a call and returns the frames of its beginning
// and of its end, nil where it is not that far.
func (c *acpCalls) update(u acpUpdate, allowed bool) (begin, end wsv2.Body) {
	id := callID(u.ID)
	call := c.get(id, u.Kind == "tool_call")
	if call == nil {
		return nil, nil
	}
	c.merge(call, u)
	done := u.Status == "completed" || u.Status == "failed"
	arguments := object(u.Input)
	empty := len(arguments) == 0 || bytes.Equal(arguments, []byte("{}"))
	if !call.shown && (!empty || allowed || done || u.Status == "in_progress") {
		if empty && len(call.locations) > 0 {
			arguments = members("locations", call.locations)
		}
		begin = toolCall(u.ID, call.title, arguments)
		call.shown = true
	}
	if done {
		end = toolResult(u.ID, u.Status == "completed", call.output)
		c.held -= len(call.output)
		*call = acpCall{ended: true}
	}
	return begin, end
}

// get returns the call of an id, nil for one that has ended or is one too many. An
// agent that uses an id again announces a call by it.
func (c *acpCalls) get(id string, announced bool) *acpCall {
	call := c.byID[id]
	switch {
	case call != nil && !call.ended:
		return call
	case call != nil && !announced:
		return nil
	}
	if len(c.byID) >= maxOpen {
		maps.DeleteFunc(c.byID, func(_ string, call *acpCall) bool { return call.ended })
	}
	if len(c.byID) >= maxOpen {
		return nil
	}
	if c.byID == nil {
		c.byID = map[string]*acpCall{}
	}
	call = &acpCall{}
	c.byID[id] = call
	return call
}

// merge keeps what may be wanted later.
func (c *acpCalls) merge(call *acpCall, u acpUpdate) {
	if call.title == "" {
		title, _ := cut(u.Title, maxName)
		call.title = strings.Clone(title)
	}
	if n := len(u.Locations); n > len("[]") && n <= maxLocations {
		call.locations = u.Locations
	}
	output := acpOutput(u)
	if output == "" {
		return
	}
	output, _ = cut(output, min(MaxOutput+utf8.UTFMax, maxHeld-c.held+len(call.output)))
	c.held += len(output) - len(call.output)
	call.output = strings.Clone(output)
}

// acpOutput is what a call came to so far: its content, and where that says nothing
// the tool's own.
func acpOutput(u acpUpdate) string {
	var list []struct {
		Type    string          `json:"type"`
		Content json.RawMessage `json:"content"`
		Path    string          `json:"path"`
	}
	var parts []string
	if json.Unmarshal(u.Content, &list) == nil {
		for _, item := range list {
			switch item.Type {
			case "content":
				parts = append(parts, acpText(item.Content))
			case "diff":
				parts = append(parts, "[diff "+named(item.Path)+"]")
			default:
				parts = append(parts, "["+named(item.Type)+"]")
			}
		}
	}
	if text := strings.Join(parts, "\n"); text != "" {
		return text
	}
	return acpRaw(u.Output)
}

// acpRaw is a tool's own output as text.
func acpRaw(raw json.RawMessage) string {
	var o struct {
		Output string `json:"output"`
		Error  string `json:"error"`
	}
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0 || bytes.Equal(raw, []byte("null")):
		return ""
	case json.Unmarshal(raw, &o) == nil && o.Output+o.Error != "":
		return firstOf(o.Output, o.Error)
	default:
		return bare(raw)
	}
}
