package broker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/mcp"
)

// The limits of a tool that names none of its own; see toolv1.Limits.
const (
	defaultCalls       = 1000
	defaultTimeoutSec  = 60
	defaultOutputBytes = 64 << 10
)

// limitsOf returns a tool's limits with the defaults filled in.
func limitsOf(t toolv1.Tool) toolv1.Limits {
	l := toolv1.Limits{}
	if t.Limits != nil {
		l = *t.Limits
	}
	orDefault(&l.Calls, defaultCalls)
	orDefault(&l.TimeoutSec, defaultTimeoutSec)
	orDefault(&l.OutputBytes, defaultOutputBytes)
	return l
}

// calls counts what a unit calls and bounds how much of it runs at once.
type calls struct {
	slots chan struct{} // one for each that runs

	mu   sync.Mutex
	made map[string]int // by tool
}

func newCalls(atOnce int) *calls {
	return &calls{slots: make(chan struct{}, atOnce), made: map[string]int{}}
}

// take counts one more call, unless there were as many as there may be.
func (c *calls) take(tool string, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made[tool] >= most {
		return false
	}
	c.made[tool]++
	return true
}

// schemas holds the compiled inputSchemas by their text.
type schemas struct{ compiled sync.Map }

func (s *schemas) check(t toolv1.Tool, arguments json.RawMessage) error {
	key := string(t.InputSchema)
	v, ok := s.compiled.Load(key)
	if !ok {
		schema, err := contract.CompileSchema("arguments", t.InputSchema)
		if err != nil {
			return err
		}
		v, _ = s.compiled.LoadOrStore(key, schema)
	}
	schema, ok := v.(*contract.Schema)
	if !ok {
		return fault.New(fault.Internal, "no schema", "")
	}
	return schema.Validate(arguments)
}

// Call decides on a call and runs it. Each is recorded once, with how it ended
// and never with what it said.
func (o *offer) Call(ctx context.Context, name string, arguments json.RawMessage) (mcp.Answer, error) {
	s := o.socket
	tool, ok := o.find(name)
	if !ok {
		s.deny(ctx, DeniedTool, refusal{audit.Tool, "call", fmt.Sprintf("tool %.200q is not granted to this dispatch", name)})
		return mcp.Answer{}, mcp.ErrNoTool
	}
	limits := limitsOf(tool)
	refuse := func(reason Denial, why string) (mcp.Answer, error) {
		s.deny(ctx, reason, refusal{audit.Tool, "call", why})
		return mcp.Answer{Text: "vexa: " + why, Failed: true}, nil
	}
	switch err := s.broker.schemas.check(tool, arguments); {
	case err != nil:
		return o.misfit(ctx, tool, err), nil
	case tool.Grant != toolv1.Auto:
		return refuse(DeniedGate, "tool "+name+" waits for a person who approves the call; it was not run")
	case !s.calls.take(name, limits.Calls):
		return refuse(DeniedCalls, fmt.Sprintf("tool %s was called %d times, as often as a dispatch may", name, limits.Calls))
	}
	r := &running{socket: s, limits: limits, began: s.broker.opts.Now(), out: &clipped{most: limits.OutputBytes}, call: toolv1.Call{
		CallID: rand.Text(), Unit: s.session.Unit.ID, Turn: s.turnNow(), Tool: name, Arguments: arguments, TS: s.broker.opts.Now().UTC(),
	}}
	return r.run(ctx), nil
}

func (o *offer) find(name string) (toolv1.Tool, bool) {
	for _, t := range o.tools {
		if t.Name == name {
			return t, true
		}
	}
	return toolv1.Tool{}, false
}

// misfit refuses arguments that break the tool's inputSchema. A model that is
// told how makes better ones, so that nobody else hears of it.
func (o *offer) misfit(ctx context.Context, t toolv1.Tool, err error) mcp.Answer {
	rule := "schema"
	if broken, ok := errors.AsType[*contract.Error](err); ok {
		rule = broken.Rule
	}
	if ok, _ := o.socket.denials.take(); ok {
		o.socket.record(ctx, audit.Event{
			Boundary: audit.Tool, Action: "call", Effect: audit.Deny, Reason: "arguments",
			Detail: map[string]string{"tool": t.Name, "rule": rule},
		})
	}
	return mcp.Answer{Text: "vexa: not called: " + err.Error(), Failed: true}
}

// turnNow is the turn in progress, or the last one.
func (s *Socket) turnNow() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turn
}

// running is one call under way.
type running struct {
	socket *Socket
	call   toolv1.Call
	limits toolv1.Limits
	began  time.Time
	out    *clipped
}

// How a call ended, as the audit log has it.
const (
	callAnswered = "answered"
	callFailed   = "failed"
	callTimeout  = "timeout"
	callGone     = "client-gone"
	callBusy     = "busy"
)

// run waits for a place, runs the call for as long as it may take, and says how
// it ended. A tool that does not end in time keeps its place until it does.
func (r *running) run(ctx context.Context) mcp.Answer {
	request := ctx
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.limits.TimeoutSec)*time.Second)
	defer cancel()
	select {
	case r.socket.calls.slots <- struct{}{}:
	case <-ctx.Done():
		return r.end(request, callBusy, errors.New("too many calls of this dispatch are under way"))
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-r.socket.calls.slots }()
		done <- r.do(ctx)
	}()
	select {
	case err := <-done:
		if err != nil {
			return r.end(request, callFailed, err)
		}
		return r.end(request, callAnswered, nil)
	case <-ctx.Done():
		return r.end(request, callTimeout, fmt.Errorf("it took longer than %d s and was given up", r.limits.TimeoutSec))
	}
}

// do runs the tool. One that panics fails alone.
func (r *running) do(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.socket.log.ErrorContext(ctx, "a tool panicked", "tool", r.call.Tool, "panic", fmt.Sprint(p))
			err = errors.New("it has a defect")
		}
	}()
	return r.socket.broker.opts.Tools.Run(ctx, r.call, r.out)
}

// end records the call and makes its answer.
func (r *running) end(ctx context.Context, outcome string, err error) mcp.Answer {
	if ctx.Err() != nil {
		outcome = callGone
	}
	text, written := r.out.take()
	r.socket.record(ctx, audit.Event{Boundary: audit.Tool, Action: "call", Effect: audit.Allow, Detail: map[string]string{
		"tool":          r.call.Tool,
		"call":          r.call.CallID,
		"outcome":       outcome,
		"argumentBytes": strconv.Itoa(len(r.call.Arguments)),
		"outputBytes":   strconv.FormatInt(written, 10),
		"ms":            strconv.FormatInt(r.socket.broker.opts.Now().Sub(r.began).Milliseconds(), 10),
	}})
	if err != nil {
		if text != "" {
			text += "\n"
		}
		text += "vexa: " + r.call.Tool + ": " + err.Error()
	}
	return mcp.Answer{Text: text, Failed: err != nil}
}
