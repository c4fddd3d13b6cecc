package acp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// head is how much is kept of a line that is too long, to see what it was.
const head = 4 << 10

// read takes what the agent says until it says no more. The error is errGone, or why
// it is not listened to any longer.
func (p *peer) read(from io.Reader) error {
	in := bufio.NewReaderSize(from, 64<<10)
	for {
		line, length, err := p.line(in)
		switch {
		case length > p.limit:
			if err := p.tooLong(line, length); err != nil {
				return err
			}
		case len(bytes.TrimSpace(line)) > 0:
			if err := p.take(line); err != nil {
				return err
			}
		}
		if err != nil {
			return errGone // how it ended says more than how its output did
		}
	}
}

// line reads a line, of one that is over the limit its head. The error is that of the
// input, which may have ended without a newline.
func (p *peer) line(in *bufio.Reader) (line []byte, length int, err error) {
	for {
		part, err := in.ReadSlice('\n')
		length += len(part)
		line = append(line, part...)
		if length > p.limit {
			line = line[:min(len(line), head)]
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, length, err
		}
	}
}

// tooLong leaves out an update that is too long. Anything else somebody waits for.
func (p *peer) tooLong(line []byte, length int) error {
	what := fmt.Sprintf("the agent sent a message of %d bytes, which is over the limit of %d", length, p.limit)
	if !bytes.Contains(line, []byte(`"session/update"`)) {
		return fault.New(fault.Invalid, what, "")
	}
	if p.session.Load() != nil {
		p.events.warn(fault.New(fault.Invalid, what+": it is left out", ""))
	}
	return nil
}

// take handles a message.
func (p *peer) take(line []byte) error {
	var m message
	switch ok := json.Unmarshal(line, &m) == nil; {
	case !ok:
		p.events.noise(line)
	case m.Method != "" && m.asks():
		return p.request(m)
	case m.Method == "session/update":
		p.update(m.Params, line)
	case m.Method != "": // a notification that asks for nothing
	case m.asks():
		p.response(m)
	default:
		p.events.noise(line)
	}
	return nil
}

// response takes the answer that is waited for. Any other nobody asked for.
func (p *peer) response(m message) {
	var id int64
	if json.Unmarshal(m.ID, &id) == nil && id > 0 && p.awaited.CompareAndSwap(id, 0) {
		p.answers <- m
	}
}

// update passes on what is told of the session of the turn.
func (p *peer) update(params json.RawMessage, line []byte) {
	var u struct {
		Session string          `json:"sessionId"`
		Update  json.RawMessage `json:"update"`
	}
	if json.Unmarshal(params, &u) != nil || len(u.Update) == 0 {
		p.events.noise(line)
		return
	}
	if s := p.session.Load(); s != nil && *s == u.Session {
		p.events.update(u.Update)
	}
}

// request answers what the agent asks: whether it may, which it may, and nothing else.
func (p *peer) request(m message) error {
	if !m.answerable() {
		return p.send(message{ID: json.RawMessage("null"), Error: &refusal{Code: -32600, Message: "an id is a string or a number"}})
	}
	answer := message{ID: m.ID}
	if m.Method == "session/request_permission" {
		answer.Result = p.permission(m.Params)
	} else {
		answer.Error = &refusal{Code: -32601, Message: "Vexa has no method " + shorten(m.Method, maxShown)}
	}
	return p.send(answer)
}

// permission allows: the container is the sandbox. Once, where that is offered, since
// some agents write what is allowed for ever into a file of the workspace.
func (p *peer) permission(params json.RawMessage) json.RawMessage {
	var asked struct {
		Call    json.RawMessage `json:"toolCall"`
		Options []struct {
			ID   string `json:"optionId"`
			Kind string `json:"kind"`
		} `json:"options"`
	}
	cancelled := json.RawMessage(`{"outcome":{"outcome":"cancelled"}}`)
	if json.Unmarshal(params, &asked) != nil || p.cancelled.Load() {
		return cancelled
	}
	id, kind := "", ""
	for _, o := range asked.Options {
		if o.Kind == "allow_once" || kind == "" && strings.HasPrefix(o.Kind, "allow") {
			id, kind = o.ID, o.Kind
		}
		if kind == "allow_once" {
			break
		}
	}
	if kind == "" {
		p.events.warn(fault.New(fault.Denied, "the agent asks for leave and offers no way to give it", ""))
		return cancelled
	}
	p.events.permission(asked.Call, kind)
	answer, err := json.Marshal(map[string]any{"outcome": map[string]any{"outcome": "selected", "optionId": id}})
	if err != nil {
		return cancelled
	}
	return answer
}
