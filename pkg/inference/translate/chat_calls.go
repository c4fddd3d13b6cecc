package translate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxCalls is how many tools an answer may call: each is looked for among all.
const maxCalls = 1024

// chatReading is a call that comes in pieces. It begins when its name is known.
type chatReading struct {
	chatItem
	index int    // theirs
	id    string // theirs
	name  string
}

func (c *chatReader) call(out []Event, piece *chatCall) ([]Event, error) {
	r := c.find(piece)
	if r == nil {
		if len(c.calls) == maxCalls {
			return out, fmt.Errorf("the answer calls more than %d tools", maxCalls)
		}
		r = &chatReading{index: indexOf(piece)}
		c.calls = append(c.calls, r)
	}
	said := piece.call()
	if r.id == "" {
		r.id = piece.ID
	}
	if r.ended && strings.TrimSpace(said.Arguments) != "" {
		return out, errors.New("the answer adds to the arguments of a call that was complete")
	}
	c.size += len(said.Arguments)
	if r.name == "" && said.Name != "" {
		r.name = said.Name
		id := r.id
		if id == "" {
			id = fmt.Sprintf("call_%s_%d", c.seed, len(c.calls))
		}
		r.item = Item{Role: Assistant, Kind: Call, Call: ToolCall{ID: id, Name: r.name, Freeform: piece.Custom != nil}}
		out = c.queue.add(out, &r.chatItem)
	}
	return c.queue.say(out, &r.chatItem, said.Arguments), nil
}

// find returns the call that a piece belongs to; nil: it begins one. Some servers
// leave the index out, or count every call as the first; some leave the id out,
// or make one for each piece. Only the piece that begins a call has a name.
func (c *chatReader) find(piece *chatCall) *chatReading {
	var found *chatReading
	index := indexOf(piece)
	for _, r := range slices.Backward(c.calls) {
		if index >= 0 && index != r.index {
			continue
		}
		if piece.ID != "" && piece.ID == r.id {
			return r
		}
		if found == nil {
			found = r
		}
	}
	if found == nil || found.name == "" || piece.call().Name == "" {
		return found
	}
	if another := piece.ID != "" && found.id != ""; another || found.complete() {
		return nil
	}
	return found
}

// indexOf returns the index of a piece, -1 where it has none.
func indexOf(piece *chatCall) int {
	if piece.Index == nil {
		return -1
	}
	return *piece.Index
}

// chatQueue brings what comes at once into a row: no client but those of
// openai-chat expects an item to begin before the one before it has ended.
type chatQueue struct {
	items []*chatItem // the first has begun
	next  int         // index of the next that begins
}

// chatItem is an item that comes in pieces.
type chatItem struct {
	item  Item
	at    int
	begun bool
	ended bool
	held  []byte // what was said before its turn
	json  braces // of a call's arguments
}

// complete reports whether nothing can follow.
func (i *chatItem) complete() bool {
	return i.item.Kind != Call || !i.item.Call.Freeform && i.json.closed()
}

func (q *chatQueue) last() *chatItem {
	if len(q.items) == 0 {
		return nil
	}
	return q.items[len(q.items)-1]
}

func (q *chatQueue) add(out []Event, i *chatItem) []Event {
	q.items = append(q.items, i)
	return q.advance(out)
}

// say adds to an item, which may still wait.
func (q *chatQueue) say(out []Event, i *chatItem, text string) []Event {
	if text == "" || i.ended {
		return out
	}
	i.json.feed(text)
	if !i.begun {
		i.held = append(i.held, text...)
		return out
	}
	return q.advance(append(out, Event{Kind: Delta, Index: i.at, Text: text}))
}

// advance ends what is complete where something waits, and begins that.
func (q *chatQueue) advance(out []Event) []Event {
	for len(q.items) > 0 {
		out = q.begin(out)
		if len(q.items) == 1 || !q.items[0].complete() {
			return out
		}
		out = q.end(out)
	}
	return out
}

// drain ends all.
func (q *chatQueue) drain(out []Event) []Event {
	for len(q.items) > 0 {
		out = q.end(q.begin(out))
	}
	return out
}

func (q *chatQueue) begin(out []Event) []Event {
	i := q.items[0]
	if i.begun {
		return out
	}
	i.begun, i.at = true, q.next
	q.next++
	out = append(out, Event{Kind: Begin, Index: i.at, Item: i.item})
	if len(i.held) > 0 {
		out = append(out, Event{Kind: Delta, Index: i.at, Text: string(i.held)})
		i.held = nil
	}
	return out
}

func (q *chatQueue) end(out []Event) []Event {
	i := q.items[0]
	q.items, i.ended = q.items[1:], true
	return append(out, Event{Kind: End, Index: i.at})
}

// braces follows JSON to its end, piece by piece: to parse all that came with
// each piece would take time in the square of it.
type braces struct {
	depth           int
	quoted, escaped bool
	opened          bool
}

func (b *braces) feed(s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case b.escaped:
			b.escaped = false
		case b.quoted:
			b.escaped, b.quoted = c == '\\', c != '"'
		case c == '"':
			b.quoted = true
		case c == '{' || c == '[':
			b.opened = true
			b.depth++
		case c == '}' || c == ']':
			b.depth--
		}
	}
}

func (b *braces) closed() bool { return b.opened && b.depth <= 0 && !b.quoted }
