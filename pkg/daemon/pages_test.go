package daemon_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/browsertest"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/web"
)

// noMemory is a web.Memory of pages that end with their daemon.
type noMemory struct{}

func (noMemory) Load() ([]byte, error) { return nil, nil }
func (noMemory) Store([]byte) error    { return nil }
func (noMemory) Remove() error         { return nil }

// noTrail is a web.Trail that nobody reads.
type noTrail struct{}

func (noTrail) Record(context.Context, web.Event) error { return nil }

// wire is the daemon's API as the pages use it: it notes how frames are asked for, and
// can break every connection.
type wire struct {
	http.Handler

	mu            sync.Mutex
	sockets, read int // how often frames were asked for, over a WebSocket and over HTTP
	breaking      []context.CancelFunc
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	w.mu.Lock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/subscribe"):
		w.sockets++
		w.breaking = append(w.breaking, cancel)
	case strings.HasSuffix(r.URL.Path, "/frames"):
		w.read++
	}
	w.mu.Unlock()
	w.Handler.ServeHTTP(rw, r.WithContext(ctx))
}

// sever ends all WebSockets that were opened.
func (w *wire) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, cancel := range w.breaking {
		cancel()
	}
	w.breaking = nil
}

func (w *wire) asked() (sockets, read int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sockets, w.read
}

// The pages follow a topic over the daemon's WebSocket, each frame once and in order, over
// connections that break, and never need what they fall back to.
func TestPagesOverTheWebSocket(t *testing.T) {
	t.Parallel()
	if _, err := browsertest.Program(); err != nil {
		require.Missing(t, "browser", err.Error())
	}
	l := newLive(t, 0)
	w := &wire{Handler: l.server.Handler()}
	site := web.New(web.Options{Memory: noMemory{}, Trail: noTrail{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { check(t, site.Close()) })
	link, err := site.Open(t.Context(), w)
	check(t, err)
	b, err := browsertest.Start(browsertest.Options{})
	check(t, err)
	t.Cleanup(b.Close)
	l.flood(3, 1)
	check(t, b.Open(link.URL))
	check(t, b.Wait("text=Sign out", false))
	check(t, b.Open(link.Address+"dispatches/"+unit))
	shows := func(last string) {
		t.Helper()
		check(t, b.Until(`[...document.querySelectorAll(".frames tbody tr td:first-child")].at(-1)?.textContent === "`+last+`"`))
	}
	shows("3")
	l.flood(2, 1)
	shows("5")
	for _, last := range []string{"8", "11"} {
		w.sever()
		l.flood(3, 1)
		shows(last)
	}
	out, err := b.Eval(`({link: document.documentElement.dataset.link, frames: [...document.querySelectorAll(".frames tbody tr td:first-child")].map(e => e.textContent).join(" ")})`)
	check(t, err)
	var got struct{ Link, Frames string }
	check(t, json.Unmarshal([]byte(out), &got))
	if got.Link != "live" || got.Frames != "1 2 3 4 5 6 7 8 9 10 11" {
		t.Errorf("the page is %q and shows %q", got.Link, got.Frames)
	}
	if sockets, read := w.asked(); sockets < 3 || read != 0 {
		t.Errorf("frames were asked for %d times over WebSockets and %d times over HTTP", sockets, read)
	}
}
