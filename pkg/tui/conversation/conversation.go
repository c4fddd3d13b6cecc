// Package conversation is what the frames of a session (ws.v2) come to: items, in the
// order in which a person reads them. It is pure: frames go in, and which items changed
// comes out, so that a view draws those alone.
//
// Frames are foreign text. Nothing of it is made safe for a screen here; that is the
// views' to do with all that they show.
package conversation

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/cardv1"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// Kind says what an item is.
type Kind string

// The kinds of items.
const (
	Said      Kind = "said"      // by the person
	Answer    Kind = "answer"    // the agent's words
	Reasoning Kind = "reasoning" // its thoughts
	Call      Kind = "call"      // of a tool, with what it returned
	Plan      Kind = "plan"      // what the agent means to do; one for a turn, the newest
	Unknown   Kind = "unknown"   // events of the runner's that its dialect could not use; one for a turn
	Commit    Kind = "commit"    // what the agent changed
	Card      Kind = "card"      // an action that was proposed
	Rejected  Kind = "rejected"  // a path that was not saved
	Problem   Kind = "problem"   // an error, which the turn may survive
	Waiting   Kind = "waiting"   // why nothing happens yet; the next frame takes it away
	Ended     Kind = "ended"     // a turn that did not complete
)

// Item is one thing to read. The members after Open are of the kind that has their name,
// else nil.
type Item struct {
	Kind Kind
	Turn string
	Open bool // pieces of it may still come

	Call     *ToolCall
	Plan     *wsv2.Plan
	Unknown  *UnknownEvents
	Commit   *wsv2.Commit
	Card     *cardv1.Card
	Rejected *wsv2.Rejected
	Problem  *wsv2.Error
	Ended    *wsv2.TurnDone

	text *strings.Builder // what grows piece by piece is not copied for each
}

// Text is that of Said, Answer, Reasoning and Waiting, else empty.
func (i Item) Text() string {
	if i.text == nil {
		return ""
	}
	return i.text.String()
}

func words(kind Kind, turn, text string, open bool) Item {
	i := Item{Kind: kind, Turn: turn, Open: open, text: &strings.Builder{}}
	i.text.WriteString(text) // it always returns nil
	return i
}

// ToolCall is a call of a tool, and its result once there is one.
type ToolCall struct {
	wsv2.ToolCall
	Result *wsv2.ToolResult
}

// Conversation is the items of a session. It is used by one goroutine; the zero value is
// an empty one.
type Conversation struct {
	// MaxBytes bounds the text that is kept, in bytes: where there is more, the oldest
	// items go. 0: DefaultMaxBytes.
	MaxBytes int

	items   []Item
	dropped int            // items that went
	bytes   int            // of the texts of items
	calls   map[string]int // items of calls that have no result yet, by turn and call
	single  map[Kind]place // of the kinds of which a turn has one item

	// What the status line says.
	session, runner, model, container string
	usage                             wsv2.Usage // of the turn metered
	metered                           string
	before                            wsv2.Usage // of the turns before it, together
	running                           string     // the turn in progress
}

// DefaultMaxBytes is some 200,000 lines of text.
const DefaultMaxBytes = 16 << 20

// Len is the number of items, with those that went; At returns the i-th of them, and
// false where that went or never was.
func (c *Conversation) Len() int { return c.dropped + len(c.items) }

// At is documented at Len.
func (c *Conversation) At(i int) (Item, bool) {
	if i < c.dropped || i >= c.Len() {
		return Item{}, false
	}
	return c.items[i-c.dropped], true
}

// First is the first item that is kept.
func (c *Conversation) First() int { return c.dropped }

// Session is the conversation's id, "" before the first turn; Runner, Model and Container
// are those of the latest turn.
func (c *Conversation) Session() string { return c.session }

// Runner is documented at Session.
func (c *Conversation) Runner() string { return c.runner }

// Model is documented at Session.
func (c *Conversation) Model() string { return c.model }

// Container is documented at Session.
func (c *Conversation) Container() string { return c.container }

// Usage is what the turns that were applied have used so far, together.
func (c *Conversation) Usage() wsv2.Usage {
	sum := c.usage // of the newest turn, and its model
	sum.Requests += c.before.Requests
	sum.InputTokens += c.before.InputTokens
	sum.OutputTokens += c.before.OutputTokens
	sum.CacheReadTokens += c.before.CacheReadTokens
	sum.CacheWriteTokens += c.before.CacheWriteTokens
	if c.before.CostUSD != nil || c.usage.CostUSD != nil {
		var cost float64
		for _, part := range []*float64{c.before.CostUSD, c.usage.CostUSD} {
			if part != nil {
				cost += *part
			}
		}
		sum.CostUSD = &cost
	}
	return sum
}

// Running is the turn in progress, "" where there is none.
func (c *Conversation) Running() string { return c.running }

// Apply takes the next frame, and returns the first item that is new or changed: all
// from there on may be. It returns Len where nothing is.
func (c *Conversation) Apply(f wsv2.Frame) (from int) {
	from = c.Len()
	if n := len(c.items); n > 0 && c.items[n-1].Kind == Waiting {
		c.forget(n - 1)
		c.items = c.items[:n-1]
		from--
	}
	return min(from, c.body(f))
}

// body takes what a frame says.
func (c *Conversation) body(f wsv2.Frame) int {
	switch b := f.Body.(type) {
	case wsv2.TurnAccepted:
		c.session, c.runner, c.running = b.Session, b.Runner, f.Turn
		c.model = b.Model
		return c.add(words(Said, f.Turn, b.Text, false))
	case wsv2.MessageDelta:
		return c.piece(Answer, f.Turn, b.Text)
	case wsv2.Reasoning:
		return c.piece(Reasoning, f.Turn, b.Text)
	case wsv2.Message:
		return c.whole(f.Turn, b.Text)
	case wsv2.ToolCall:
		from := c.add(Item{Kind: Call, Turn: f.Turn, Open: true, Call: &ToolCall{ToolCall: b}})
		if c.calls == nil {
			c.calls = map[string]int{}
		}
		c.calls[f.Turn+"\x00"+b.CallID] = c.Len() - 1
		return from
	case wsv2.ToolResult:
		return c.result(f.Turn, b)
	case wsv2.Plan:
		return c.once(f.Turn, Item{Kind: Plan, Plan: &b})
	case wsv2.Opaque:
		return c.unknown(f.Turn, b)
	case wsv2.Commit:
		return c.add(Item{Kind: Commit, Turn: f.Turn, Commit: &b})
	case wsv2.Card:
		return c.card(f, b)
	case wsv2.Rejected:
		return c.add(Item{Kind: Rejected, Turn: f.Turn, Rejected: &b})
	case wsv2.Error:
		return c.add(Item{Kind: Problem, Turn: f.Turn, Problem: &b})
	case wsv2.TurnDone:
		return c.done(f.Turn, b)
	case wsv2.Usage:
		if c.metered != f.Turn {
			c.before, c.metered = c.Usage(), f.Turn
		}
		c.usage = b
	case wsv2.State:
		c.container = b.Container
		if b.Detail != "" && b.State == string(runtimev1.Starting) && c.running == "" {
			return c.add(words(Waiting, f.Turn, b.Detail, false))
		}
	}
	return c.Len()
}

// card is an action that was proposed. Of one that cannot be read nothing is known but that
// it is there.
func (c *Conversation) card(f wsv2.Frame, b wsv2.Card) int {
	card := &cardv1.Card{}
	if json.Unmarshal(b.Card, card) != nil {
		card = &cardv1.Card{}
	}
	card.Unit = cmp.Or(card.Unit, f.Unit)
	return c.add(Item{Kind: Card, Turn: f.Turn, Card: card})
}

// add puts an item at the end, and returns the first that changed by that: what was open
// there is whole now, but for calls, whose results come in any order.
func (c *Conversation) add(i Item) int {
	from := c.Len()
	if last := c.last(); last != nil && last.Open && last.Kind != Call {
		last.Open = false
		from--
	}
	c.items = append(c.items, i)
	c.bytes += i.size()
	c.trim()
	return from
}

// piece adds to the text that is open, or begins one.
func (c *Conversation) piece(kind Kind, turn, text string) int {
	if text == "" {
		return c.Len()
	}
	if last := c.last(); last != nil && last.Open && last.Kind == kind && last.Turn == turn {
		last.text.WriteString(text)
		c.bytes += len(text)
		c.trim()
		return c.Len() - 1
	}
	return c.add(words(kind, turn, text, true))
}

// whole is an answer that is complete: the pieces before it are the same.
func (c *Conversation) whole(turn, text string) int {
	if last := c.last(); last != nil && last.Open && last.Kind == Answer && last.Turn == turn {
		c.bytes -= last.size()
		*last = words(Answer, turn, text, false)
		c.bytes += last.size()
		c.trim()
		return c.Len() - 1
	}
	if text == "" {
		return c.Len()
	}
	return c.add(words(Answer, turn, text, false))
}

// result belongs to a call of its turn; one of a call that nobody saw is left out.
func (c *Conversation) result(turn string, b wsv2.ToolResult) int {
	key := turn + "\x00" + b.CallID
	at, ok := c.calls[key]
	delete(c.calls, key)
	if !ok || at < c.dropped {
		return c.Len()
	}
	item := &c.items[at-c.dropped]
	item.Open, item.Call.Result = false, &b
	c.bytes += len(b.Output)
	c.trim()
	return at
}

// done ends a turn. Its reply is shown where nothing of it was.
func (c *Conversation) done(turn string, b wsv2.TurnDone) int {
	from := c.Len()
	if c.running == turn {
		c.running = ""
	}
	answered := false
	for i := len(c.items) - 1; i >= 0 && c.items[i].Turn == turn; i-- {
		item := &c.items[i]
		answered = answered || item.Kind == Answer
		if item.Open {
			item.Open = false
			from = min(from, i+c.dropped)
		}
		if item.Kind == Call {
			delete(c.calls, turn+"\x00"+item.Call.CallID)
		}
	}
	if !answered && b.Reply != "" {
		c.add(words(Answer, turn, b.Reply, false))
	}
	if !b.OK {
		c.add(Item{Kind: Ended, Turn: turn, Ended: &b})
	}
	return from
}

func (c *Conversation) last() *Item {
	if len(c.items) == 0 {
		return nil
	}
	return &c.items[len(c.items)-1]
}

// trim lets the oldest items go where there is too much text, a quarter of it at once,
// and never the newest.
func (c *Conversation) trim() {
	most := c.MaxBytes
	if most == 0 {
		most = DefaultMaxBytes
	}
	if c.bytes <= most {
		return
	}
	n := 0
	for c.bytes > most/4*3 && n < len(c.items)-1 {
		c.forget(n)
		n++
	}
	if n == 0 {
		return
	}
	c.items = append([]Item(nil), c.items[n:]...) // so that what went is given back
	c.dropped += n
}

// forget takes an item's size, and its call, out of the books.
func (c *Conversation) forget(i int) {
	item := c.items[i]
	c.bytes -= item.size()
	if item.Call != nil {
		delete(c.calls, item.Turn+"\x00"+item.Call.CallID)
	}
}

// size is what an item holds, in bytes, as far as it varies.
func (i Item) size() int {
	const own = 256 // of the item itself
	n := own + len(i.Text())
	if i.Plan != nil {
		for _, s := range i.Plan.Steps {
			n += len(s.Text)
		}
	}
	if i.Card != nil {
		n += len(i.Card.Title) + len(i.Card.Body)
	}
	if i.Call != nil {
		n += len(i.Call.Arguments)
		if i.Call.Result != nil {
			n += len(i.Call.Result.Output)
		}
	}
	return n
}
