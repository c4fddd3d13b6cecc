package web_test

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/web"
)

// Nothing listens until somebody asks, each asks for the same pages, and they are gone
// when somebody says so, with whoever was signed in.
func TestListensWhileAskedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if st := f.site.Status(); st.Open || st.Address != "" {
		t.Fatalf("it is open: %+v", st)
	}
	v := f.visitor()
	first := f.base.Host
	f.open()
	if f.base.Host != first {
		t.Errorf("a second time it is %s, not %s", f.base.Host, first)
	}
	if st := f.site.Status(); !st.Open || st.Address != f.origin()+"/" || st.Sessions != 1 || st.Waiting != 1 {
		t.Errorf("status %+v", st)
	}
	if err := f.site.Shut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", "127.0.0.1:"+f.base.Port()); err == nil {
		_ = conn.Close()
		t.Error("the port is open still")
	}
	f.open()
	if f.base.Host == first {
		t.Error("it has the same name again")
	}
	wantError(t, v.ask(http.MethodGet, "/api/status", ""), http.StatusUnauthorized)
}

// An open page keeps the port open; without one it closes by itself.
func TestClosesByItself(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *web.Options) { o.Idle = 2 * time.Second })
	v := f.visitor()
	c, res, err := websocket.Dial(t.Context(), "ws://"+f.base.Host+"/api/subscribe", &websocket.DialOptions{
		HTTPClient: client(), HTTPHeader: http.Header{"Cookie": {web.Cookie + "=" + v.cookie}, "Origin": {f.origin()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Body != nil {
		defer res.Body.Close()
	}
	<-time.After(5 * time.Second)
	if !f.site.Status().Open {
		t.Fatal("it closed under a page that is open")
	}
	if err := c.CloseNow(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); f.site.Status().Open; <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it stays open")
		}
		// Whoever is not signed in does not keep it open.
		if conn, err := net.Dial("tcp", "127.0.0.1:"+f.base.Port()); err == nil {
			_, _ = conn.Write([]byte("GET /api/status HTTP/1.1\r\nHost: " + f.base.Host + "\r\n\r\n"))
			_ = conn.Close()
		}
	}
	if data, _ := f.memory.Load(); data != nil {
		t.Error("a next daemon would open it again")
	}
	events := f.trail.all()
	if last := events[len(events)-1]; last.Action != "close" || last.Detail["why"] != "nobody was there" || last.Detail["sessions"] != "1" {
		t.Errorf("the last that is recorded is %+v", last)
	}
}

// restarted is the site of the next daemon.
func (f *fixture) restarted() *web.Site {
	f.t.Helper()
	return f.restartedWith(f.backend)
}

func (f *fixture) restartedWith(h http.Handler) *web.Site {
	f.t.Helper()
	next := web.New(f.options)
	f.t.Cleanup(func() {
		if err := next.Close(); err != nil {
			f.t.Error(err)
		}
	})
	if err := next.Resume(f.t.Context(), h); err != nil {
		f.t.Fatal(err)
	}
	return next
}

// Open pages go on with the next daemon: the same address, the same session, and no
// link of before.
func TestGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	v := f.visitor()
	link := f.open()
	if err := f.site.Close(); err != nil {
		t.Fatal(err)
	}
	f.restarted()
	if res := v.ask(http.MethodPost, "/api/dispatches", "{}"); res.StatusCode != http.StatusOK {
		t.Errorf("the session: %s", res.Status)
	}
	if _, res := f.signIn(link); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a link of the daemon before: %s", res.Status)
	}
}

func TestDoesNotGoOn(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(t *testing.T, f *fixture){
		"it was shut": func(t *testing.T, f *fixture) {
			t.Helper()
			if err := f.site.Shut(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"long ago": func(_ *testing.T, f *fixture) { f.clock.pass(time.Hour) },
		"damaged":  func(_ *testing.T, f *fixture) { f.memory.data = []byte("{") },
		"the port is another's": func(t *testing.T, f *fixture) {
			t.Helper()
			if err := f.site.Close(); err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp4", "127.0.0.1:"+f.base.Port())
			if err != nil {
				t.Skip("another program was faster") // which is what this is about
			}
			t.Cleanup(func() { _ = l.Close() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.visitor()
			kept := f.memory.data
			if err := f.site.Close(); err != nil {
				t.Fatal(err)
			}
			f.memory.data = kept
			meanwhile(t, f)
			if next := f.restarted(); next.Status().Open {
				t.Error("it is open")
			}
			if f.memory.data != nil {
				t.Error("it is not forgotten")
			}
		})
	}
}

// What the next daemon needs rests encrypted: neither name nor session is in it.
func TestFileIsSealed(t *testing.T) {
	t.Parallel()
	id, err := seal.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "web.age")
	file := web.File{Path: path, Sealer: id}
	f := newFixture(t, func(o *web.Options) { o.Memory = file })
	v := f.visitor()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{f.base.Hostname(), v.cookie, v.token, "sessions"} {
		if bytes.Contains(data, []byte(canary)) {
			t.Errorf("%q is readable", canary)
		}
	}
	if plain, err := file.Load(); err != nil || !bytes.Contains(plain, []byte(f.base.Hostname())) || bytes.Contains(plain, []byte(v.cookie)) {
		t.Errorf("what it holds: %s, %v", plain, err)
	}
	other, err := seal.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := (web.File{Path: path, Sealer: other}).Load(); plain != nil || err != nil {
		t.Errorf("another key reads %q, %v", plain, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("what nobody can read any more is kept")
	}
	site := web.New(web.Options{Memory: web.File{Path: path, Sealer: id}, Now: f.clock.now, Log: slog.New(slog.DiscardHandler)})
	if err := site.Resume(t.Context(), f.backend); err != nil || site.Status().Open {
		t.Errorf("nothing was kept, and it is open: %v", err)
	}
}
