// Package sse is what the model adapters share: sending one JSON request and
// reading the server-sent events (WHATWG HTML, section 9.2) of its answer.
package sse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/agent/model"
)

// maxEvent is the longest event that is read, in bytes.
const maxEvent = 32 << 20

var errTooLong = fmt.Errorf("an event of the answer is over %d bytes", maxEvent)

// Event is one server-sent event. Its data is valid until the next one.
type Event struct {
	Type string
	Data []byte
}

// Read calls yield for each event of r until it returns false or an error.
// Comments, ids and retry times are left out. The end of r without the empty
// line that ends an event drops that event, as the standard says.
func Read(r io.Reader, yield func(Event) (more bool, err error)) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var e Event
	var data bytes.Buffer
	hasData := false
	for {
		line, err := readLine(in, maxEvent-data.Len())
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(line) == 0 {
			if hasData {
				e.Data = bytes.TrimSuffix(data.Bytes(), []byte{'\n'})
				if more, err := yield(e); err != nil || !more {
					return err
				}
			}
			e = Event{}
			data.Reset()
			hasData = false
			continue
		}
		field, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(field) {
		case "event":
			e.Type = string(value)
		case "data":
			hasData = true
			data.Write(value)
			data.WriteByte('\n')
		}
	}
}

// readLine returns one line without its ending. A last line without one is
// incomplete and dropped.
func readLine(in *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > limit {
			return nil, errTooLong
		}
		if err == nil && line == nil {
			return trimEnd(part), nil
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return trimEnd(line), nil
		case errors.Is(err, bufio.ErrBufferFull):
		default:
			return nil, err
		}
	}
}

func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
}

// Post sends body as JSON and calls yield for each event of the answer. Its
// errors are *model.Error, except those of yield, which it returns as they
// are, and the context's.
func Post(ctx context.Context, c *http.Client, req Call, yield func(Event) (bool, error)) error {
	body, err := json.Marshal(req.Body)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, req.URL, bytes.NewReader(body))
	if err != nil {
		return &model.Error{Err: err}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	for name, value := range req.Header {
		r.Header.Set(name, value)
	}
	resp, err := c.Do(r)
	if err != nil {
		return lost(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refused(resp)
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		return &model.Error{Status: resp.StatusCode, Msg: fmt.Sprintf("it sent no event stream but %q: %s",
			resp.Header.Get("Content-Type"), strings.ToValidUTF8(string(text), "\uFFFD"))}
	}
	var fromYield error
	err = Read(resp.Body, func(e Event) (bool, error) {
		var more bool
		more, fromYield = yield(e)
		return more, fromYield
	})
	switch {
	case fromYield != nil:
		return fromYield
	case errors.Is(err, errTooLong):
		return &model.Error{Err: err}
	case err != nil:
		return lost(ctx, err)
	default:
		return nil
	}
}

// Call is one request of Post.
type Call struct {
	URL    string
	Header map[string]string
	Body   any
}

// lost is a connection that failed: worth another attempt.
func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &model.Error{Err: err, Transient: true, Lost: true}
}

// refused reads an answer that is no success.
func refused(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	e := Parse(text)
	e.Status = resp.StatusCode
	e.Transient = resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestTimeout
	e.TooLong = !e.Transient && (e.TooLong || resp.StatusCode == http.StatusRequestEntityTooLarge)
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

// Parse reads the error object that both families of providers send, on its
// own or as the body of an answer: {"error": {"type", "code", "message"}} or
// {"error": "…"}. Anything else is its own message.
func Parse(data []byte) *model.Error {
	var outer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	e := &model.Error{}
	if json.Unmarshal(data, &outer) == nil {
		var inner struct {
			Type    string `json:"type"`
			Code    any    `json:"code"` // a string or a number
			Message string `json:"message"`
		}
		switch {
		case json.Unmarshal(outer.Error, &inner) == nil && inner.Message != "":
			e.Msg, e.Code = inner.Message, inner.Type
			if code, ok := inner.Code.(string); ok && code != "" {
				e.Code = code
			}
		case json.Unmarshal(outer.Error, &e.Msg) == nil:
		default:
			e.Msg = outer.Message
		}
	}
	if e.Msg == "" {
		e.Msg = strings.TrimSpace(strings.ToValidUTF8(string(data[:min(len(data), 512)]), "\uFFFD"))
	}
	e.TooLong = tooLong(e.Code, e.Msg)
	return e
}

// tooLong recognises how the common servers say that a conversation does not
// fit: there is no status of its own for it.
func tooLong(code, message string) bool {
	if code == "context_length_exceeded" || code == "exceed_context_size_error" {
		return true
	}
	m := strings.ToLower(message)
	for _, words := range []string{
		"prompt is too long", "maximum context length", "context length exceeded", "context window",
		"exceeds the available context size", "exceed context limit", "too many tokens",
	} {
		if strings.Contains(m, words) {
			return true
		}
	}
	return false
}
