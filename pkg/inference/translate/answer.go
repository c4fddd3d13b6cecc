package translate

import "slices"

// EventKind is what an Event says.
type EventKind int

// The events of an answer, in their order: one Start, for each item a Begin,
// any number of Delta and an End, then one Finish; or a Failure at any place.
const (
	Start   EventKind = iota + 1 // ID, Model, Usage as far as it is known
	Begin                        // Index, Item without its text
	Delta                        // Index, Text: more of the item's text or arguments
	End                          // Index, Item.Opaque
	Finish                       // Stop, StopSequence, Usage
	Failure                      // Text: what went wrong
	Spent                        // Usage so far, at any place before Finish; for who meters, no client is told
)

// Event is a piece of an answer. Items have the indexes 0, 1, 2 … in the order
// in which they begin; several can be open at once.
type Event struct {
	Kind         EventKind
	Index        int
	ID           string
	Model        string
	Item         Item
	Text         string
	Stop         StopReason
	StopSequence string
	Usage        Usage
}

// StopReason says why an answer ended.
type StopReason string

// The reasons.
const (
	StopEnd      StopReason = "end"
	StopLength   StopReason = "length"
	StopSequence StopReason = "sequence"
	StopTool     StopReason = "tool"
	StopRefusal  StopReason = "refusal" // a content filter, too
)

// Usage is what an answer used, in tokens.
type Usage struct {
	Input      int64 // all that the model read, what came from a cache too
	CacheRead  int64 // of those
	CacheWrite int64 // of those
	Output     int64 // all that it wrote, its reasoning too
	Reasoning  int64 // of those
	Known      bool  // the provider said so
}

// Answer is an answer as a whole.
type Answer struct {
	ID           string
	Model        string
	Items        []Item // Text, Reasoning, Call
	Stop         StopReason
	StopSequence string
	Usage        Usage
}

// events takes an answer apart.
func (a *Answer) events() []Event {
	out := []Event{{Kind: Start, ID: a.ID, Model: a.Model}}
	for i, item := range a.Items {
		text := item.Text
		begin := item
		begin.Text = ""
		if item.Kind == Call {
			text, begin.Call.Arguments = item.Call.Arguments, ""
		}
		out = append(out, Event{Kind: Begin, Index: i, Item: begin})
		if text != "" {
			out = append(out, Event{Kind: Delta, Index: i, Text: text})
		}
		out = append(out, Event{Kind: End, Index: i, Item: Item{Opaque: item.Opaque}})
	}
	return append(out, Event{Kind: Finish, Stop: a.Stop, StopSequence: a.StopSequence, Usage: a.Usage})
}

// collector puts an answer together.
type collector struct {
	answer Answer
	texts  [][]byte
	size   int
}

// add takes one event.
func (c *collector) add(e Event) {
	switch e.Kind {
	case Start:
		c.answer.ID, c.answer.Model = e.ID, e.Model
	case Begin:
		c.answer.Items = append(c.answer.Items, e.Item)
		c.texts = append(c.texts, nil)
	case Delta:
		c.texts[e.Index] = append(c.texts[e.Index], e.Text...)
		c.size += len(e.Text)
	case End:
		c.close(e)
	case Finish:
		c.answer.Stop, c.answer.StopSequence, c.answer.Usage = e.Stop, e.StopSequence, e.Usage
	case Failure, Spent:
	}
}

func (c *collector) close(e Event) {
	item := &c.answer.Items[e.Index]
	text := string(c.texts[e.Index])
	c.texts[e.Index] = nil
	if item.Kind == Call {
		item.Call.Arguments = text
		return
	}
	item.Text = text
	if e.Item.Opaque != (Opaque{}) {
		item.Opaque = e.Item.Opaque
	}
}

// calls reports whether a tool is called.
func (a *Answer) calls() bool {
	return slices.ContainsFunc(a.Items, func(i Item) bool { return i.Kind == Call })
}
