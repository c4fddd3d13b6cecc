package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
)

// talk is a daemon in which each message has a dispatch of its own, which ends with its
// turn: no container waits for the next one. What it is not asked here the house answers.
type talk struct {
	h *house

	mu      sync.Mutex
	all     []*said
	byKey   map[string]api.Started
	asked   []api.StartRequest // each that came, taken or not
	streams int                // requests for frames
	refuses bool               // it takes no message
	holds   bool               // a turn goes on until it is let go
	gate    chan struct{}      // no message is answered before it is closed
	gives   bool               // it takes a message before the gate, and not behind it
	unsaved bool               // no session was saved yet
}

// said is one dispatch.
type said struct {
	api.Dispatch

	story *story
}

func newTalk(h *house) *talk { return &talk{h: h, byKey: map[string]api.Started{}} }

// with changes how it answers.
func (d *talk) with(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// texts are the messages that came, each as often as it did.
func (d *talk) texts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	texts := []string{}
	for _, r := range d.asked {
		texts = append(texts, r.Text)
	}
	return texts
}

// ran are the messages of which something came, in that order.
func (d *talk) ran() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	texts := []string{}
	for _, s := range d.all {
		texts = append(texts, s.story.frames[0]["text"].(string)) // each begins with its message
	}
	return texts
}

// begins has somebody say something in a session, "" being a new one.
func (d *talk) begins(session, text string) api.Started {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.begin(session, text)
}

func (d *talk) begin(session, text string) api.Started {
	n := len(d.all) + 1
	if session == "" {
		session = fmt.Sprintf("22222222-2222-4222-8222-%012d", n)
	}
	s := &said{story: &story{unit: fmt.Sprintf("01K00000000000000000000%03d", n), turn: fmt.Sprintf("t%d", n)}}
	s.Dispatch = api.Dispatch{
		ID: s.story.unit, State: runtimev1.Running, Runner: "vexa", Session: session, StartedAt: time.Date(2026, 11, 1, 12, n, 0, 0, time.UTC),
		Workspaces: []api.GrantedWorkspace{{ID: "w", Name: "notes", Mode: "rw"}},
	}
	d.all = append(d.all, s)
	s.story.say("turn-accepted", map[string]any{"session": session, "runner": "vexa", "model": "rehearsal/rehearsal", "resumed": false, "text": text, "source": "host"})
	if !d.holds {
		s.end()
	}
	return api.Started{Unit: s.ID, Turn: s.story.turn, Session: session}
}

func (s *said) end() {
	s.story.say("message", map[string]any{"text": "You said: " + s.story.frames[0]["text"].(string)}) // each begins with its message
	s.story.say("turn-done", map[string]any{"ok": true, "session": s.Session, "reply": "", "outcome": "completed", "source": "host"})
	s.story.say("state", map[string]any{"state": "stopped", "source": "host"})
	at := s.StartedAt.Add(time.Second)
	s.State, s.EndedAt, s.StopReason = runtimev1.Stopped, &at, "completed"
}

// letGo ends the turns that go on, and those that come.
func (d *talk) letGo() {
	d.with(func() {
		d.holds = false
		for _, s := range d.all {
			if s.EndedAt == nil {
				s.end()
			}
		}
	})
}

func (d *talk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	id, isFrames := strings.CutSuffix(strings.TrimPrefix(path, "/dispatches/"), "/frames")
	switch {
	case path == "/dispatches" && r.Method == http.MethodPost:
		d.take(w, r)
	case path == "/dispatches":
		rows := []api.Dispatch{}
		d.with(func() {
			for _, s := range d.all {
				rows = append(rows, s.Dispatch)
			}
		})
		_ = json.NewEncoder(w).Encode(rows) // the page went away
	case path == "/sessions":
		rows := []api.Session{}
		d.with(func() {
			for _, s := range d.all {
				if d.unsaved {
					break
				}
				rows = append(rows, api.Session{ID: s.Session, Title: "About " + s.story.frames[0]["text"].(string), Runner: "vexa", Unit: s.ID, UpdatedAt: s.StartedAt})
			}
		})
		_ = json.NewEncoder(w).Encode(rows) // the page went away
	case isFrames:
		d.frames(w, r, id)
	case strings.HasPrefix(path, "/dispatches/"):
		d.with(func() { _ = json.NewEncoder(w).Encode(d.find(id).Dispatch) }) // the page went away
	default:
		d.h.ServeHTTP(w, r)
	}
}

func (d *talk) find(id string) *said {
	for _, s := range d.all {
		if s.ID == id {
			return s
		}
	}
	return &said{}
}

// take answers a message, one with a key that it has as it did before.
func (d *talk) take(w http.ResponseWriter, r *http.Request) {
	var req api.StartRequest
	_ = json.NewDecoder(r.Body).Decode(&req) // the pages' own
	d.mu.Lock()
	d.asked = append(d.asked, req)
	gate, early := d.gate, d.gives
	d.mu.Unlock()
	if early {
		d.with(func() { d.started(req) })
	}
	if gate != nil && !open(r.Context(), gate) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuses {
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(api.Error{Code: "conflict", Message: "there is no room", Hint: "wait for some"}) // the page went away
		return
	}
	_ = json.NewEncoder(w).Encode(d.started(req)) // the page went away
}

// open waits for a gate, and reports false where the page went before it opened.
func open(ctx context.Context, gate chan struct{}) bool {
	select {
	case <-gate:
		return true
	case <-ctx.Done():
		return false
	}
}

func (d *talk) started(req api.StartRequest) api.Started {
	s, ok := d.byKey[req.Key]
	if !ok {
		s = d.begin(req.Session, req.Text)
		d.byKey[req.Key] = s
	}
	return s
}

// frames streams what a dispatch says until it has ended.
func (d *talk) frames(w http.ResponseWriter, r *http.Request, id string) {
	w.Header().Set("Content-Type", "text/event-stream")
	d.with(func() { d.streams++ })
	from := 0
	_, _ = fmt.Sscan(r.Header.Get("Last-Event-Id"), &from) // none: from the beginning
	for ended := false; !ended && r.Context().Err() == nil; time.Sleep(10 * time.Millisecond) {
		d.with(func() {
			s := d.find(id)
			for _, f := range s.story.frames[from:] {
				data, _ := json.Marshal(f) // it is made of what can be
				from++
				fmt.Fprintf(w, "id: %d\ndata: %s\n\n", from, data)
			}
			ended = s.EndedAt != nil
		})
		w.(http.Flusher).Flush() // a server's is one
	}
}
