package daemon_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/fault"
)

const topic = "unit:" + unit + ":out"

// page is a WebSocket to the daemon, and the events that came over it.
type page struct {
	t    *testing.T
	conn *websocket.Conn
	got  []sent // not yet taken
}

type sent struct{ id, kind, data string }

func (l *live) page(t *testing.T) *page {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", l.socket)
	}}
	conn, res, err := websocket.Dial(t.Context(), "ws://vexa/v1/subscribe", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	check(t, err)
	if res.Body != nil {
		defer res.Body.Close()
	}
	conn.SetReadLimit(64 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &page{t: t, conn: conn}
}

func (p *page) ask(action string, topics ...wsv2.Subscription) {
	p.t.Helper()
	data, err := json.Marshal(wsv2.Subscribe{Action: action, Topics: topics})
	check(p.t, err)
	check(p.t, contract.Validate("ws.v2#Subscribe", data))
	check(p.t, p.conn.Write(p.t.Context(), websocket.MessageText, data))
}

// next returns the next event; comments are passed over.
func (p *page) next() (sent, error) {
	for len(p.got) == 0 {
		ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
		_, data, err := p.conn.Read(ctx)
		cancel()
		if err != nil {
			return sent{}, err
		}
		for block := range strings.SplitSeq(string(data), "\n\n") {
			var e sent
			for line := range strings.SplitSeq(block, "\n") {
				name, value, _ := strings.Cut(line, ": ")
				switch name {
				case "id":
					e.id = value
				case "event":
					e.kind = value
				case "data":
					e.data = value
				}
			}
			if e.data != "" {
				p.got = append(p.got, e)
			}
		}
	}
	e := p.got[0]
	p.got = p.got[1:]
	return e, nil
}

// frames takes the frames from one number to another and returns the last cursor.
func (p *page) frames(first, last int) (cursor string) {
	p.t.Helper()
	for n := first; n <= last; n++ {
		e, err := p.next()
		check(p.t, err)
		f, err := contract.Decode[wsv2.Frame]("ws.v2#Frame", []byte(e.data))
		if err != nil || f.Seq != uint64(n) || f.Unit != unit {
			p.t.Fatalf("frame %d is %+v, %v", n, e, err)
		}
		cursor = e.id
	}
	return cursor
}

// What a page follows it gets once and in order, over a connection that ends too, and
// at the end it is told.
func TestSubscribe(t *testing.T) {
	t.Parallel()
	l := newLive(t, 0)
	l.flood(600, 100) // more than are read at once
	p := l.page(t)
	p.ask("subscribe", wsv2.Subscription{Topic: topic})
	p.frames(1, 600)
	l.flood(1, 70_000) // more than are put into one message
	l.flood(50, 10)
	cursor := p.frames(601, 651)
	check(t, p.conn.Close(websocket.StatusNormalClosure, ""))

	l.flood(10, 10)
	p = l.page(t)
	p.ask("subscribe", wsv2.Subscription{Topic: topic, From: cursor})
	p.frames(652, 661)
	// Asked for again it begins again, and nothing of before comes between.
	p.ask("subscribe", wsv2.Subscription{Topic: topic, From: cursor})
	p.frames(652, 661)
	p.ask("unsubscribe", wsv2.Subscription{Topic: topic})
	p.ask("subscribe", wsv2.Subscription{Topic: "unit:01K0000000000000000000N0NE:out"})
	e, err := p.next()
	check(t, err)
	var refused struct {
		Topic string
		Error api.Error
	}
	check(t, json.Unmarshal([]byte(e.data), &refused))
	if e.kind != "error" || refused.Topic != "unit:01K0000000000000000000N0NE:out" || refused.Error.Code != string(fault.NotFound) {
		t.Errorf("an unknown unit: %+v", e)
	}
	l.flood(1, 10)
	p.ask("subscribe", wsv2.Subscription{Topic: topic, From: "nonsense"})
	if e, err = p.next(); err != nil || e.kind != "error" || !strings.Contains(e.data, topic) || !strings.Contains(e.data, string(fault.Invalid)) {
		t.Errorf("a cursor that is none: %+v, %v", e, err)
	}

	p.ask("subscribe", wsv2.Subscription{Topic: topic})
	p.frames(1, 662)
	c := l.client()
	defer c.Close()
	_, err = c.Stop(t.Context(), unit, false)
	check(t, err)
	for n := 663; ; n++ {
		if e, err = p.next(); err != nil {
			t.Fatal(err)
		}
		if e.kind == "end" {
			break
		}
		if !strings.HasPrefix(e.data, `{"seq":`) {
			t.Fatalf("frame %d is %+v", n, e)
		}
	}
	if e.data != topic {
		t.Errorf("the end is of %q", e.data)
	}
}

// A page that sends something else, or too much, is left.
func TestSubscriptionsThatAreNone(t *testing.T) {
	t.Parallel()
	l := newLive(t, 0)
	for _, text := range []string{
		"", "{}", "null", `{"action":"subscribe"}`, `{"action":"publish","topics":[]}`, `{"action":"subscribe","topics":[{"topic":"unit:x:in"}]}`,
		`{"action":"subscribe","topics":[{"topic":"unit:` + unit + `:inference"}]}`, `{"action":"subscribe","topics":[],"more":1}`, `{"action":"subscribe","topics":[` + strings.Repeat(" ", 1<<17) + `]}`,
	} {
		p := l.page(t)
		_ = p.conn.Write(t.Context(), websocket.MessageText, []byte(text)) // it may be left before it has said all
		if e, err := p.next(); err == nil {
			t.Errorf("%.60s: got %+v", text, e)
		}
	}
	p := l.page(t)
	check(t, p.conn.Write(t.Context(), websocket.MessageBinary, []byte(`{"action":"subscribe","topics":[]}`)))
	if e, err := p.next(); err == nil {
		t.Errorf("bytes: got %+v", e)
	}
	p = l.page(t)
	for i := range 65 {
		id := []byte("01K00000000000000000000000")
		id[24], id[25] = "0123456789ABCDEF"[i/16], "0123456789ABCDEF"[i%16]
		p.ask("subscribe", wsv2.Subscription{Topic: "unit:" + string(id) + ":out"})
	}
	for {
		if _, err := p.next(); err != nil {
			if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
				t.Errorf("too many topics: %v", err)
			}
			return
		}
	}
}

// A page that takes nothing is dropped, and keeps nobody else from reading.
func TestAPageThatTakesNothing(t *testing.T) {
	t.Parallel()
	const stall = 2 * time.Second
	l := newLive(t, stall)
	dead := l.page(t)
	dead.ask("subscribe", wsv2.Subscription{Topic: topic})
	l.flood(400, 100_000)
	p := l.page(t)
	p.ask("subscribe", wsv2.Subscription{Topic: topic})
	p.frames(1, 400)
	for n := 0; ; n++ { // what the kernel holds comes, and then the end
		if _, err := dead.next(); err != nil {
			break
		}
		if n == 400 {
			t.Fatal("it got everything")
		}
		if n == 0 {
			<-time.After(2 * stall) // it reads nothing for longer than it may
		}
	}
}

// pages notes what is asked of it.
type pages struct{ said []string }

func (p *pages) Open(_ context.Context, h http.Handler) (api.WebLink, error) {
	p.said = append(p.said, "open")
	if h == nil {
		return api.WebLink{}, fault.New(fault.Internal, "no handler", "")
	}
	return api.WebLink{URL: "http://x.localhost:1/#sign-in=s", Address: "http://x.localhost:1/"}, nil
}

func (p *pages) Resume(_ context.Context, h http.Handler) error {
	if h != nil {
		p.said = append(p.said, "resume")
	}
	return nil
}

func (p *pages) Status() api.Web { return api.Web{Open: true, Sessions: 3} }

func (p *pages) Shut(context.Context) error {
	p.said = append(p.said, "shut")
	return nil
}

// The pages are there while the installation is open; who locks it shuts them, while that
// can be recorded and once nobody can ask for them, and who stops the daemon does not.
func TestWeb(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	p := &pages{}
	open := f.options.Open
	f.options.Open = func(ctx context.Context, identity string) (*daemon.Engine, error) {
		e, err := open(ctx, identity)
		if e != nil {
			e.Pages = p
			shut := e.Close
			e.Close = func() error {
				p.said = append(p.said, "close")
				return shut()
			}
		}
		return e, err
	}
	f.server = daemon.New(t.Context(), f.options)
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		if w := f.ask(t, method, "/v1/web", ""); w.Code != http.StatusLocked {
			t.Errorf("%s while it is locked: %d", method, w.Code)
		}
	}
	must(t, f.server.Unlock(t.Context(), "secret"))
	if w := f.ask(t, http.MethodPost, "/v1/web", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "#sign-in=s") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodGet, "/v1/web", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"sessions":3`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodDelete, "/v1/web", ""); w.Code != http.StatusNoContent {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodPost, "/v1/lock", ""); w.Code != http.StatusNoContent {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	must(t, f.server.Unlock(t.Context(), "secret"))
	must(t, f.server.Lock(t.Context(), true)) // as a daemon that ends does
	if got := strings.Join(p.said, " "); got != "resume open shut shut close shut resume close" {
		t.Errorf("the pages were told: %s", got)
	}
}
