package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
)

// Bounds of an answer, in bytes.
const (
	maxAnswer = 64 << 20 // one that is not streamed
	maxEvent  = 8 << 20  // one line of a stream
)

// relay passes a successful answer on: a stream line by line as it comes, any
// other whole. The error says why the answer is not complete.
func (x *exchange) relay(ctx context.Context, w http.ResponseWriter, resp *http.Response, idle *watchdog) error {
	h := w.Header()
	copyHeader(h, resp.Header)
	if v := resp.Header.Get("Content-Type"); v != "" {
		h.Set("Content-Type", v)
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return x.whole(ctx, w, resp.Body)
	}
	h.Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	out := &flusher{w: w, control: http.NewResponseController(w), patience: idle.after}
	err := x.pump(out, resp.Body, idle)
	if err == nil || out.gone || x.in.Context().Err() != nil {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	_ = out.write(x.errorEvent(x.brokeOff())) // either way this is the end
	return err
}

func (x *exchange) brokeOff() string {
	return fmt.Sprintf("the answer of provider %s broke off", x.provider.Name)
}

// copyHeader copies what a client may know of the provider's header.
func copyHeader(to, from http.Header) {
	for _, name := range []string{"Request-Id", "X-Request-Id", rehearsal.Header} {
		if v := from.Get(name); v != "" {
			to.Set(name, v)
		}
	}
}

// whole reads an answer to its end before a byte of it is passed on, so that
// one that breaks off can still be answered as an error.
func (x *exchange) whole(ctx context.Context, w http.ResponseWriter, body io.Reader) error {
	data, err := x.readAnswer(ctx, w, body)
	if err != nil {
		return err
	}
	x.tally.whole(data)
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(data)
	return err
}

// readAnswer reads an answer to its end. The client of one that breaks off has been
// answered.
func (x *exchange) readAnswer(ctx context.Context, w http.ResponseWriter, body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	if err == nil {
		return data, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	x.tally.bytes = int64(len(data))
	x.refuse(w, x.brokeOff())
	return nil, err
}

// pump passes a stream on until it ends.
func (x *exchange) pump(out *flusher, body io.Reader, idle *watchdog) error {
	lines := &lineFilter{
		tally: &x.tally,
		// A client that did not ask for the usage does not expect its event.
		hide: x.api.protocol == inference.OpenAIChat && !x.request.usage,
	}
	buf := pieces.get()
	defer pieces.put(buf)
	for {
		n, err := body.Read(buf[:])
		idle.touch()
		if pass := lines.add(buf[:n]); len(pass) > 0 {
			if err := out.write(pass); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return out.write(lines.rest)
		case err != nil:
			return err
		case len(lines.rest) > maxEvent:
			return fmt.Errorf("an event of the stream is larger than %d bytes", maxEvent)
		}
	}
}

// pieces are buffers into which pieces of answers are read.
//
//nolint:gochecknoglobals // memory that is used again, and nothing that is remembered
var pieces pool

type pool struct{ free sync.Pool }

type piece [32 << 10]byte

func (p *pool) get() *piece {
	if b, ok := p.free.Get().(*piece); ok {
		return b
	}
	return new(piece)
}

// put takes one back that is not used any more, without what it held.
func (p *pool) put(b *piece) {
	clear(b[:])
	p.free.Put(b)
}

// lineFilter cuts a stream of server-sent events into lines, shows the tally
// each one's data, and takes the events out that are not for the client.
type lineFilter struct {
	tally *tally
	hide  bool   // the event that says the usage alone
	blank bool   // the next empty line belongs to an event that was taken out
	rest  []byte // the line that is not complete
	out   []byte
}

// add returns the complete lines to pass on. They are valid until the next
// call.
func (f *lineFilter) add(p []byte) []byte {
	f.rest = append(f.rest, p...)
	f.out = f.out[:0]
	rest := f.rest
	for {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		line := rest[:i+1]
		rest = rest[i+1:]
		if f.pass(line) {
			f.out = append(f.out, line...)
		}
	}
	f.rest = append(f.rest[:0], rest...)
	return f.out
}

func (f *lineFilter) pass(line []byte) bool {
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		drop := f.blank && len(bytes.TrimSpace(line)) == 0
		f.blank = false
		return !drop
	}
	f.blank = f.tally.observe(data) && f.hide
	return !f.blank
}

// flusher writes to the client at once, and gives up one that does not read.
type flusher struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	gone     bool
}

func (f *flusher) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	err := f.control.SetWriteDeadline(time.Now().Add(f.patience))
	if err == nil {
		_, err = f.w.Write(p)
	}
	if err == nil {
		err = f.control.Flush()
	}
	if err != nil {
		f.gone = true
		return fmt.Errorf("the client is gone: %w", err)
	}
	return nil
}

// errorEvent is how a stream says that it broke.
func (x *exchange) errorEvent(message string) []byte {
	body := errorBody{Type: "error", Error: errorDetail{Type: "api_error", Message: "vexa: " + message}}
	data, err := json.Marshal(body)
	if err != nil {
		return nil // two strings can be encoded
	}
	switch x.api.protocol {
	case inference.AnthropicMessages:
		return fmt.Appendf(nil, "\nevent: error\ndata: %s\n\n", data)
	case inference.OpenAIResponses:
		return responsesErrorEvent(body.Error.Message)
	case inference.Gemini:
		return fmt.Appendf(nil, "\n%s\n\n", translate.GeminiError(http.StatusInternalServerError, body.Error.Message)) // no event: see translate
	default:
		return fmt.Appendf(nil, "\ndata: %s\n\n", data)
	}
}
