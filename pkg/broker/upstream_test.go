package broker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/broker"
)

// An event is with the client before the provider says the next.
func TestStreamsAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, model string }{{messages, "claude/m1"}, {chat, "local/m2"}} {
		heard := make(chan struct{})
		up := &provider{answer: func(w http.ResponseWriter, _ *http.Request, _ map[string]json.RawMessage) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			for range 3 {
				_, _ = io.WriteString(w, openaiText)
				_ = http.NewResponseController(w).Flush()
				<-heard
			}
		}}
		s := open(t, config{upstream: up})
		resp, err := s.client.Do(s.request(t.Context(), c.path, say(c.model, "x", true)))
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, len(openaiText))
		for range 3 {
			if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != openaiText {
				t.Fatalf("%q, %v", buf, err)
			}
			heard <- struct{}{}
		}
		_ = resp.Body.Close()
	}
}

// A client that hangs up ends the provider's work, and pays for what it had.
func TestClientGoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, model, first string }{
		{messages, "claude/m1", anthropicStream[:strings.Index(anthropicStream, "event: message_delta")]},
		{chat, "local/m2", strings.Repeat(openaiText, 100)},
	} {
		gone := make(chan struct{})
		up := &provider{answer: func(w http.ResponseWriter, r *http.Request, _ map[string]json.RawMessage) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, c.first)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(gone)
		}}
		s := open(t, config{upstream: up})
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := s.client.Do(s.request(ctx, c.path, say(c.model, strings.Repeat("x", 400), true)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, len(c.first))); err != nil {
			t.Fatal(err)
		}
		cancel()
		_ = resp.Body.Close()
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			t.Fatal("the provider went on")
		}
		await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
		d := s.trail.all()[0].Detail
		turn, _ := s.socket.Usage()
		if d["outcome"] != "client-gone" || d["estimated"] != "true" || turn.InputTokens < 20 || turn.OutputTokens == 0 {
			t.Errorf("%s: recorded %v, used %+v", c.path, d, turn)
		}
	}
}

// What a provider has had is counted, also where no byte of an answer came: a
// client that hangs up in time would get the work for nothing.
func TestUnansweredIsMetered(t *testing.T) {
	t.Parallel()
	prompt := strings.Repeat("x", 4000)
	asked := make(chan struct{})
	up := &provider{answer: func(_ http.ResponseWriter, r *http.Request, _ map[string]json.RawMessage) {
		close(asked)
		<-r.Context().Done()
	}}
	s := open(t, config{upstream: up})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := s.client.Do(s.request(ctx, messages, say("claude/m1", prompt, false))); err == nil { //nolint:bodyclose // there is none
		t.Fatal("it was answered")
	}
	await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
	d := s.trail.all()[0].Detail
	if turn, _ := s.socket.Usage(); d["outcome"] != "client-gone" || d["estimated"] != "true" || turn.InputTokens < 1000 || turn.InputTokens > 1100 {
		t.Errorf("recorded %v, used %+v", d, turn)
	}

	var broken atomic.Int32
	s = open(t, config{upstream: &provider{answer: func(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
		if broken.Add(1) < 3 {
			panic(http.ErrAbortHandler)
		}
		good(w, r, body)
	}}})
	if a := s.post(messages, say("claude/m1", prompt, true)); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if turn, _ := s.socket.Usage(); turn.Requests != 1 || turn.InputTokens < 2000 || turn.InputTokens > 2300 {
		t.Errorf("used %+v", turn)
	}
}

// What a provider does wrong ends as 400, the one status at which agents stop,
// after as many attempts as can help.
func TestProviderFails(t *testing.T) {
	t.Parallel()
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"error":{"message":"said with %s, also sk-abcd***wxyz"}}`, canary)
		}
	}
	for name, c := range map[string]struct {
		h        http.HandlerFunc
		attempts int32
		want     string
	}{
		"400":                 {status(400), 1, "refuses the request (HTTP 400): said with [key], also [key]"},
		"401":                 {status(401), 1, "refuses its key (HTTP 401)"},
		"403":                 {status(403), 1, "refuses its key (HTTP 403)"},
		"404":                 {status(404), 1, "does not know the model m1"},
		"413":                 {status(413), 1, "HTTP 413"},
		"422":                 {status(422), 1, "HTTP 422"},
		"429":                 {status(429), 4, "too many requests (HTTP 429)"},
		"500":                 {status(500), 4, "failed (HTTP 500)"},
		"501":                 {status(501), 1, "failed (HTTP 501)"},
		"503 for long":        {status(503, "Retry-After", "3600"), 1, "failed (HTTP 503)"},
		"503 until a date":    {status(503, "Retry-After", "Fri, 31 Dec 2100 23:59:59 GMT"), 1, "failed (HTTP 503)"},
		"529":                 {status(529), 4, "failed (HTTP 529)"},
		"a redirect":          {status(302, "Location", "http://127.0.0.1:1/"), 1, "redirect (HTTP 302)"},
		"a hung connection":   {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 1, "did not answer in time"},
		"an answer that ends": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 4, "cannot be reached"},
		"an encoding":         {status(200, "Content-Encoding", "br"), 1, `encoding "br"`},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		}, 1, "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				c.h(w, r)
			})
			s := open(t, config{upstream: up, options: func(o *broker.Options) { o.Timeouts.Idle = time.Second }})
			a := s.post(messages, say("claude/m1", "private words", false))
			if a.status != http.StatusBadRequest || !strings.Contains(a.message(), c.want) {
				t.Errorf("%d %s; want %q", a.status, a.body, c.want)
			}
			if asked.Load() != c.attempts {
				t.Errorf("asked %d times; want %d", asked.Load(), c.attempts)
			}
			if a.header.Get("X-Should-Retry") != "false" {
				t.Errorf("header %v", a.header)
			}
			await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
			d := s.trail.all()[0].Detail
			if d["outcome"] != "failed" || d["attempts"] != fmt.Sprint(c.attempts) {
				t.Errorf("recorded %v", d)
			}
			if all := fmt.Sprint(a, s.trail.all(), s.log.String()); strings.Contains(all, canary[:8]) || strings.Contains(all, "sk-abcd") || strings.Contains(all, "private words") {
				t.Errorf("a key or content is in %s", all)
			}
		})
	}
}

// A provider that comes back within the attempts is not an error at all.
func TestProviderRecovers(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	up := &provider{answer: func(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		good(w, r, body)
	}}
	s := open(t, config{upstream: up})
	if a := s.post(messages, say("claude/m1", "x", true)); a.status != http.StatusOK || a.body != anthropicStream {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if turn, _ := s.socket.Usage(); turn.Requests != 1 {
		t.Errorf("used %+v", turn)
	}
}

// A connection that breaks before the first byte of its answer is tried again,
// also where its header was a success; one that breaks after it is not.
func TestProviderBreaksBeforeItSpeaks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, model, want string }{
		{messages, "claude/m1", anthropicStream}, {respond, "local/m2", "event: response.completed"},
	} {
		var asked atomic.Int32
		up := &provider{answer: func(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
			w.Header().Set("Content-Type", "text/event-stream")
			if asked.Add(1) < 3 {
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			if c.path == respond {
				upstreams(w, r, body)
				return
			}
			good(w, r, body)
		}}
		s := open(t, config{upstream: up})
		if a := s.post(c.path, asks(c.path, c.model, true)); a.status != http.StatusOK || !strings.Contains(a.body, c.want) || asked.Load() != 3 {
			t.Errorf("%s: %d %s after %d", c.path, a.status, a.body, asked.Load())
		}
	}
}

// A provider is left alone for as long as it asks to be.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	up := &provider{answer: func(w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage) {
		if asked.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		good(w, r, body)
	}}
	s := open(t, config{upstream: up})
	begin := time.Now()
	if a := s.post(messages, say("claude/m1", "x", true)); a.status != http.StatusOK || time.Since(begin) < time.Second {
		t.Errorf("%d %s after %s", a.status, a.body, time.Since(begin))
	}
}

func TestProviderUnreachable(t *testing.T) {
	t.Parallel()
	s := open(t, config{}) // nothing listens there
	if a := s.post(chat, say("local/m2", "x", true)); a.status != http.StatusBadRequest || a.message() != "vexa: provider local cannot be reached" {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

// A connection outlives the deadlines of the stream that it carried.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	const idle = 200 * time.Millisecond
	s := open(t, config{upstream: &provider{}, options: func(o *broker.Options) { o.Timeouts.Idle = idle }})
	dials := 0
	s.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		dials++
		return s.dial(ctx)
	}}
	t.Cleanup(s.client.CloseIdleConnections)
	for range 2 {
		if a := s.post(messages, say("claude/m1", "x", true)); a.body != anthropicStream {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := s.post(messages, say("claude/m1", "x", false)); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		<-time.After(idle + 50*time.Millisecond)
	}
	if a := s.post(messages, "{"); a.status != http.StatusBadRequest || dials != 1 {
		t.Errorf("%d %s, over %d connections", a.status, a.body, dials)
	}
}

// A stream that breaks says so within the stream, in the protocol's form.
func TestStreamBreaks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, model, event string }{
		{messages, "claude/m1", "event: error\ndata: {\"type\":\"error\""}, {chat, "local/m2", "data: {\"type\":\"error\",\"error\":"},
	} {
		for name, h := range map[string]func(r *http.Request){
			"cut off": func(*http.Request) { panic(http.ErrAbortHandler) },
			"silent":  func(r *http.Request) { <-r.Context().Done() },
		} {
			up := &provider{answer: func(w http.ResponseWriter, r *http.Request, _ map[string]json.RawMessage) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, openaiText+"data: {\"half")
				_ = http.NewResponseController(w).Flush()
				h(r)
			}}
			s := open(t, config{upstream: up, options: func(o *broker.Options) { o.Timeouts.Idle = 200 * time.Millisecond }})
			a := s.post(c.path, say(c.model, "x", true))
			if !strings.HasPrefix(a.body, openaiText) || !strings.Contains(a.body, c.event) || !strings.Contains(a.body, "broke off") {
				t.Errorf("%s %s: %q", c.path, name, a.body)
			}
			await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
			if d := s.trail.all()[0].Detail; d["outcome"] != "failed" {
				t.Errorf("recorded %v", d)
			}
		}
	}
}

func TestTotalTime(t *testing.T) {
	t.Parallel()
	up := &provider{answer: func(w http.ResponseWriter, r *http.Request, _ map[string]json.RawMessage) {
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, ": still here\n\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(time.Millisecond):
			case <-r.Context().Done():
			}
		}
	}}
	s := open(t, config{upstream: up, options: func(o *broker.Options) { o.Timeouts.Total = 200 * time.Millisecond }})
	if a := s.post(messages, say("claude/m1", "x", true)); !strings.Contains(a.body, "event: error") {
		t.Errorf("%d %.200s", a.status, a.body)
	}
}
