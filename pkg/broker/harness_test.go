package broker_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/identity"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
	"github.com/vexa-ai/vexa/pkg/link"
	"github.com/vexa-ai/vexa/pkg/seal"
)

const (
	issuer = "vexa:0123456789ab"
	unitID = "01JDQ8Z5T6K3M9W2R4X7Y1A0BC"
	other  = "01JDQ8Z5T6K3M9W2R4X7Y1A0BD"
	canary = "canary0123456789abcdef" // of no form that keys usually have

	messages = "/v1/messages"
	chat     = "/v1/chat/completions"
	respond  = "/v1/responses"
	models   = "/v1beta/models/"
	generate = models + "gem/g1:generateContent"
)

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func unit(id string) unitv1.Unit {
	return unitv1.Unit{
		ID: id, Identity: unitv1.Identity{Subject: "u_jane", Launcher: "user:u_jane"}, Runner: "vexa", Model: "claude/m1",
		Workspaces: []unitv1.Workspace{{ID: "w1", Mode: unitv1.ReadWrite}}, Trigger: unitv1.TriggerMessage,
		Start: unitv1.Start{Entrypoint: &unitv1.Entrypoint{Inline: "hello"}}, Tools: grantedTools(),
	}
}

// granted are the models of every token: what they stand for is in table.
func granted() []string {
	return []string{"claude/m1", "local/m2", "play/rehearsal", "gone/m3", "gem/g1", "oai/r1"}
}

func mint(tb testing.TB, k ed25519.PrivateKey, id string, at time.Time) string {
	tb.Helper()
	a := identity.NewAuthority(identity.Options{Issuer: issuer, Key: k, Now: func() time.Time { return at }, NewID: func() string { return "t1" }})
	token, err := a.Mint(unit(id), granted(), time.Hour)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// trail is an audit log in memory.
type trail struct {
	mu     sync.Mutex
	events []audit.Event
}

func (a *trail) Record(_ context.Context, e audit.Event) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e)
	return nil
}

func (a *trail) all() []audit.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]audit.Event(nil), a.events...)
}

// owner hears the events of a socket.
type owner struct {
	mu        sync.Mutex
	said      []string      // in order
	reports   []wsv2.Report // stored
	denied    []string
	turn, all wsv2.Usage

	refuse func(wsv2.Report) error // nil: everything is stored
	hello  func(wsv2.Report) error
}

func (o *owner) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = append(o.said, fmt.Sprintf(format, args...))
}

func (o *owner) Connected(_ context.Context, hello wsv2.Report) error {
	o.note("connected %s", hello.Turn)
	if o.hello != nil {
		return o.hello(hello)
	}
	return nil
}

func (o *owner) Report(_ context.Context, r wsv2.Report) error {
	if o.refuse != nil {
		if err := o.refuse(r); err != nil {
			return err
		}
	}
	o.note("%s %d", r.Type, r.AgentSeq)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reports = append(o.reports, r)
	return nil
}

func (o *owner) Disconnected(err error) { o.note("disconnected %t", err == nil) }

func (o *owner) Usage(turn, all wsv2.Usage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn, o.all = turn, all
}

func (o *owner) Denied(reason broker.Denial, detail string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.denied = append(o.denied, string(reason)+": "+detail)
}

func (o *owner) denials() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.denied...)
}

func (o *owner) history() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.said, ", ")
}

func (o *owner) used() (turn, all wsv2.Usage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.turn, o.all
}

// await waits for a condition that another goroutine brings about.
func await(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			tb.Fatalf("%s did not come about", what)
		}
	}
}

// stage is a broker with a provider behind it and a dispatch in front.
type stage struct {
	tb     testing.TB
	dir    string
	token  string
	owner  *owner
	trail  *trail
	log    *lockedBuffer
	broker *broker.Broker
	socket *broker.Socket
	client *http.Client
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type config struct {
	upstream http.Handler // of both HTTP providers
	cassette string
	options  func(*broker.Options)
	session  func(*broker.Session)
	owner    *owner
	dir      string
}

// brisk makes failures quick.
func brisk(o *broker.Options) {
	o.Timeouts.Retry = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
}

func open(tb testing.TB, c config) *stage {
	tb.Helper()
	s := &stage{tb: tb, dir: c.dir, owner: c.owner, trail: &trail{}, log: &lockedBuffer{}}
	if s.owner == nil {
		s.owner = &owner{}
	}
	if s.dir == "" {
		s.dir = tb.TempDir()
	}
	s.token = mint(tb, key(1), unitID, time.Now())
	opts := broker.Options{
		Verifier:  identity.NewVerifier(issuer, key(1).Public().(ed25519.PublicKey), time.Now),
		Providers: table(tb, c),
		Upstream:  inference.NewUpstream(inference.UpstreamOptions{}),
		Tools:     offeredTools(tb),
		Audit:     s.trail, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	brisk(&opts)
	if c.options != nil {
		c.options(&opts)
	}
	b, err := broker.New(opts)
	if err != nil {
		tb.Fatal(err)
	}
	s.broker = b
	session := broker.Session{Unit: unit(unitID), Dir: s.dir, Events: s.owner}
	if c.session != nil {
		c.session(&session)
	}
	if s.socket, err = b.Open(tb.Context(), session); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.socket.Close(); err != nil {
			tb.Error(err)
		}
	})
	s.dialler()
	return s
}

func (s *stage) dialler() {
	s.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) }, MaxIdleConnsPerHost: 64,
	}}
	s.tb.Cleanup(s.client.CloseIdleConnections)
}

// beside is another dispatch of the same broker.
func (s *stage) beside() *stage {
	s.tb.Helper()
	b := &stage{tb: s.tb, dir: s.tb.TempDir(), token: mint(s.tb, key(1), other, time.Now()), owner: &owner{}, trail: s.trail, log: s.log, broker: s.broker}
	var err error
	if b.socket, err = s.broker.Open(s.tb.Context(), broker.Session{Unit: unit(other), Dir: b.dir, Events: b.owner}); err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = b.socket.Close() })
	b.dialler()
	return b
}

// tryOpen opens a socket in dir.
func tryOpen(t *testing.T, dir string) (*broker.Socket, error) {
	t.Helper()
	b, err := broker.New(broker.Options{
		Verifier:  identity.NewVerifier(issuer, key(1).Public().(ed25519.PublicKey), time.Now),
		Providers: table(t, config{}), Upstream: inference.NewUpstream(inference.UpstreamOptions{}),
		Audit: &trail{}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Open(t.Context(), broker.Session{Unit: unit(unitID), Dir: dir, Events: &owner{}})
}

// table has a provider of each protocol, and one that does not answer.
func table(tb testing.TB, c config) *inference.Table {
	tb.Helper()
	id, err := seal.NewIdentity()
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	t, err := inference.Open(inference.Options{Dir: dir, Sealer: id, Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	url := "http://127.0.0.1:1"
	if c.upstream != nil {
		server := httptest.NewServer(c.upstream)
		tb.Cleanup(server.Close)
		url = server.URL
	}
	cassette := dir + "/play.yaml"
	if c.cassette == "" {
		c.cassette = string(rehearsal.Shipped())
	}
	if err := os.WriteFile(cassette, []byte(c.cassette), 0o600); err != nil {
		tb.Fatal(err)
	}
	for _, p := range []struct {
		inference.Provider
		key string
	}{
		{inference.Provider{Name: "claude", Protocol: inference.AnthropicMessages, URL: url, Models: []string{"m1"}, Prices: map[string]inference.Price{"m1": {Input: 1, Output: 2}}}, canary},
		{inference.Provider{Name: "local", Protocol: inference.OpenAIChat, URL: url + "/v1", Models: []string{"m2"}}, canary},
		{inference.Provider{Name: "play", Protocol: inference.Rehearsal, Cassette: cassette, Models: []string{"rehearsal"}}, ""},
		{inference.Provider{Name: "oai", Protocol: inference.OpenAIResponses, URL: url, Models: []string{"r1"}}, canary},
		{inference.Provider{Name: "gem", Protocol: inference.Gemini, URL: url, Models: []string{"g1"}}, canary},
		{inference.Provider{Name: "secret", Protocol: inference.OpenAIChat, URL: url, Models: []string{"forbidden"}}, canary},
	} {
		if err := t.Add(tb.Context(), p.Provider, []byte(p.key)); err != nil {
			tb.Fatal(err)
		}
	}
	return t
}

// dial connects to the socket, however long its path is.
func (s *stage) dial(ctx context.Context) (net.Conn, error) {
	d, err := os.Open(s.dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", "/proc/self/fd/"+strconv.Itoa(int(d.Fd()))+"/"+broker.SocketName)
}

// worker attaches a worker that has said hello.
func (s *stage) worker(turn string) *link.Conn {
	s.tb.Helper()
	c, err := link.Dial(s.tb.Context(), s.dial, s.token)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = c.Close() })
	if err := c.Send(wsv2.Report{Type: wsv2.ReportHello, Turn: turn}); err != nil {
		s.tb.Fatal(err)
	}
	return c
}

// answer is what the client got.
type answer struct {
	status int
	header http.Header
	body   string
}

// message returns the message of an error in either protocol's form.
func (a answer) message() string {
	var e struct {
		Error struct{ Message string }
	}
	_ = json.Unmarshal([]byte(a.body), &e)
	return e.Error.Message
}

func (s *stage) request(ctx context.Context, path, body string) *http.Request {
	s.tb.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://broker"+path, strings.NewReader(body))
	if err != nil {
		s.tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.token)
	return req
}

func (s *stage) do(req *http.Request) answer {
	s.tb.Helper()
	resp, err := s.client.Do(req)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.tb.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(data)}
}

func (s *stage) post(path, body string) answer {
	s.tb.Helper()
	return s.do(s.request(s.tb.Context(), path, body))
}

// say makes a request of a model.
func say(model, text string, stream bool) string {
	data, err := json.Marshal(map[string]any{
		"model": model, "stream": stream, "max_tokens": 10, "messages": []any{map[string]string{"role": "user", "content": text}},
	})
	if err != nil {
		panic(err)
	}
	return string(data)
}
