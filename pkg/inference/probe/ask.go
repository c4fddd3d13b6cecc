package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
)

// outcome is what became of one request.
type outcome struct {
	answer   *translate.Answer // never nil; what came of it
	err      error             // why it is not an answer, or not a whole one
	status   int               // of HTTP; 0: there was no answer
	streamed bool
	pieces   int
	first    time.Duration // until the first piece
	writing  time.Duration // from the first piece to the last
}

// ok reports whether there is an answer, if perhaps one without its end.
func (o *outcome) ok() bool {
	return o.err == nil || errors.Is(o.err, translate.ErrCutShort) && len(o.answer.Items) > 0
}

// text is what was said, without what was thought.
func (o *outcome) text() string { return o.join(translate.Text) }

func (o *outcome) join(kind translate.Kind) string {
	var b strings.Builder
	for _, i := range o.answer.Items {
		if i.Kind == kind {
			b.WriteString(i.Text)
		}
	}
	return strings.TrimSpace(b.String())
}

func (o *outcome) calls() []translate.ToolCall {
	var out []translate.ToolCall
	for _, i := range o.answer.Items {
		if i.Kind == translate.Call {
			out = append(out, i.Call)
		}
	}
	return out
}

// refused reports whether the provider does not take such a request, rather than
// having had too many or not knowing the key. Others like it were answered before,
// so that an error of the server's own, and a path or model that is not found, are
// about what is new in it: llama.cpp and OpenRouter say so of tools.
func (o *outcome) refused() bool {
	switch o.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	case http.StatusInternalServerError, http.StatusNotImplemented:
		return true
	default:
		return o.status >= 400 && o.status < 500
	}
}

// failure is a finding of a request that was not answered.
func (o *outcome) failure(name Name, protocol inference.Protocol) Check {
	c := Check{Name: name, Protocol: protocol, State: Unknown, Detail: cause(o.err), Refused: o.refused()}
	if c.Refused {
		c.State = No
	}
	return c
}

// ask sends a request of our own in a protocol. A refusal that names a member
// which it can do without is taken at its word, as the broker takes it.
func (t *test) ask(ctx context.Context, limit time.Duration, protocol inference.Protocol, r translate.Request) outcome {
	if ctx.Err() != nil {
		return outcome{answer: &translate.Answer{}, err: errors.New("not tried: the test ran out of time")}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r.Model = t.o.Model
	path, body, err := translate.Encode(protocol, &r, t.o.Provider.OpenAI())
	if err != nil {
		return outcome{answer: &translate.Answer{}, err: err}
	}
	const most = 3 // members that can be done without
	for attempt := 0; ; attempt++ {
		sent := t.adaptation.Apply(body)
		out, refusal := t.send(ctx, protocol, path, sent, r.Stream)
		next, ok := t.adaptation.Learn(protocol, sent, out.status, refusal)
		if !ok || attempt == most {
			if out.err != nil && ctx.Err() != nil {
				out.err = fmt.Errorf("it did not answer within %s", limit)
			}
			return out
		}
		t.adaptation = next
	}
}

// send makes one request. It returns the body of a refusal, too.
func (t *test) send(ctx context.Context, protocol inference.Protocol, path string, body []byte, stream bool) (out outcome, refusal []byte) {
	out.answer = &translate.Answer{}
	p := t.o.Provider.As(protocol)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Endpoint(path), bytes.NewReader(body))
	if err != nil {
		out.err = err
		return out, nil
	}
	req.Header.Set("Content-Type", "application/json")
	if stream {
		req.Header.Set("Accept", "text/event-stream")
	}
	p.Identify(req.Header, t.o.Key)
	t.report.Requests++
	began := t.o.Now()
	resp, err := t.o.Upstream.Do(req, p)
	if err != nil {
		out.err = errors.New("no answer came: " + cause(err))
		return out, nil
	}
	defer resp.Body.Close()
	out.status = resp.StatusCode
	limited := &bounded{r: resp.Body, left: maxBytes}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		refusal = inference.ReadRefusal(resp.Body)
		out.err = refusalError(resp, refusal)
		return out, refusal
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		out.streamed = true
		t.follow(protocol, limited, began, &out)
	} else {
		t.whole(protocol, limited, &out)
	}
	t.tokens(out.answer.Usage)
	return out, nil
}

// follow reads a streamed answer and the times of its pieces.
func (t *test) follow(protocol inference.Protocol, in io.Reader, began time.Time, out *outcome) {
	var first, last time.Time
	answer, err := translate.ReadStream(protocol, in, func(e translate.Event) {
		if e.Kind != translate.Delta {
			return
		}
		last = t.o.Now()
		if out.pieces++; out.pieces == 1 {
			first = last
		}
	})
	out.answer, out.err = answer, err
	if out.pieces > 0 {
		out.first, out.writing = first.Sub(began), last.Sub(first)
	}
}

// whole reads an answer that is not streamed.
func (t *test) whole(protocol inference.Protocol, in io.Reader, out *outcome) {
	data, err := io.ReadAll(in)
	if err != nil {
		out.err = err
		return
	}
	if answer, err := translate.ReadWhole(protocol, data); err == nil {
		out.answer = answer
		return
	} else if out.err = err; inference.ErrorText(data) != "" {
		out.err = errors.New("an error within a success: " + inference.ErrorText(data))
	}
}

// bounded is a body of which no more than so many bytes are read.
type bounded struct {
	r    io.Reader
	left int
}

// Read reads, and fails beyond the bound.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is larger than %d bytes", maxBytes)
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// refusalError says what an HTTP error means.
func refusalError(resp *http.Response, body []byte) error {
	status := inference.StatusError(resp.StatusCode)
	if status >= 300 && status < 400 {
		return fmt.Errorf("%w: a redirect, which is not followed; is its URL right?", status)
	}
	if text := inference.ErrorText(body); text != "" {
		return fmt.Errorf("%w: %s", status, text)
	}
	return status
}

// unreachable reports whether an error is about the way to the provider.
func unreachable(err error) bool { return fault.Is(err, fault.Unreachable) }

// cause is an error without the words that say who was asked.
func cause(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Err != nil && f.Kind == fault.Unreachable {
		return f.Err.Error()
	}
	return err.Error()
}
