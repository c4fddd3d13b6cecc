package agent

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

// emitter writes the events of a turn, one write each. After a failed write it
// writes nothing more; err says why.
type emitter struct {
	w   io.Writer
	err error
}

func (e *emitter) emit(ev dialect.Event) {
	if e.err != nil {
		return
	}
	line, err := json.Marshal(ev)
	if err == nil {
		_, err = e.w.Write(append(line, '\n'))
	}
	if err != nil {
		e.err = fault.Wrap(fault.Internal, "write an event", err)
	}
}

func (e *emitter) init(session, name string) {
	e.emit(dialect.Event{Type: dialect.EventInit, Session: session, Model: name})
}

func (e *emitter) delta(d model.Delta) {
	kind := dialect.EventTextDelta
	if d.Kind == model.DeltaReasoning {
		kind = dialect.EventReasoningDelta
	}
	e.emit(dialect.Event{Type: kind, Text: d.Text})
}

func (e *emitter) message(text string) {
	e.emit(dialect.Event{Type: dialect.EventMessage, Text: text})
}

func (e *emitter) call(c model.Call) {
	e.emit(dialect.Event{Type: dialect.EventToolCall, ID: c.ID, Name: c.Name, Arguments: c.Arguments})
}

func (e *emitter) toolResult(r model.Result) {
	e.emit(dialect.Event{Type: dialect.EventToolResult, ID: r.ID, OK: r.OK, Output: r.Output})
}

func (e *emitter) warn(err error) {
	e.emit(dialect.Event{Type: dialect.EventError, Error: err.Error(), Code: string(fault.KindOf(err))})
}

// result writes the terminal event and returns the first error of writing.
func (e *emitter) result(reply string, err error) error {
	ev := dialect.Event{Type: dialect.EventResult, OK: err == nil, Reply: reply}
	if err != nil {
		ev.Error = err.Error()
		if hint := fault.HintOf(err); hint != "" {
			ev.Error += "; " + hint
		}
		ev.Code = string(fault.KindOf(err))
		if errors.Is(err, ErrInterrupted) {
			ev.Code = string(fault.Interrupted)
		}
	}
	e.emit(ev)
	return e.err
}
