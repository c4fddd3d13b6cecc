package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/runtime"
)

// events streams the kernel's events until the client goes away or the kernel
// stops.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	ctx, cancel := context.WithCancel(r.Context())
	out := &stream{w: w, rc: http.NewResponseController(w), cancel: cancel}
	var ticking sync.WaitGroup
	defer ticking.Wait()
	defer cancel()
	out.write(": vexa runtime events\n\n") // the client knows that it is connected
	ticking.Go(func() { out.keepAlive(ctx) })
	for e := range s.kernel.Events(ctx, r.Header.Get("Last-Event-ID")) {
		out.event(e)
	}
	return nil
}

// stream writes to one client. A write that fails ends the request.
type stream struct {
	mu     sync.Mutex
	w      http.ResponseWriter
	rc     *http.ResponseController
	cancel context.CancelFunc
}

func (s *stream) write(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := fmt.Fprint(s.w, text)
	if err == nil {
		err = s.rc.Flush()
	}
	if err != nil {
		s.cancel()
	}
}

func (s *stream) event(e runtime.Event) {
	data, err := json.Marshal(e.Event)
	if err != nil {
		s.cancel()
		return
	}
	text := "data: " + string(data) + "\n\n"
	if e.ID != "" {
		text = "id: " + e.ID + "\n" + text
	}
	s.write(text)
}

func (s *stream) keepAlive(ctx context.Context) {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.write(": alive\n\n")
		case <-ctx.Done():
			return
		}
	}
}
