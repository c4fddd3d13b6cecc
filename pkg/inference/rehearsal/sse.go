package rehearsal

import (
	"encoding/json"
	"net/http"
)

// sse writes server-sent events, flushing each.
type sse struct {
	w       http.ResponseWriter
	control *http.ResponseController
	began   bool
}

func newSSE(w http.ResponseWriter) *sse {
	return &sse{w: w, control: http.NewResponseController(w)}
}

// send writes one event; a nil value writes nothing but the header.
func (s *sse) send(event string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.raw(event, data)
}

func (s *sse) raw(event string, data []byte) error {
	if !s.began {
		s.began = true
		s.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		s.w.Header().Set("Cache-Control", "no-cache")
		s.w.WriteHeader(http.StatusOK)
	}
	var out []byte
	if event != "" {
		out = append(append(append(out, "event: "...), event...), '\n')
	}
	out = append(append(append(out, "data: "...), data...), "\n\n"...)
	if _, err := s.w.Write(out); err != nil {
		return err
	}
	return s.control.Flush()
}
