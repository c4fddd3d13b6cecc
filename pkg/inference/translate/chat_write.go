package translate

import (
	"strconv"

	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// chatWriter encodes a streamed answer.
type chatWriter struct {
	head
	items []Item
	calls map[int]int // of our indexes: theirs
}

func (chat) writer(h head) writer { return &chatWriter{head: h, calls: map[int]int{}} }

type chatChunk struct {
	ID      string         `json:"id"`
	Object  string         `json:"object"`
	Created int64          `json:"created"`
	Model   string         `json:"model"`
	Choices []chatChoosing `json:"choices"`
	Usage   any            `json:"usage,omitempty"`
}

type chatChoosing struct {
	Index        int       `json:"index"`
	Delta        chatDelta `json:"delta"`
	FinishReason *string   `json:"finish_reason"`
}

type chatDelta struct {
	Role             string     `json:"role,omitempty"`
	Content          *string    `json:"content,omitempty"`
	ReasoningContent string     `json:"reasoning_content,omitempty"`
	ToolCalls        []chatCall `json:"tool_calls,omitempty"`
}

func (c *chatWriter) write(dst []byte, e Event) []byte {
	switch e.Kind {
	case Start:
		c.started(e)
		return c.chunk(dst, chatDelta{Role: "assistant", Content: new("")}, nil)
	case Begin:
		c.items = append(c.items, e.Item)
		if e.Item.Kind != Call {
			return dst
		}
		index := len(c.calls)
		c.calls[e.Index] = index
		call := chatCallOf(e.Item.Call)
		if call.Function != nil {
			call.Function.Arguments = ""
		}
		call.Index = &index
		return c.chunk(dst, chatDelta{ToolCalls: []chatCall{call}}, nil)
	case Delta:
		if c.items[e.Index].Kind == Text {
			return c.text(dst, e.Text)
		}
		return c.chunk(dst, c.delta(e), nil)
	case End:
		return dst
	case Finish:
		dst = c.chunk(dst, chatDelta{}, new(chatStop(e.Stop)))
		if c.usage {
			dst = send(dst, "", &chatChunk{"chatcmpl-" + c.id, "chat.completion.chunk", c.created, c.model, []chatChoosing{}, chatUsageOf(e.Usage)})
		}
		return append(dst, "data: [DONE]\n\n"...)
	case Failure:
		return send(dst, "", object{"error": object{"message": e.Text, "type": "server_error", "param": nil, "code": nil}})
	case Spent:
	}
	return dst
}

func (c *chatWriter) delta(e Event) chatDelta {
	item := c.items[e.Index]
	switch item.Kind {
	case Reasoning:
		return chatDelta{ReasoningContent: e.Text}
	case Call:
		index := c.calls[e.Index]
		if item.Call.Freeform {
			return chatDelta{ToolCalls: []chatCall{{Index: &index, Custom: &chatCustomCall{Input: e.Text}}}}
		}
		return chatDelta{ToolCalls: []chatCall{{Index: &index, Function: &chatCallBody{Arguments: e.Text}}}}
	case Text, Image, File, Result:
	}
	return chatDelta{Content: &e.Text}
}

// text writes the event that most of a stream consists of, as chunk would.
func (c *chatWriter) text(dst []byte, text string) []byte {
	dst = wirejson.AppendString(append(dst, `data: {"id":`...), "chatcmpl-"+c.id)
	dst = strconv.AppendInt(append(dst, `,"object":"chat.completion.chunk","created":`...), c.created, 10)
	dst = wirejson.AppendString(append(dst, `,"model":`...), c.model)
	dst = wirejson.AppendString(append(dst, `,"choices":[{"index":0,"delta":{"content":`...), text)
	return append(dst, "},\"finish_reason\":null}]}\n\n"...)
}

func (c *chatWriter) chunk(dst []byte, d chatDelta, finish *string) []byte {
	return send(dst, "", &chatChunk{
		ID: "chatcmpl-" + c.id, Object: "chat.completion.chunk", Created: c.created, Model: c.model,
		Choices: []chatChoosing{{0, d, finish}},
	})
}

func (chat) encodeAnswer(a *Answer, h head) ([]byte, error) {
	h.started(Event{ID: a.ID, Model: a.Model})
	m := chatMessage{Role: "assistant"}
	for _, i := range a.Items {
		switch i.Kind {
		case Reasoning:
			m.ReasoningContent += texts(i.Text)
		case Call:
			m.ToolCalls = append(m.ToolCalls, chatCallOf(i.Call))
		case Text, Image, File, Result:
		}
	}
	if text := joined(a.Items); text != "" {
		m.Content = &list[chatPart]{isText: true, text: text}
	}
	return encode(object{
		"id": "chatcmpl-" + h.id, "object": "chat.completion", "created": h.created, "model": h.model,
		"choices": []object{{"index": 0, "message": m, "logprobs": nil, "finish_reason": chatStop(a.Stop)}},
		"usage":   chatUsageOf(a.Usage),
	})
}
