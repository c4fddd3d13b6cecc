package chat_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/client/clienttest"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// daemon is an in-memory daemon on a socket, which can be taken away and come back.
type daemon struct {
	*clienttest.Daemon
	t      testing.TB
	socket string

	mu   sync.Mutex
	srv  *http.Server
	hold func(*http.Request)             // called before it answers
	over func(http.Handler) http.Handler // answers in its place
}

func newDaemon(tb testing.TB) *daemon {
	tb.Helper()
	dir, err := os.MkdirTemp("/tmp", "vx")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &daemon{Daemon: clienttest.New(filepath.Join(dir, "s"), dir), t: tb, socket: filepath.Join(dir, "s")}
	d.up()
	tb.Cleanup(d.down)
	return d
}

func (d *daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	hold, over := d.hold, d.over
	d.mu.Unlock()
	if hold != nil {
		hold(r)
	}
	if over != nil {
		over(d.Daemon).ServeHTTP(w, r)
		return
	}
	d.Daemon.ServeHTTP(w, r)
}

func (d *daemon) up() {
	l, err := net.Listen("unix", d.socket)
	if err != nil {
		d.t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	srv := &http.Server{Handler: d}
	d.mu.Lock()
	d.srv = srv
	d.mu.Unlock()
	go func() { _ = srv.Serve(l) }()
}

func (d *daemon) down() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.srv.Close()
	_ = os.Remove(d.socket)
}

func (d *daemon) holding(f func(*http.Request)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hold = f
}

// overriding has some requests answered by another, to whom the daemon is given.
func (d *daemon) overriding(over func(http.Handler) http.Handler) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = over
}

// bench is a chat without a terminal: what its commands return comes back to it.
type bench struct {
	t    testing.TB
	m    *chat.Model
	msgs chan tea.Msg
	done <-chan struct{}
	gone bool // it has quit
}

func newBench(tb testing.TB, o chat.Options) *bench {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	tb.Cleanup(cancel)
	if o.Theme == "" {
		o.Theme = chat.None
	}
	if o.Now == nil {
		o.Now = clienttest.Epoch
	}
	b := &bench{t: tb, m: chat.New(ctx, o), msgs: make(chan tea.Msg, 1024), done: ctx.Done()}
	b.m.ExecHere()
	b.give(tea.WindowSizeMsg{Width: 80, Height: 24})
	b.run(b.m.Init())
	return b
}

// start is a chat with an in-memory daemon.
func start(tb testing.TB) (*bench, *daemon) {
	tb.Helper()
	d := newDaemon(tb)
	b := newBench(tb, chat.Options{Daemon: d.client(), Request: idling()})
	b.wait("rehearsal")
	return b, d
}

// idling is a request whose container waits for the next message.
func idling() api.StartRequest {
	sec := 300
	return api.StartRequest{Limits: &unitv1.Limits{IdleSec: &sec}}
}

func (d *daemon) client() *client.Client { return client.New(client.Options{Socket: d.socket}) }

// run runs a command beside the chat.
func (b *bench) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		msg := cmd()
		if msg == nil {
			return
		}
		if v := reflect.ValueOf(msg); v.Kind() == reflect.Slice && v.Type().Elem() == reflect.TypeFor[tea.Cmd]() {
			for i := range v.Len() {
				b.run(v.Index(i).Interface().(tea.Cmd))
			}
			return
		}
		select {
		case b.msgs <- msg:
		case <-b.done:
		}
	}()
}

// give has the chat take a message.
func (b *bench) give(msg tea.Msg) {
	if _, ok := msg.(tea.QuitMsg); ok {
		b.gone = true
		return
	}
	_, cmd := b.m.Update(msg)
	b.run(cmd)
}

// until takes what comes until something holds.
func (b *bench) until(what string, is func() bool) {
	b.t.Helper()
	late := time.After(20 * time.Second)
	for !is() {
		select {
		case msg := <-b.msgs:
			b.give(msg)
		case <-late:
			b.t.Fatalf("never: %s\n%s", what, b.text())
		}
	}
}

// wait takes what comes until the screen matches.
func (b *bench) wait(pattern string) {
	b.t.Helper()
	re := regexp.MustCompile("(?m)" + pattern)
	b.until(pattern, func() bool { return re.MatchString(b.text()) })
}

// waitNot takes what comes until it does not.
func (b *bench) waitNot(pattern string) {
	b.t.Helper()
	re := regexp.MustCompile("(?m)" + pattern)
	b.until("not "+pattern, func() bool { return !re.MatchString(b.text()) })
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;:]*m")

// text is the screen without colours.
func (b *bench) text() string { return sgr.ReplaceAllString(b.m.View().Content, "") }

// shows fails where the screen does not match now.
func (b *bench) shows(patterns ...string) {
	b.t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(b.text()) {
			b.t.Errorf("%q is not on the screen:\n%s", p, b.text())
		}
	}
}

func (b *bench) hides(patterns ...string) {
	b.t.Helper()
	for _, p := range patterns {
		if regexp.MustCompile("(?m)" + p).MatchString(b.text()) {
			b.t.Errorf("%q is on the screen:\n%s", p, b.text())
		}
	}
}

// press presses keys by name: "enter", "ctrl+c", "alt+1"; anything in quotes is typed.
func (b *bench) press(names ...string) {
	for _, name := range names {
		if text, ok := strings.CutPrefix(name, "'"); ok {
			for _, r := range text {
				b.give(tea.KeyPressMsg{Text: string(r), Code: r})
			}
			continue
		}
		b.give(key(name))
	}
}

func key(name string) tea.KeyPressMsg {
	var k tea.KeyPressMsg
	for {
		mod, rest, found := strings.Cut(name, "+")
		bit, ok := map[string]tea.KeyMod{"ctrl": tea.ModCtrl, "alt": tea.ModAlt, "shift": tea.ModShift}[mod]
		if !found || !ok {
			break
		}
		k.Mod, name = k.Mod|bit, rest
	}
	code, named := map[string]rune{
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
		"pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd, "backspace": tea.KeyBackspace, "delete": tea.KeyDelete, "f1": tea.KeyF1,
	}[name]
	if !named {
		code = []rune(name)[0]
		if k.Mod == 0 {
			k.Text = name
		}
	}
	k.Code = code
	return k
}
