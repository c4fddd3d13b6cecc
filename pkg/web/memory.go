package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/vexa-ai/vexa/pkg/web/door"
)

// kept is what the next daemon needs so that pages that are open go on.
type kept struct {
	Version  int                     `json:"version"`
	Name     string                  `json:"name"`
	Port     int                     `json:"port"`
	Used     time.Time               `json:"used"` // when a page was last there
	Sessions map[string]door.Session `json:"sessions"`
}

const keptVersion = 1

// keepEvery is how often it is noted that a page is there.
const keepEvery = time.Minute

// keep notes what serves, now or where it was noted a while ago.
func (s *serving) keep(now bool) {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	at := s.o.Now()
	if !now && at.Sub(s.kept) < keepEvery {
		return
	}
	s.kept = at
	data, err := json.Marshal(kept{Version: keptVersion, Name: s.name, Port: s.l.port(), Used: at.UTC(), Sessions: s.door.Sessions()})
	if err == nil {
		err = s.o.Memory.Store(data)
	}
	if err != nil {
		s.o.Log.Error("note what serves the pages", "error", err) // pages then end with this daemon
	}
}

// Resume listens as an earlier daemon did, with the same name, port and sessions, so
// that open pages go on. Where that has been too long ago, or where the port is
// another's by now, it is forgotten.
func (s *Site) Resume(ctx context.Context, handler http.Handler) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := s.o.Memory.Load()
	if err != nil || data == nil || s.up != nil {
		return err
	}
	var k kept
	if err := json.Unmarshal(data, &k); err != nil || k.Version != keptVersion || s.o.Now().Sub(k.Used) >= s.o.Idle {
		return s.o.Memory.Remove()
	}
	d := door.New(s.o.Now)
	d.Restore(k.Sessions)
	if err := s.listen(ctx, k.Name, k.Port, d, handler); err != nil {
		s.o.Log.WarnContext(ctx, "the pages cannot go on", "error", err)
		return s.o.Memory.Remove()
	}
	s.up.rest(s.o.Idle)
	return nil
}
