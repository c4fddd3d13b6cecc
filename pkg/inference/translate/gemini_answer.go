package translate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// geminiReader decodes a streamed answer.
type geminiReader struct {
	seed  string
	start bool
	next  int  // index of the next item
	open  Kind // of the item before it, while text may follow
	calls int
	stop  string
	why   string // it stopped, in words
	usage Usage
}

func (gemini) reader(seed string) reader { return &geminiReader{seed: seed} }

func (g *geminiReader) read(data []byte) ([]Event, error) {
	var a geminiAnswer
	if err := wirejson.Unmarshal(data, &a); err != nil {
		return nil, errors.New("an event of the stream is not of the form that gemini has")
	}
	if a.Error != nil {
		return []Event{{Kind: Failure, Text: a.Error.message}}, nil
	}
	var out []Event
	if !g.start {
		g.start = true
		out = append(out, Event{Kind: Start, ID: a.ID, Model: a.Model})
	}
	if a.Usage != nil {
		g.usage = a.Usage.usage()
		out = append(out, Event{Kind: Spent, Usage: g.usage})
	}
	if a.Feedback != nil && a.Feedback.Blocked != "" {
		g.stop = "SAFETY"
	}
	if len(a.Candidates) == 0 {
		return out, nil
	}
	for i := range a.Candidates[0].Content.Parts {
		out = g.part(out, &a.Candidates[0].Content.Parts[i])
	}
	if reason := a.Candidates[0].FinishReason; reason != "" {
		g.stop, g.why = reason, a.Candidates[0].Message
	}
	return out, nil
}

// part says what a part does. Its signature is the opaque form of the reasoning before it.
func (g *geminiReader) part(out []Event, p *geminiPart) []Event {
	text := deref(p.Text)
	switch {
	case p.Thought:
		out = g.say(out, Reasoning, text)
		return g.sign(out, p.Signature, false)
	case p.Call == nil && (g.open == Text || text == ""): // signed at its end
		out = g.say(out, Text, text)
		return g.sign(out, p.Signature, true)
	}
	out = g.sign(out, p.Signature, false)
	if p.Call == nil {
		return g.say(out, Text, text)
	}
	out = g.close(out, Opaque{})
	g.calls++
	absent(&p.Call.Args)
	call := ToolCall{ID: p.Call.ID, Name: p.Call.Name}
	if call.ID == "" {
		call.ID = fmt.Sprintf("call_%s_%d", g.seed, g.calls)
	}
	i := g.next
	g.next++
	return append(out, Event{Kind: Begin, Index: i, Item: Item{Role: Assistant, Kind: Call, Call: call}},
		Event{Kind: Delta, Index: i, Text: compact(p.Call.Args)}, Event{Kind: End, Index: i})
}

func (g *geminiReader) say(out []Event, kind Kind, text string) []Event {
	if text == "" {
		return out
	}
	if g.open != kind {
		item := Item{Role: Assistant, Kind: kind}
		if kind == Reasoning {
			item.Opaque.Origin = ownGemini
		}
		out = append(g.close(out, Opaque{}), Event{Kind: Begin, Index: g.next, Item: item})
		g.open = kind
		g.next++
	}
	return append(out, Event{Kind: Delta, Index: g.next - 1, Text: text})
}

// sign ends reasoning with its opaque form, which is all of it where there is none.
func (g *geminiReader) sign(out []Event, signature string, closes bool) []Event {
	if signature == "" || signature == unsigned {
		return out
	}
	o := geminiTaken(signature)
	if g.open == Reasoning {
		return g.close(out, o)
	}
	if o.Origin == ownGemini {
		o.Redacted, o.Closes = true, closes
	}
	out = g.close(out, Opaque{})
	i := g.next
	g.next++
	return append(out, Event{Kind: Begin, Index: i, Item: Item{Role: Assistant, Kind: Reasoning, Opaque: o}}, Event{Kind: End, Index: i, Item: Item{Opaque: o}})
}

func (g *geminiReader) close(out []Event, o Opaque) []Event {
	if g.open == "" {
		return out
	}
	g.open = ""
	return append(out, Event{Kind: End, Index: g.next - 1, Item: Item{Opaque: o}})
}

// end is the end of a stream, which has no event of its own: one that said why
// it stopped is whole.
func (g *geminiReader) end() []Event {
	if g.stop == "" {
		return nil
	}
	out := g.close(nil, Opaque{})
	if geminiFailed(g.stop) {
		return append(out, Event{Kind: Failure, Text: strings.TrimSuffix("the answer ended with "+g.stop+": "+g.why, ": ")})
	}
	return append(out, Event{Kind: Finish, Stop: stopOfGemini(g.stop, g.calls > 0), Usage: g.usage})
}

func (gemini) decodeAnswer(body []byte, seed string) (*Answer, error) {
	g := &geminiReader{seed: seed}
	events, err := g.read(body)
	if err != nil || len(events) > 0 && events[0].Kind != Failure && g.stop == "" {
		return nil, errors.New("the answer is not of the form that gemini has")
	}
	var c collector
	for _, e := range append(events, g.end()...) {
		if e.Kind == Failure {
			return nil, errors.New(e.Text)
		}
		c.add(e)
	}
	return &c.answer, nil
}
