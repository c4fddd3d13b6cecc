package broker_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/broker"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/home"
)

// Close may be called from within an event, and no event begins after it.
func TestCloseWithin(t *testing.T) {
	t.Parallel()
	var s *stage
	closed := make(chan error, 1)
	o := &owner{}
	o.refuse = func(wsv2.Report) error {
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

// One container cannot make us hold many large requests at once; small ones
// pass while a large one waits.
func TestLargeRequests(t *testing.T) {
	t.Parallel()
	s := open(t, config{options: func(o *broker.Options) { o.Rates.LargeRequests = 1 }})
	const size = 16 << 20
	begin := func() net.Conn {
		t.Helper()
		c, err := s.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		head := "POST " + messages + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.token + "\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n"
		if _, err := c.Write([]byte(head)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	body := make([]byte, size)
	first, second := begin(), begin()
	if _, err := first.Write(body[:size-1]); err != nil {
		t.Fatal(err)
	}
	if err := second.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := second.Write(body)
	if err == nil {
		t.Fatal("two large requests were taken in at once")
	}
	if a := s.post(messages, say("play/rehearsal", "hello", false)); a.status != http.StatusOK {
		t.Errorf("a small one: %d %s", a.status, a.body)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Write(body[n:]); err != nil {
		t.Fatal("the second has no turn: ", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(second), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("it was answered with %s", resp.Status)
	}
}

// A request that the end of the socket cuts off is no answer of any kind: the
// client asks the next daemon.
func TestCloseBreaksRequests(t *testing.T) {
	t.Parallel()
	for name, began := range map[string]bool{"before the answer": false, "in its middle": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hold := make(chan struct{})
			defer close(hold)
			up := &provider{answer: func(w http.ResponseWriter, r *http.Request, _ map[string]json.RawMessage) {
				if began {
					w.Header().Set("Content-Type", "text/event-stream")
					_, _ = io.WriteString(w, "event: ping\ndata: {\"type\":\"ping\"}\n\n")
					_ = http.NewResponseController(w).Flush()
				}
				select {
				case <-hold:
				case <-r.Context().Done():
				}
			}}
			s := open(t, config{upstream: up})
			ended := make(chan error, 1)
			var body []byte
			read := make(chan struct{}, 1)
			go func() {
				resp, err := s.client.Do(s.request(t.Context(), messages, say("claude/m1", "x", true)))
				if err != nil {
					ended <- err
					return
				}
				defer resp.Body.Close()
				first := make([]byte, 1)
				if _, err := io.ReadFull(resp.Body, first); err != nil {
					ended <- err
					return
				}
				read <- struct{}{}
				body, err = io.ReadAll(resp.Body)
				ended <- err
			}()
			await(t, "the request", func() bool { return up.count() == 1 })
			if began {
				<-read
			}
			if err := s.socket.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err == nil || strings.Contains(string(body), "broke off") {
				t.Errorf("the client got %q and %v", body, err)
			}
		})
	}
}
