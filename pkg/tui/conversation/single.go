package conversation

import (
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// mostTypes is how many types of events are named.
const mostTypes = 16

// UnknownEvents are events that the runner's dialect could not use.
type UnknownEvents struct {
	Count int
	Types []string // of them, each once, at most 16; foreign text
}

// place is where a turn has its item of a kind.
type place struct {
	turn string
	at   int
}

// once puts an item in the place of the one of its kind that the turn has, or at the end.
func (c *Conversation) once(turn string, i Item) int {
	i.Turn = turn
	if old := c.only(i.Kind, turn); old != nil {
		c.bytes += i.size() - old.size()
		*old = i
		at := c.single[i.Kind].at
		c.trim()
		return at
	}
	from := c.add(i)
	if c.single == nil {
		c.single = map[Kind]place{}
	}
	c.single[i.Kind] = place{turn, c.Len() - 1}
	return from
}

// only is the item of a kind that the turn has, nil where it has none or that went.
func (c *Conversation) only(kind Kind, turn string) *Item {
	p, ok := c.single[kind]
	if !ok || p.turn != turn || p.at < c.dropped || p.at >= c.Len() || c.items[p.at-c.dropped].Kind != kind {
		return nil
	}
	return &c.items[p.at-c.dropped]
}

// unknown counts an event that could not be used.
func (c *Conversation) unknown(turn string, o wsv2.Opaque) int {
	s := UnknownEvents{Count: 1, Types: []string{o.Event}}
	if old := c.only(Unknown, turn); old != nil {
		s.Count += old.Unknown.Count
		s.Types = old.Unknown.Types
		if len(s.Types) < mostTypes && !slices.Contains(s.Types, o.Event) {
			s.Types = append(slices.Clip(s.Types), o.Event)
		}
	}
	return c.once(turn, Item{Kind: Unknown, Unknown: &s})
}
