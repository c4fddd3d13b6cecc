package link_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/link"
)

type note struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

// serve starts a broker that checks the token and hands each link to accept.
func serve(tb testing.TB, accept func(*link.Conn)) link.Dialer {
	tb.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc(link.Path, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good" {
			http.Error(w, "no such token", http.StatusUnauthorized)
			return
		}
		c, err := link.Accept(w, r)
		if err != nil {
			return
		}
		accept(c)
	})
	path := filepath.Join(tb.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	srv := &httptest.Server{Listener: ln, Config: &http.Server{Handler: mux, ReadTimeout: 100 * time.Millisecond}}
	srv.Start()
	tb.Cleanup(srv.Close)
	return link.UnixDialer(path)
}

func TestBothWays(t *testing.T) {
	t.Parallel()
	dial := serve(t, func(c *link.Conn) {
		defer c.Close()
		for {
			var n note
			if err := c.Receive(&n); err != nil {
				return
			}
			n.N++
			if err := c.Send(n); err != nil {
				return
			}
		}
	})
	c, err := link.Dial(t.Context(), dial, "good")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, text := range []string{"", "line\nbreak", strings.Repeat("ü", 1<<20)} {
		if err := c.Send(note{i, text}); err != nil {
			t.Fatal(err)
		}
		var got note
		if err := c.Receive(&got); err != nil {
			t.Fatal(err)
		}
		if got != (note{i + 1, text}) {
			t.Fatalf("line %d came back as %d, %d bytes", i, got.N, len(got.Text))
		}
	}
}

func TestSendersDoNotMixLines(t *testing.T) {
	t.Parallel()
	got := make(chan error, 1)
	const senders, each = 8, 50
	dial := serve(t, func(c *link.Conn) {
		defer c.Close()
		for range senders * each {
			var n note
			if err := c.Receive(&n); err != nil {
				got <- err
				return
			}
			if n.Text != strings.Repeat("x", n.N) {
				got <- errors.New("a line was mixed with another")
				return
			}
		}
		got <- nil
	})
	c, err := link.Dial(t.Context(), dial, "good")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for i := range each {
				if err := c.Send(note{i * 100, strings.Repeat("x", i*100)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	dial := serve(t, func(c *link.Conn) { _ = c.Close() })
	if _, err := link.Dial(t.Context(), dial, "bad"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "no such token") {
		t.Errorf("a refused token gives %v, want denied with the broker's words", err)
	}
	if _, err := link.Dial(t.Context(), link.UnixDialer(filepath.Join(t.TempDir(), "none")), "good"); !fault.Is(err, fault.Unreachable) {
		t.Errorf("no socket gives %v, want unreachable", err)
	}
	silent, _ := net.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := link.Dial(ctx, func(context.Context) (net.Conn, error) { return silent, nil }, "good"); err == nil {
		t.Error("a broker that never answers was accepted")
	}
}

func TestAcceptRefusesPlainRequests(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	_, err := link.Accept(w, httptest.NewRequest(http.MethodGet, link.Path, http.NoBody))
	if !fault.Is(err, fault.Invalid) || w.Code != http.StatusUpgradeRequired {
		t.Errorf("got %v with status %d, want invalid with 426", err, w.Code)
	}
}

// raw connects a Conn to a writer of bytes that are no good lines.
func raw(t *testing.T, write func(net.Conn)) *link.Conn {
	t.Helper()
	dial := func(context.Context) (net.Conn, error) {
		a, b := net.Pipe()
		go func() {
			defer b.Close()
			if _, err := http.ReadRequest(bufio.NewReader(b)); err != nil {
				return
			}
			_, _ = io.WriteString(b, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: vexa-link\r\n\r\n")
			write(b)
		}()
		return a, nil
	}
	c, err := link.Dial(t.Context(), dial, "x")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestReceiveErrors(t *testing.T) {
	t.Parallel()
	c := raw(t, func(b net.Conn) { _, _ = io.WriteString(b, "not json\n{\"n\":7}\n{\"n\":") })
	var n note
	if err := c.Receive(&n); err == nil {
		t.Error("a line that is not JSON was accepted")
	}
	if err := c.Receive(&n); err != nil || n.N != 7 {
		t.Errorf("the line after it gives %v, %v", n, err)
	}
	if err := c.Receive(&n); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a torn line gives %v, want unexpected EOF", err)
	}
	c = raw(t, func(net.Conn) {})
	if err := c.Receive(&n); !errors.Is(err, io.EOF) {
		t.Errorf("a closed peer gives %v, want EOF", err)
	}
}

func TestLineLimit(t *testing.T) {
	t.Parallel()
	exact := bytes.Repeat([]byte{'1'}, link.MaxLine)
	c := raw(t, func(b net.Conn) {
		_, _ = b.Write(exact)
		_, _ = b.Write([]byte("\n"))
		for {
			if _, err := b.Write(exact[:1<<20]); err != nil {
				return
			}
		}
	})
	line, err := c.ReceiveLine()
	if err != nil || len(line) != link.MaxLine {
		t.Fatalf("the longest line gives %d bytes, %v", len(line), err)
	}
	if _, err := c.ReceiveLine(); !errors.Is(err, link.ErrTooLong) {
		t.Errorf("an endless line gives %v, want ErrTooLong", err)
	}
	if err := c.SendLine(make([]byte, link.MaxLine+1)); !errors.Is(err, link.ErrTooLong) {
		t.Errorf("sending too long a line gives %v, want ErrTooLong", err)
	}
}

func TestLimitLine(t *testing.T) {
	t.Parallel()
	c := raw(t, func(b net.Conn) { _, _ = b.Write([]byte("1234\n12345\n123456\n")) })
	c.LimitLine(4)
	if line, err := c.ReceiveLine(); err != nil || string(line) != "1234" {
		t.Fatalf("%q, %v", line, err)
	}
	c.LimitLine(5)
	if line, err := c.ReceiveLine(); err != nil || string(line) != "12345" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := c.ReceiveLine(); !errors.Is(err, link.ErrTooLong) {
		t.Errorf("a line beyond the limit gives %v, want ErrTooLong", err)
	}
}

func TestCloseEndsReceive(t *testing.T) {
	t.Parallel()
	c := raw(t, func(b net.Conn) { _, _ = io.Copy(io.Discard, b) })
	done := make(chan error, 1)
	go func() { _, err := c.ReceiveLine(); done <- err }()
	_ = c.Close()
	if err := <-done; err == nil {
		t.Error("Receive returned a line from a closed connection")
	}
}

func FuzzReceiveLine(f *testing.F) {
	f.Add([]byte("{}\n{\"a\":1}\n"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := raw(t, func(b net.Conn) { _, _ = b.Write(data) })
		var got []byte
		for {
			line, err := c.ReceiveLine()
			if err != nil {
				break
			}
			got = append(append(got, line...), '\n')
		}
		want := data[:bytes.LastIndexByte(data, '\n')+1]
		if !bytes.Equal(got, want) {
			t.Fatalf("lines %q came from %q", got, data)
		}
	})
}

func TestEnded(t *testing.T) {
	t.Parallel()
	for _, err := range []error{io.EOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if !link.Ended(fmt.Errorf("read: %w", err)) {
			t.Errorf("%v is not taken for an end", err)
		}
	}
	for _, err := range []error{nil, link.ErrTooLong, syscall.ECONNREFUSED, io.ErrUnexpectedEOF} {
		if link.Ended(err) {
			t.Errorf("%v is taken for an ordinary end", err)
		}
	}
}
