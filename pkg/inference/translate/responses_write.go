package translate

import (
	"slices"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// responsesWriter encodes a streamed answer. The protocol repeats each item when
// it ends, and all of them when the answer does.
type responsesWriter struct {
	head
	seq   int
	start bool
	all   collector
	done  []int // the items that have ended, in that order
}

func (responses) writer(h head) writer { return &responsesWriter{head: h} }

func (r *responsesWriter) write(dst []byte, e Event) []byte {
	r.all.add(e)
	switch e.Kind {
	case Start:
		r.started(e)
		r.start = true
		dst = r.send(dst, "response.created", object{"response": r.response("in_progress", nil)})
		return r.send(dst, "response.in_progress", object{"response": r.response("in_progress", nil)})
	case Begin:
		return r.begin(dst, e)
	case Delta:
		return r.delta(dst, e)
	case End:
		r.done = append(r.done, e.Index)
		return r.end(dst, e.Index)
	case Finish:
		status := responsesStatus(e.Stop)
		return r.send(dst, "response."+status, object{"response": r.response(status, r.finished())})
	case Failure:
		return r.fail(dst, e.Text)
	case Spent:
	}
	return dst
}

// fail says that the answer broke: as an event of its own and as the end of the
// response; clients listen for one or the other.
func (r *responsesWriter) fail(dst []byte, text string) []byte {
	dst = r.send(dst, "error", object{"code": "server_error", "message": text, "param": nil})
	o := r.response("failed", nil)
	o["error"] = object{"code": "server_error", "message": text}
	return r.send(dst, "response.failed", object{"response": o})
}

// Broken is how a stream of openai-responses, of which nothing is known, says
// that it broke off.
func Broken(message string) []byte {
	w := &responsesWriter{}
	return w.fail([]byte("\n"), message)
}

func (r *responsesWriter) send(dst []byte, name string, v object) []byte {
	v["type"], v["sequence_number"] = name, r.seq
	r.seq++
	return send(dst, name, v)
}

func responsesStatus(s StopReason) string {
	if s == StopLength || s == StopRefusal {
		return "incomplete"
	}
	return "completed"
}

// response returns the object that stands for the whole answer; a is nil before
// its end.
func (h *head) response(status string, a *Answer) object {
	out := object{
		"id": "resp_" + h.id, "object": "response", "created_at": h.created, "status": status, "model": h.model,
		"output": []any{}, "error": nil, "incomplete_details": nil, "usage": nil,
		"parallel_tool_calls": true, "tool_choice": "auto", "tools": []any{}, "store": false,
	}
	if a == nil {
		return out
	}
	items := []any{}
	for i, item := range a.Items {
		items = append(items, h.item(i, item, "completed"))
	}
	out["output"], out["usage"] = items, responsesUsageOf(a.Usage)
	switch a.Stop {
	case StopLength:
		out["incomplete_details"] = object{"reason": "max_output_tokens"}
	case StopRefusal:
		out["incomplete_details"] = object{"reason": "content_filter"}
	case StopEnd, StopSequence, StopTool:
	}
	return out
}

// finished returns the answer of what has ended.
func (r *responsesWriter) finished() *Answer {
	a := r.all.answer
	a.Items = nil
	slices.Sort(r.done)
	for _, i := range r.done {
		a.Items = append(a.Items, r.all.answer.Items[i])
	}
	return &a
}

// itemID returns an item's id.
func (h *head) itemID(i int, item Item) string {
	prefix := "msg"
	switch {
	case item.Kind == Reasoning:
		prefix = "rs"
	case item.Kind == Call && item.Call.Freeform:
		prefix = "ctc"
	case item.Kind == Call:
		prefix = "fc"
	}
	return prefix + "_" + h.id + "_" + strconv.Itoa(i)
}

// item returns an item as it stands in an answer.
func (h *head) item(i int, item Item, status string) responsesItem {
	var out responsesItem
	switch item.Kind {
	case Reasoning:
		out = item.responsesReasoning()
		status = ""
	case Call:
		out = responsesCall(item.Call)
		if status == "in_progress" {
			*out.texts() = ""
		}
	default:
		out = responsesItem{Type: "message", Role: "assistant", Content: &list[responsesPart]{all: []responsesPart{}}}
		if item.Text != "" {
			out.Content.all = append(out.Content.all, outputText(item.Text))
		}
	}
	out.ID, out.Status = h.itemID(i, item), status
	return out
}

// texts is where the arguments of a call stand.
func (it *responsesItem) texts() *texts {
	if it.Input != nil {
		return it.Input
	}
	return it.Arguments
}

func outputText(text string) responsesPart {
	return responsesPart{Type: "output_text", Text: &text, Annotations: []byte("[]")}
}

func (r *responsesWriter) begin(dst []byte, e Event) []byte {
	id := r.itemID(e.Index, e.Item)
	dst = r.send(dst, "response.output_item.added", object{"output_index": e.Index, "item": r.item(e.Index, e.Item, "in_progress")})
	switch e.Item.Kind {
	case Text:
		return r.send(dst, "response.content_part.added", object{"item_id": id, "output_index": e.Index, "content_index": 0, "part": outputText("")})
	case Reasoning, Call, Image, File, Result:
	}
	return dst
}

// delta writes the event that most of a stream consists of.
func (r *responsesWriter) delta(dst []byte, e Event) []byte {
	item := &r.all.answer.Items[e.Index]
	name, part := "response.output_text.delta", `,"content_index":0`
	switch {
	case item.Kind == Reasoning:
		if len(r.all.texts[e.Index]) == len(e.Text) { // the first
			dst = r.send(dst, "response.reasoning_summary_part.added", object{
				"item_id": r.itemID(e.Index, *item), "output_index": e.Index, "summary_index": 0, "part": responsesPart{Type: "summary_text", Text: new("")},
			})
		}
		name, part = "response.reasoning_summary_text.delta", `,"summary_index":0`
	case item.Kind == Call && item.Call.Freeform:
		name, part = "response.custom_tool_call_input.delta", ""
	case item.Kind == Call:
		name, part = "response.function_call_arguments.delta", ""
	}
	dst = append(append(append(append(append(dst, "event: "...), name...), "\ndata: {\"type\":\""...), name...), `","sequence_number":`...)
	dst = strconv.AppendInt(dst, int64(r.seq), 10)
	r.seq++
	dst = wirejson.AppendString(append(dst, `,"item_id":`...), r.itemID(e.Index, *item))
	dst = strconv.AppendInt(append(dst, `,"output_index":`...), int64(e.Index), 10)
	dst = wirejson.AppendString(append(append(dst, part...), `,"delta":`...), e.Text)
	return append(dst, "}\n\n"...)
}

func (r *responsesWriter) end(dst []byte, index int) []byte {
	item := r.all.answer.Items[index]
	at := func(more object) object {
		more["item_id"], more["output_index"] = r.itemID(index, item), index
		return more
	}
	switch {
	case item.Kind == Reasoning && item.Text != "":
		part := responsesPart{Type: "summary_text", Text: &item.Text}
		dst = r.send(dst, "response.reasoning_summary_text.done", at(object{"summary_index": 0, "text": item.Text}))
		dst = r.send(dst, "response.reasoning_summary_part.done", at(object{"summary_index": 0, "part": part}))
	case item.Kind == Call && item.Call.Freeform:
		dst = r.send(dst, "response.custom_tool_call_input.done", at(object{"input": item.Call.Arguments}))
	case item.Kind == Call:
		dst = r.send(dst, "response.function_call_arguments.done", at(object{"name": item.Call.Name, "arguments": *responsesCall(item.Call).Arguments}))
	case item.Kind == Text:
		dst = r.send(dst, "response.output_text.done", at(object{"content_index": 0, "text": item.Text}))
		dst = r.send(dst, "response.content_part.done", at(object{"content_index": 0, "part": outputText(item.Text)}))
	}
	return r.send(dst, "response.output_item.done", object{"output_index": index, "item": r.item(index, item, "completed")})
}

func (responses) encodeAnswer(a *Answer, h head) ([]byte, error) {
	h.started(Event{ID: a.ID, Model: a.Model})
	return encode(h.response(responsesStatus(a.Stop), a))
}
