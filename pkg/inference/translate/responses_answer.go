package translate

import (
	"errors"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// responsesReader decodes a streamed answer.
type responsesReader struct {
	events  wirejson.Again[responsesEvent]
	start   bool
	next    int
	items   map[int]*responsesReading // by their output_index
	calls   bool
	refused bool
	done    bool
	out     []Event
}

// responsesReading is an item that comes in pieces.
type responsesReading struct {
	at   int // our index
	any  bool
	part int // of a summary
}

func (responses) reader(string) reader {
	return &responsesReader{items: map[int]*responsesReading{}}
}

type responsesEvent struct {
	Type     string           `json:"type"`
	Response *responsesAnswer `json:"response"`
	Index    int              `json:"output_index"`
	Item     *responsesItem   `json:"item"`
	Summary  int              `json:"summary_index"`
	Delta    texts            `json:"delta"`
	Message  texts            `json:"message"` // error
	Error    *chatError       `json:"error"`
}

func (r *responsesReader) read(data []byte) ([]Event, error) {
	e, err := r.events.Read(data)
	if err != nil {
		return nil, errors.New("an event of the stream is not of the form that openai-responses has")
	}
	switch e.Type {
	case "response.created":
		return r.begin(e), nil
	case "response.output_item.added":
		return r.added(e), nil
	case "response.output_text.delta", "response.function_call_arguments.delta", "response.custom_tool_call_input.delta",
		"response.reasoning_summary_text.delta", "response.reasoning_text.delta", "response.refusal.delta":
		return r.delta(e), nil
	case "response.output_item.done":
		return r.ended(e), nil
	case "response.completed", "response.incomplete":
		return r.finish(e), nil
	case "response.failed", "error":
		text := string(e.Message)
		if e.Error != nil {
			text = e.Error.message
		}
		if e.Response != nil && e.Response.Error != nil {
			text = e.Response.Error.message
		}
		return []Event{{Kind: Failure, Text: text}}, nil
	}
	return nil, nil
}

func (r *responsesReader) begin(e *responsesEvent) []Event {
	out := Event{Kind: Start}
	if e.Response != nil {
		out.ID, out.Model = e.Response.ID, e.Response.Model
	}
	if r.start {
		return nil
	}
	r.start = true
	return []Event{out}
}

// added begins an item.
func (r *responsesReader) added(e *responsesEvent) []Event {
	if _, open := r.items[e.Index]; open || e.Item == nil {
		return nil
	}
	item := Item{Role: Assistant}
	switch e.Item.Type {
	case "message":
		item.Kind = Text
	case "reasoning":
		item.Kind = Reasoning
		item.Opaque = Opaque{Origin: ownResponses, ID: e.Item.ID}
	case "function_call", "custom_tool_call":
		r.calls = true
		item.Kind = Call
		item.Call = e.Item.call()
		item.Call.Arguments = ""
	default:
		return nil // a tool that ran at the provider
	}
	r.items[e.Index] = &responsesReading{at: r.next}
	r.next++
	return []Event{{Kind: Begin, Index: r.next - 1, Item: item}}
}

func (r *responsesReader) delta(e *responsesEvent) []Event {
	it := r.items[e.Index]
	if it == nil || e.Delta == "" {
		return nil
	}
	r.refused = r.refused || e.Type == "response.refusal.delta"
	text := string(e.Delta)
	if e.Summary != it.part && it.any {
		text = "\n\n" + text
	}
	it.part, it.any = e.Summary, true
	r.out = append(r.out[:0], Event{Kind: Delta, Index: it.at, Text: text})
	return r.out
}

// ended ends an item. One whose text did not come in pieces has it here.
func (r *responsesReader) ended(e *responsesEvent) []Event {
	out := r.added(e)
	it := r.items[e.Index]
	if it == nil || e.Item == nil {
		return out
	}
	item, text := e.Item.answer()
	if !it.any && text != "" {
		out = append(out, Event{Kind: Delta, Index: it.at, Text: text})
	}
	delete(r.items, e.Index)
	return append(out, Event{Kind: End, Index: it.at, Item: Item{Opaque: item.Opaque}})
}

// answer returns an item of an answer and its text.
func (it *responsesItem) answer() (Item, string) {
	switch it.Type {
	case "reasoning":
		i := it.reasoning()
		return i, i.Text
	case "function_call", "custom_tool_call":
		c := it.call()
		return Item{Role: Assistant, Kind: Call, Call: c}, c.Arguments
	case "message":
		var b strings.Builder
		if it.Content != nil {
			for _, p := range it.Content.all {
				b.WriteString(deref(p.Text))
				b.WriteString(p.Refusal)
			}
		}
		return Item{Role: Assistant, Kind: Text, Text: b.String()}, b.String()
	default:
		return Item{}, ""
	}
}

func (r *responsesReader) finish(e *responsesEvent) []Event {
	if r.done {
		return nil
	}
	r.done = true
	a := deref(e.Response)
	if e.Type == "response.incomplete" {
		a.Status = "incomplete"
	}
	return []Event{{Kind: Finish, Stop: a.stop(r.calls, r.refused), Usage: a.Usage.usage()}}
}

// end is the end of a stream; one without its last event is not whole.
func (*responsesReader) end() []Event { return nil }

func (responses) decodeAnswer(body []byte, _ string) (*Answer, error) {
	var in responsesAnswer
	err := wirejson.Unmarshal(body, &in)
	switch {
	case err == nil && in.Error != nil && in.Status != "completed":
		return nil, errors.New(in.Error.message)
	case err != nil || in.Output == nil:
		return nil, errors.New("the answer is not of the form that openai-responses has")
	}
	a := &Answer{ID: in.ID, Model: in.Model, Usage: in.Usage.usage()}
	refused := false
	for _, it := range in.Output {
		if item, _ := it.answer(); item.Kind != "" {
			a.Items = append(a.Items, item)
		}
		if it.Type == "message" && it.Content != nil {
			for _, p := range it.Content.all {
				refused = refused || p.Type == "refusal"
			}
		}
	}
	a.Stop = in.stop(a.calls(), refused)
	return a, nil
}
