package broker_test

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/wsv1"
	"github.com/vexa-ai/vexa/pkg/home"
)

// Close may be called from within an event, and no event begins after it.
func TestCloseWithin(t *testing.T) {
	t.Parallel()
	var s *stage
	closed := make(chan error, 1)
	o := &owner{}
	o.refuse = func(wsv1.Report) error {
		closed <- s.socket.Close()
		return nil
	}
	s = open(t, config{owner: o})
	c := s.worker("")
	send(t, c, frame(1, "x"), frame(2, "y"))
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	ended(t, c)
	if got := o.history(); strings.Contains(got, "frame 2") || strings.Contains(got, "disconnected") {
		t.Errorf("the owner heard %q", got)
	}
	if _, err := os.Lstat(filepath.Join(s.dir, broker.SocketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// The socket is private, replaces one that a crash left behind and nothing
// else, and can lie deeper than a socket's address is long.
func TestSocketFile(t *testing.T) {
	t.Parallel()
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 60), strings.Repeat("e", 60))
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if len(filepath.Join(deep, broker.SocketName)) <= home.MaxSocketPath {
		t.Fatal("the path is not long")
	}
	for range 2 { // the second time over what the first left behind
		s := open(t, config{dir: deep})
		info, err := os.Lstat(filepath.Join(deep, broker.SocketName))
		if err != nil || info.Mode() != os.ModeSocket|0o600 {
			t.Fatalf("%v, %v", info, err)
		}
		s.worker("")
		await(t, "the worker", s.socket.Attached)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, broker.SocketName), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tryOpen(t, dir); err == nil {
		t.Fatal("a file was replaced by the socket")
	}
	if data, err := os.ReadFile(filepath.Join(dir, broker.SocketName)); err != nil || string(data) != "precious" {
		t.Fatalf("the file became %q, %v", data, err)
	}
	if _, err := tryOpen(t, filepath.Join(dir, "missing")); err == nil {
		t.Fatal("a socket in no directory")
	}
}

func TestNewNeedsItsPorts(t *testing.T) {
	t.Parallel()
	if b, err := broker.New(broker.Options{}); b != nil || err == nil {
		t.Fatal("a broker without ports")
	}
}

// One container cannot take all of our descriptors.
func TestConnections(t *testing.T) {
	t.Parallel()
	s := open(t, config{options: func(o *broker.Options) { o.Rates.Connections = 2 }})
	var held []net.Conn
	for range 2 {
		c, err := s.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	done := make(chan answer, 1)
	go func() { done <- s.post(messages, say("play/rehearsal", "hello", false)) }()
	select {
	case <-done:
		t.Fatal("a third connection was served")
	case <-time.After(100 * time.Millisecond):
	}
	if err := held[0].Close(); err != nil {
		t.Fatal(err)
	}
	if a := <-done; a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	_ = held[1].Close()
}
