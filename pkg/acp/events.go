package acp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

// emitter writes the events of a turn, one write each. After a failed write it writes
// nothing more. It is safe for concurrent use.
type emitter struct {
	mu  sync.Mutex
	w   io.Writer
	err error
}

func (e *emitter) emit(ev dialect.ACPEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return
	}
	line, err := jsonLine(ev)
	if err == nil {
		_, err = e.w.Write(line)
	}
	if err != nil {
		e.err = fault.Wrap(fault.Internal, "write an event", err)
	}
}

// failed returns why events are no longer written.
func (e *emitter) failed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

func (e *emitter) session(id, agent string) {
	e.emit(dialect.ACPEvent{Type: dialect.ACPSession, Session: id, Agent: shorten(agent, maxShown)})
}

func (e *emitter) update(raw json.RawMessage) {
	e.emit(dialect.ACPEvent{Type: dialect.ACPUpdate, Update: raw})
}

func (e *emitter) permission(call json.RawMessage, option string) {
	e.emit(dialect.ACPEvent{Type: dialect.ACPPermission, Update: call, Option: shorten(option, maxShown)})
}

func (e *emitter) noise(line []byte) {
	e.emit(dialect.ACPEvent{Type: dialect.ACPNoise, Text: shorten(string(line[:min(len(line), maxShown)]), maxShown)})
}

func (e *emitter) warn(err error) {
	e.emit(dialect.ACPEvent{Type: dialect.ACPWarning, Error: err.Error(), Code: string(fault.KindOf(err))})
}

// result writes the terminal event and returns the first error of writing.
func (e *emitter) result(end ending, err error) error {
	ev := dialect.ACPEvent{Type: dialect.ACPResult, OK: err == nil, StopReason: shorten(end.StopReason, maxShown)}
	if len(end.Usage) <= maxCause {
		ev.Usage = end.Usage
	}
	if err != nil {
		ev.Error, ev.Code = err.Error(), string(fault.KindOf(err))
		if hint := fault.HintOf(err); hint != "" {
			ev.Error += "; " + hint
		}
		if errors.Is(err, ErrInterrupted) {
			ev.Code = string(fault.Interrupted)
		}
	}
	e.emit(ev)
	return e.failed()
}

// jsonLine is v as a line. Angles stay what they are: a page of them would be six times
// as long.
func jsonLine(v any) ([]byte, error) {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return line.Bytes(), err
}
