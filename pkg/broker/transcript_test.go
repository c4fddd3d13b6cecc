package broker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/stream"
	"github.com/vexa-ai/vexa/pkg/stream/streamtest"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

// book records what a stage sends.
type book struct {
	transcript.ConfigFile
	tb      testing.TB
	streams stream.Sized
	log     *transcript.Log
}

func newBook(tb testing.TB, limits retention.Inference, streams stream.Sized) *book {
	tb.Helper()
	b := &book{ConfigFile: transcript.ConfigFile{Dir: tb.TempDir()}, tb: tb, streams: streams}
	if err := b.Set(true); err != nil {
		tb.Fatal(err)
	}
	b.log = transcript.Open(transcript.Options{Streams: streams, Setting: b, Limits: limits, Now: time.Now})
	return b
}

func (b *book) options(o *broker.Options) { o.Transcripts = b.log }

// wait reads until so many requests have ended.
func (b *book) wait(n int) (got []transcript.Exchange) {
	b.tb.Helper()
	await(b.tb, "the end of the record", func() bool {
		got = got[:0]
		for x, err := range b.log.Read(b.tb.Context(), unitID) {
			if err != nil {
				b.tb.Fatal(err)
			}
			if !x.EndedAt.IsZero() {
				got = append(got, x)
			}
		}
		return len(got) >= n
	})
	if len(got) != n {
		b.tb.Fatalf("%d requests are recorded, want %d", len(got), n)
	}
	return got
}

// wire is a provider that keeps what came over the wire, byte by byte.
type wire struct {
	mu     sync.Mutex
	bodies []string
	urls   []string
	heads  []http.Header
	answer http.HandlerFunc
}

func (p *wire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	p.mu.Lock()
	p.bodies, p.urls = append(p.bodies, string(body)), append(p.urls, "http://"+r.Host+r.URL.String())
	p.heads = append(p.heads, r.Header)
	p.mu.Unlock()
	p.answer(w, r)
}

func answers(kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Set-Cookie", "canary-cookie")
		_, _ = io.WriteString(w, text)
	}
}

const eventStream, wholeJSON = "text/event-stream", "application/json"

// What is recorded is what the provider got and what it sent, byte by byte, in
// its own protocol, whatever the agent spoke.
func TestRecorded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, model, sent string // the agent's path, and the protocol of the provider
		kind, answer      string
	}{
		{messages, "claude/m1", "anthropic-messages", eventStream, anthropicStream},
		{messages, "claude/m1", "anthropic-messages", wholeJSON, anthropicWhole},
		{chat, "local/m2", "openai-chat", eventStream, openaiText + openaiUsage + openaiDone},
		{respond, "oai/r1", "openai-responses", wholeJSON, responsesWhole},
		{messages, "local/m2", "openai-chat", eventStream, chatTurn},
		{respond, "claude/m1", "anthropic-messages", eventStream, messagesTurn},
		{chat, "oai/r1", "openai-responses", wholeJSON, responsesWhole},
	} {
		t.Run(c.path+" at "+c.model+c.kind, func(t *testing.T) {
			t.Parallel()
			b := newBook(t, retention.Inference{}, streamtest.NewMemory())
			up := &wire{answer: answers(c.kind, c.answer)}
			s := open(t, config{upstream: up, options: b.options, session: func(s *broker.Session) { s.Turn = "turn-7" }})
			req := s.request(t.Context(), c.path+"?beta=true&key=leak", asks(c.path, c.model, c.kind == eventStream))
			req.Header.Set("Anthropic-Beta", "tools-2024, more-2025")
			for _, name := range []string{"User-Agent", "Accept", "Anthropic-Version", "Anthropic-Other", "X-Note", "Accept-Language", "Traceparent", "Referer"} {
				req.Header.Set(name, "private words, "+strings.Repeat("canary ", 100))
			}
			req.Header.Add("Anthropic-Beta", "private words that a container would have sent")
			req.Header.Add("Anthropic-Beta", strings.Repeat("x", 65))
			if a := s.do(req); a.status != http.StatusOK {
				t.Fatalf("%d %s", a.status, a.body)
			}
			x := b.wait(1)[0]
			provider, model, _ := strings.Cut(c.model, "/")
			client := map[string]string{messages: "anthropic-messages", chat: "openai-chat", respond: "openai-responses"}[c.path]
			if string(x.Request.Data) != up.bodies[0] || x.URL != up.urls[0] || !strings.Contains(up.bodies[0], "private words") {
				t.Errorf("recorded\n%s %s, sent\n%s %s", x.URL, x.Request.Data, up.urls[0], up.bodies[0])
			}
			if string(x.Answer.Data) != c.answer || x.Answer.Cut || x.Answer.Redacted || x.Request.Redacted {
				t.Errorf("recorded\n%s, answered\n%s", x.Answer.Data, c.answer)
			}
			if x.Provider != provider || x.Model != model || x.Protocol != c.sent || x.Client != client || x.Turn != "turn-7" || x.Number != 1 {
				t.Errorf("%+v", x)
			}
			if x.Ended != (transcript.Ended{Outcome: "answered", Status: 200, InputTokens: 20, OutputTokens: 30}) || len(x.Attempts) != 1 || x.Attempts[0].Status != 200 {
				t.Errorf("%+v %+v", x.Ended, x.Attempts)
			}
			await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
			if d := s.trail.all()[0].Detail; d["recorded"] != "1" {
				t.Errorf("the audit record has %v", d)
			}
			// A header that reaches the provider is recorded, or the same whoever asks.
			for name, values := range up.heads[0] {
				same := map[string]string{"User-Agent": "vexa", "Accept": "application/json, text/event-stream", "Content-Type": "application/json", "Content-Length": fmt.Sprint(len(up.bodies[0]))}
				key := name == "X-Api-Key" || name == "Authorization"
				if value := strings.Join(values, "\x00"); value != same[name] && value != x.Headers[name] && (!key || !strings.Contains(value, canary)) && (name != "Anthropic-Version" || value != "2023-06-01") {
					t.Errorf("the provider was sent %s %.80q, recorded is %v", name, value, x.Headers)
				}
			}
			if direct := c.path == messages && c.sent == "anthropic-messages"; direct != (x.Headers["Anthropic-Beta"] == "tools-2024,more-2025") {
				t.Errorf("recorded are the headers %v", x.Headers)
			}
			for _, hidden := range []string{canary, "canary", s.token} {
				if strings.Contains(fmt.Sprintf("%+v %s %s", x, x.Request.Data, x.Answer.Data), hidden) {
					t.Errorf("%q is recorded", hidden)
				}
			}
		})
	}
}

// Off, nothing is written; and what never leaves is not in the record.
func TestWhatIsNotRecorded(t *testing.T) {
	t.Parallel()
	b := newBook(t, retention.Inference{}, streamtest.NewMemory())
	up := &wire{answer: answers(wholeJSON, anthropicWhole)}
	s := open(t, config{upstream: up, options: b.options})
	for _, body := range []string{say("secret/forbidden", "x", false), "{", say("nobody/serves", "x", false)} {
		if a := s.post(messages, body); a.status != http.StatusBadRequest {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := s.post(messages+"/count_tokens", say("local/m2", "x", false)); a.status != http.StatusOK { // an estimate of our own
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := b.Set(false); err != nil {
		t.Fatal(err)
	}
	if a := s.post(messages, say("claude/m1", "x", false)); a.status != http.StatusOK || len(up.bodies) != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
	await(t, "the audit record", func() bool {
		return slices.ContainsFunc(s.trail.all(), func(e audit.Event) bool { return e.Detail["outcome"] == "answered" })
	})
	if topics, err := b.streams.Topics(t.Context()); err != nil || len(topics) != 0 {
		t.Errorf("%v, %v", topics, err)
	}
	for _, e := range s.trail.all() {
		if e.Detail["recorded"] != "" {
			t.Errorf("%+v", e)
		}
	}
	// Switched on, it counts from the next request on; what is counted by the
	// provider leaves the machine, too.
	if err := b.Set(true); err != nil {
		t.Fatal(err)
	}
	if a := s.post(messages+"/count_tokens", say("claude/m1", "x", false)); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if x := b.wait(1)[0]; !strings.HasSuffix(x.URL, "/v1/messages/count_tokens") || string(x.Request.Data) != up.bodies[1] {
		t.Errorf("%+v", x)
	}
}

// Each time that a request is sent is in the record, and how it ended.
func TestRecordedRetries(t *testing.T) {
	t.Parallel()
	b := newBook(t, retention.Inference{}, streamtest.NewMemory())
	up := &wire{}
	up.answer = func(w http.ResponseWriter, r *http.Request) {
		switch len(up.bodies) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error":{"message":"too busy for `+canary+`"}}`)
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			answers(eventStream, anthropicStream)(w, r)
		default:
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "no tea with "+canary+" or sk-abcdef123")
		}
	}
	s := open(t, config{upstream: up, options: b.options})
	if a := s.post(messages, say("claude/m1", "x", true)); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.post(messages, say("claude/m1", "x", true)); a.status != http.StatusBadRequest {
		t.Fatalf("%d %s", a.status, a.body)
	}
	got := b.wait(2)
	a := got[0].Attempts
	if len(a) != 3 || a[0].Status != 503 || a[0].Error != "provider claude failed (HTTP 503): too busy for [key]" ||
		a[1].Status != 0 || !strings.Contains(a[1].Error, "cannot be reached") || a[2].Status != 200 || a[2].Error != "" {
		t.Errorf("%+v", a)
	}
	if x := got[0]; string(x.Answer.Data) != anthropicStream || x.Ended.Status != 200 || x.Ended.Outcome != "answered" || x.Ended.Error != "" || string(x.Request.Data) != up.bodies[2] {
		t.Errorf("%+v %s", x, x.Answer.Data)
	}
	if x := got[1]; string(x.Answer.Data) != "no tea with [key] or [key]" || x.Ended.Status != http.StatusTeapot || x.Ended.Outcome != "failed" || len(x.Attempts) != 1 || x.Ended.Error == "" {
		t.Errorf("%+v %s", x, x.Answer.Data)
	}
}

// A key that an agent knows, or that a provider repeats, is not recorded.
func TestKeyIsNotRecorded(t *testing.T) {
	t.Parallel()
	b := newBook(t, retention.Inference{}, streamtest.NewMemory())
	s := open(t, config{upstream: &wire{answer: answers(wholeJSON, `{"content":[{"type":"text","text":"it is `+canary+`"}]}`)}, options: b.options})
	if a := s.post(messages, say("claude/m1", "is it "+canary, false)); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s = open(t, config{upstream: &wire{answer: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "not "+canary[:12]+"*****")
	}}, options: b.options})
	if a := s.post(messages, say("claude/m1", "x", false)); a.status != http.StatusBadRequest {
		t.Fatalf("%d %s", a.status, a.body)
	}
	got := b.wait(2)
	if x := got[0]; !x.Request.Redacted || !x.Answer.Redacted || !strings.Contains(string(x.Request.Data), "is it [key]") || !strings.Contains(string(x.Answer.Data), "it is [key]") {
		t.Errorf("%+v %s %s", x, x.Request.Data, x.Answer.Data)
	}
	for _, x := range got {
		if text := fmt.Sprintf("%+v %s %s", x, x.Request.Data, x.Answer.Data); strings.Contains(text, "canary") {
			t.Error(text)
		}
	}
}

// unrecordable takes nothing after a number of records.
type unrecordable struct {
	stream.Sized
	mu   sync.Mutex
	left int
	err  error
}

func (r *unrecordable) Append(ctx context.Context, topic string, payload []byte) (stream.Cursor, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left--; r.left < 0 {
		return "", fmt.Errorf("write /home/jane/.local/state/vexa/streams: %w", r.err)
	}
	return r.Sized.Append(ctx, topic, payload)
}

// What cannot be recorded is not sent, or not sent again; who waits for it is
// told, and of the host nothing.
func TestUnrecordedIsNotSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		left  int
		err   error
		limit int64
		file  string
		sent  int // attempts
		why   string
	}{
		"full disk":                {err: syscall.ENOSPC, why: "no space left on device"},
		"half a record":            {left: 1, err: syscall.ENOSPC, why: "no space left on device"},
		"another reason":           {err: errors.New("journal /home/jane/x is damaged"), why: "vexa daemon logs says why"},
		"the bound":                {left: 9, limit: 10, why: "inference.dispatchMegabytes in config/retention.json"},
		"a setting that says none": {left: 9, file: `{"version":1,"inference":"perhaps"}`, why: "config/recording.json"},
		"a further attempt":        {left: 2, err: syscall.ENOSPC, sent: 1, why: "no space left on device"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBook(t, retention.Inference{Dispatch: c.limit}, &unrecordable{Sized: streamtest.NewMemory(), left: c.left, err: c.err})
			if c.file != "" {
				if err := os.WriteFile(filepath.Join(b.Dir, transcript.File), []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			up := &wire{answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }}
			s := open(t, config{upstream: up, options: b.options})
			a := s.post(messages, say("claude/m1", "private words", true))
			if a.status != http.StatusBadRequest || !strings.Contains(a.message(), "not sent: what goes to models is recorded here") || !strings.Contains(a.message(), c.why) {
				t.Errorf("%d %s", a.status, a.body)
			}
			if len(up.bodies) != c.sent {
				t.Errorf("it was sent %d times", len(up.bodies))
			}
			if strings.Contains(a.body, "/home/") || strings.Contains(fmt.Sprint(s.owner.denials()), "/home/") {
				t.Errorf("%s %v", a.body, s.owner.denials())
			}
			if !strings.Contains(s.log.String(), "could not be recorded") {
				t.Errorf("the log has %s", s.log.String())
			}
			if d := s.owner.denials(); c.sent == 0 && (len(d) != 1 || !strings.HasPrefix(d[0], "record: not sent: ")) {
				t.Errorf("the owner heard %q", d)
			}
			if e := s.trail.all(); c.sent == 0 && (len(e) != 1 || e[0].Reason != "record" || strings.Contains(fmt.Sprint(e), "private words")) {
				t.Errorf("recorded %+v", e)
			}
		})
	}
}

// An answer whose record fails is the agent's all the same, and one that is cut or
// hung up on is recorded as far as it came.
func TestAnswersThatAreNotWhole(t *testing.T) {
	t.Parallel()
	b := newBook(t, retention.Inference{}, &unrecordable{Sized: streamtest.NewMemory(), left: 2, err: syscall.ENOSPC})
	s := open(t, config{upstream: &wire{answer: answers(eventStream, anthropicStream)}, options: b.options})
	if a := s.post(messages, say("claude/m1", "x", true)); a.status != http.StatusOK || a.body != anthropicStream {
		t.Errorf("%d %s", a.status, a.body)
	}
	await(t, "what the log says", func() bool { return strings.Contains(s.log.String(), "the record of an answer is not whole") })

	b = newBook(t, retention.Inference{Answer: 100}, streamtest.NewMemory())
	s = open(t, config{upstream: &wire{answer: answers(eventStream, anthropicStream)}, options: b.options})
	if a := s.post(messages, say("claude/m1", "x", true)); a.body != anthropicStream {
		t.Errorf("%d %s", a.status, a.body)
	}
	if x := b.wait(1)[0]; string(x.Answer.Data) != anthropicStream[:100] || !x.Answer.Cut || x.Answer.Bytes != int64(len(anthropicStream)) {
		t.Errorf("%+v %s", x, x.Answer.Data)
	}

	b = newBook(t, retention.Inference{}, streamtest.NewMemory())
	gone := make(chan struct{})
	s = open(t, config{upstream: &wire{answer: func(w http.ResponseWriter, r *http.Request) {
		answers(eventStream, anthropicStream[:200])(w, r)
		_ = http.NewResponseController(w).Flush()
		<-gone
		panic(http.ErrAbortHandler)
	}}, options: b.options})
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := s.client.Do(s.request(ctx, messages, say("claude/m1", "x", true)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
		t.Error(err)
	}
	cancel()
	_ = resp.Body.Close()
	x := b.wait(1)[0]
	close(gone)
	if x.Ended.Outcome != "client-gone" || string(x.Answer.Data) != anthropicStream[:200] || len(x.Request.Data) == 0 {
		t.Errorf("%+v %s", x, x.Answer.Data)
	}
}

// Requests at once are told apart.
func TestRecordedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBook(t, retention.Inference{}, streamtest.NewMemory())
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, id, _ := strings.Cut(string(body), "number-")
		answers(wholeJSON, `{"content":[{"type":"text","text":"this is number-`+id[:3]+strings.Repeat("x", 200<<10)+`"}]}`)(w, r)
	})
	s := open(t, config{upstream: up, options: b.options})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			s.post(messages, say("claude/m1", fmt.Sprintf("number-%03d ", i)+strings.Repeat("y", 100<<10), false))
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for i, x := range b.wait(40) {
		_, id, _ := strings.Cut(string(x.Request.Data), "number-")
		if x.Number != i+1 || !strings.Contains(string(x.Answer.Data), "this is number-"+id[:3]+"x") || x.Answer.Cut {
			t.Errorf("number %d asks %s", x.Number, id[:3])
		}
		seen[id[:3]] = true
	}
	if len(seen) != 40 {
		t.Errorf("%d of 40 are recorded", len(seen))
	}
}

// The agent's socket serves nothing of it, whatever token it has.
func TestTranscriptIsNotTheAgents(t *testing.T) {
	t.Parallel()
	b := newBook(t, retention.Inference{}, streamtest.NewMemory())
	s := open(t, config{upstream: &wire{answer: answers(wholeJSON, anthropicWhole)}, options: b.options})
	s.post(messages, say("claude/m1", "CANARYprompt", false))
	b.wait(1)
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		for _, path := range []string{
			"/v1/dispatches/" + unitID + "/inference", "/v1/dispatches/" + unitID, "/v1/dispatches", "/v1/recording", "/v1/inference", "/inference",
			"/v1/messages/../dispatches/" + unitID + "/inference", "/v1/models/" + unitID + "/inference",
		} {
			req := s.request(t.Context(), path, `{"inference":false}`)
			req.Method = method
			a := s.do(req)
			if a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed || strings.Contains(a.body, "CANARY") {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
		}
	}
	if on, err := b.On(); !on || err != nil {
		t.Errorf("it is switched off: %v", err)
	}
	// Nor does what it asks for have a say in it.
	for _, member := range []string{`"record":false`, `"store":false`, `"metadata":{"record":"off"}`} {
		s.post(messages, `{"model":"claude/m1",`+member+`,"max_tokens":1,"messages":[{"role":"user","content":"x"}]}`)
	}
	b.wait(4)
}

func TestRehearsalIsRecorded(t *testing.T) {
	t.Parallel()
	b := newBook(t, retention.Inference{}, streamtest.NewMemory())
	s := open(t, config{options: b.options})
	for _, path := range []string{messages, respond} {
		if a := s.post(path, asks(path, "play/rehearsal", true)); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	got := b.wait(2)
	if x := got[0]; x.URL != "/v1/messages" || x.Protocol != string(inference.AnthropicMessages) || x.Client != x.Protocol || len(x.Answer.Data) == 0 {
		t.Errorf("%+v", x)
	}
	if x := got[1]; x.Client != string(inference.OpenAIResponses) || x.Protocol != string(inference.AnthropicMessages) {
		t.Errorf("%+v", x)
	}
}

// A request that is sent again in another form is another request: each is recorded
// as it was sent.
func TestRecordedAdaptations(t *testing.T) {
	t.Parallel()
	b := newBook(t, retention.Inference{}, streamtest.NewMemory())
	up := &provider{answer: refusing("max_tokens")}
	s := open(t, config{upstream: up, options: b.options})
	if a := s.post(chat, warm(chat, "local/m2", true)); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	got := b.wait(2)
	if x := got[0]; x.Ended.Outcome != "refused" || x.Ended.Status != http.StatusBadRequest || x.Ended.Error == "" || x.Ended.InputTokens != 0 ||
		!strings.Contains(string(x.Request.Data), `"max_tokens":99`) || !strings.Contains(string(x.Answer.Data), "Unsupported parameter") {
		t.Errorf("%+v %s %s", x, x.Request.Data, x.Answer.Data)
	}
	if x := got[1]; x.Ended.Outcome != "answered" || x.Ended.Error != "" || x.Ended.InputTokens == 0 || len(x.Attempts) != 1 ||
		!strings.Contains(string(x.Request.Data), `"max_completion_tokens":99`) || strings.Contains(string(x.Request.Data), `"max_tokens"`) {
		t.Errorf("%+v %s %s", x, x.Request.Data, x.Answer.Data)
	}
	if s.post(chat, warm(chat, "local/m2", true)); !strings.Contains(string(b.wait(3)[2].Request.Data), `"max_completion_tokens":99`) {
		t.Error("what was learned is not in what is recorded")
	}
}
