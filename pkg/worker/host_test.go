package worker_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/link"
)

const token = "dispatch-token"

// host is the broker's half of the link: it stores numbered reports in order,
// drops the ones it has, acknowledges, and can be made to fail on the way.
type host struct {
	t      *testing.T
	dir    string
	socket string

	mu      sync.Mutex
	server  *http.Server
	conn    *link.Conn
	last    uint64
	stored  []wsv2.Report
	hellos  []wsv2.Report
	idle    int
	breakAt map[uint64]breakPoint
	mute    bool // never acknowledge
	changed chan struct{}
}

// breakPoint says when the connection breaks around one report, once.
type breakPoint int

const (
	beforeStore breakPoint = iota // the report is lost on the way
	beforeAck                     // it is stored, the receipt is lost
	afterAck                      // both arrive
)

func newHost(t *testing.T) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "vw")
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, dir: dir, socket: filepath.Join(dir, "s"), breakAt: map[uint64]breakPoint{}, changed: make(chan struct{})}
	h.start()
	t.Cleanup(func() {
		h.stop()
		must(h.t, os.RemoveAll(dir))
	})
	return h
}

// start serves the socket; stop ends it and every connection.
func (h *host) start() {
	h.t.Helper()
	ln, err := net.Listen("unix", h.socket)
	if err != nil {
		h.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(link.Path, h.serve)
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		var buf [4096]byte
		n, _ := r.Body.Read(buf[:])
		fmt.Fprintf(w, "echo %s", buf[:n])
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.server = &http.Server{Handler: mux}
	go func() { _ = h.server.Serve(ln) }()
}

func (h *host) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.server.Close()
	if h.conn != nil {
		_ = h.conn.Close()
	}
}

func (h *host) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+token {
		http.Error(w, "no such token", http.StatusUnauthorized)
		return
	}
	c, err := link.Accept(w, r)
	if err != nil {
		return
	}
	defer c.Close()
	first := true
	for {
		line, err := c.ReceiveLine()
		if err != nil {
			return
		}
		report, err := contract.Decode[wsv2.Report]("ws.v2#Report", line)
		if err != nil {
			h.t.Errorf("report %.300s: %v", line, err)
			return
		}
		if first != (report.Type == wsv2.ReportHello) {
			h.t.Errorf("hello is not the first line and only there: %s", line)
		}
		first = false
		if !h.take(c, report) {
			return
		}
	}
}

// take handles one report and says whether the connection goes on.
func (h *host) take(c *link.Conn, r wsv2.Report) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() {
		close(h.changed)
		h.changed = make(chan struct{})
	}()
	switch r.Type {
	case wsv2.ReportHello:
		h.conn = c
		h.hellos = append(h.hellos, r)
		return true
	case wsv2.ReportIdle:
		h.idle++
		return true
	}
	point, breaks := h.breakAt[r.AgentSeq]
	delete(h.breakAt, r.AgentSeq)
	if breaks && point == beforeStore {
		return false
	}
	switch {
	case r.AgentSeq <= h.last:
	case r.AgentSeq == h.last+1:
		h.last = r.AgentSeq
		h.stored = append(h.stored, r)
	default:
		h.t.Errorf("report %d follows %d: one was lost", r.AgentSeq, h.last)
	}
	if breaks && point == beforeAck {
		return false
	}
	if !h.mute {
		_ = c.Send(wsv2.Input{Type: wsv2.InputAck, AgentSeq: h.last})
	}
	return !breaks
}

// await waits until ready, which is called with mu held.
func (h *host) await(what string, ready func() bool) {
	h.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		h.mu.Lock()
		ok, changed := ready(), h.changed
		h.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			h.t.Fatalf("no %s", what)
		}
	}
}

// send sends an input over the current connection.
func (h *host) send(in wsv2.Input) {
	h.t.Helper()
	h.await("connection", func() bool { return h.conn != nil })
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.conn.Send(in); err != nil {
		h.t.Error(err)
	}
}

func (h *host) turn(id, text string) {
	h.t.Helper()
	h.send(wsv2.Input{Type: wsv2.InputTurn, Turn: id, Text: text})
}

// end waits for the end of a turn.
func (h *host) end(turn string) wsv2.TurnEnd {
	h.t.Helper()
	var end *wsv2.TurnEnd
	h.await("end of turn "+turn, func() bool {
		for _, r := range h.stored {
			if r.Type == wsv2.ReportTurnEnd && r.Turn == turn {
				end = r.End
			}
		}
		return end != nil
	})
	return *end
}

// text waits until the deltas of a turn contain all of want.
func (h *host) said(turn, want string) {
	h.t.Helper()
	h.await(fmt.Sprintf("%q in turn %s", want, turn), func() bool { return contains(h.deltas(turn), want) })
}

// deltas needs mu, or a worker that has ended.
func (h *host) deltas(turn string) string {
	var out string
	for _, b := range h.bodies(turn) {
		if d, ok := b.(wsv2.MessageDelta); ok {
			out += d.Text
		}
	}
	return out
}

func (h *host) bodies(turn string) []wsv2.Body {
	var out []wsv2.Body
	for _, r := range h.stored {
		if r.Type == wsv2.ReportFrame && r.Turn == turn {
			b, err := wsv2.UnmarshalBody(r.Frame)
			if err != nil {
				h.t.Fatal(err)
			}
			out = append(out, b)
		}
	}
	return out
}
