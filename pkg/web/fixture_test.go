package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/web"
)

// memory is a web.Memory in memory.
type memory struct {
	mu   sync.Mutex
	data []byte
}

func (m *memory) Load() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.data, nil
}

func (m *memory) Store(data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data = data
	return nil
}

func (m *memory) Remove() error { return m.Store(nil) }

// trail is a web.Trail in memory.
type trail struct {
	mu     sync.Mutex
	events []web.Event
}

func (t *trail) Record(_ context.Context, e web.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
	return nil
}

func (t *trail) all() []web.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]web.Event{}, t.events...)
}

// backend is a daemon that notes what reaches it.
type backend struct {
	mu   sync.Mutex
	seen []*http.Request
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.seen = append(b.seen, r)
	b.mu.Unlock()
	if r.Header.Get("Upgrade") != "" {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_ = c.Write(r.Context(), websocket.MessageText, []byte("hello")) // the client says whether it came
			<-c.CloseRead(r.Context()).Done()
			_ = c.CloseNow() // it is over anyway
		}
		return
	}
	_, _ = io.WriteString(w, `{"reached":true}`)
}

func (b *backend) reached() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen
}

// clock is set by tests.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type fixture struct {
	t       *testing.T
	site    *web.Site
	backend *backend
	memory  *memory
	clock   *clock
	trail   *trail
	options web.Options
	base    *url.URL
}

func newFixture(t *testing.T, change ...func(*web.Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, backend: &backend{}, memory: &memory{}, clock: &clock{t: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}}
	f.trail = &trail{}
	f.options = web.Options{Memory: f.memory, Trail: f.trail, Now: f.clock.now, Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&f.options)
	}
	f.site = web.New(f.options)
	t.Cleanup(func() {
		if err := f.site.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// open opens the site and returns the secret of the link.
func (f *fixture) open() string {
	f.t.Helper()
	link, err := f.site.Open(f.t.Context(), f.backend)
	if err != nil {
		f.t.Fatal(err)
	}
	u, err := url.Parse(link.URL)
	if err != nil {
		f.t.Fatal(err)
	}
	f.base = u
	return strings.TrimPrefix(u.Fragment, "sign-in=")
}

func (f *fixture) origin() string { return "http://" + f.base.Host }

// client goes to this machine whatever it is called, and follows no redirect.
func client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				_, port, _ := net.SplitHostPort(addr)
				var d net.Dialer
				return d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// visitor is one browser.
type visitor struct {
	f             *fixture
	cookie, token string
}

// reply is an answer, read whole.
type reply struct {
	*http.Response

	body []byte
}

func read(t *testing.T, res *http.Response) reply {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res, body}
}

// ask sends a request as a page of ours does; change makes it another.
func (v *visitor) ask(method, path, body string, change ...func(*http.Request)) reply {
	v.f.t.Helper()
	r, err := http.NewRequestWithContext(v.f.t.Context(), method, v.f.origin()+path, strings.NewReader(body))
	if err != nil {
		v.f.t.Fatal(err)
	}
	if v.cookie != "" {
		r.Header.Set("Cookie", web.Cookie+"="+v.cookie)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method != http.MethodGet {
		r.Header.Set("Origin", v.f.origin())
		r.Header.Set("Content-Type", "application/json")
		if v.token != "" {
			r.Header.Set(web.HeaderToken, v.token)
		}
	}
	for _, c := range change {
		c(r)
	}
	res, err := client().Do(r)
	if err != nil {
		v.f.t.Fatal(err)
	}
	return read(v.f.t, res)
}

func (f *fixture) signIn(secret string) (*visitor, reply) {
	f.t.Helper()
	v := &visitor{f: f}
	body, _ := json.Marshal(map[string]string{"secret": secret})
	res := v.ask(http.MethodPost, "/session", string(body))
	for _, c := range res.Cookies() {
		v.cookie = c.Value
	}
	var answer struct{ Token string }
	_ = json.Unmarshal(res.body, &answer) // a refusal has none
	v.token = answer.Token
	return v, res
}

// visitor signs in by a new link.
func (f *fixture) visitor() *visitor {
	f.t.Helper()
	v, res := f.signIn(f.open())
	if res.StatusCode != http.StatusOK || v.cookie == "" || v.token == "" {
		f.t.Fatalf("sign-in: %s", res.Status)
	}
	return v
}

func without(names ...string) func(*http.Request) {
	return func(r *http.Request) {
		for _, n := range names {
			r.Header.Del(n)
		}
	}
}

func with(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

// raw sends bytes as they are and returns the status and header of the answer.
func (f *fixture) raw(request string) reply {
	f.t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+f.base.Port())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		f.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		f.t.Fatalf("%q: %v", request, err)
	}
	return read(f.t, res)
}

func wantError(t *testing.T, res reply, status int) {
	t.Helper()
	if res.StatusCode != status {
		t.Errorf("got %s, want %d", res.Status, status)
		return
	}
	var e api.Error
	if err := json.Unmarshal(res.body, &e); err != nil || e.Code == "" || e.Message == "" {
		t.Errorf("the refusal is no error of ours: %+v, %v", e, err)
	}
}

func otherUser() int { return os.Getuid() + 1 }
