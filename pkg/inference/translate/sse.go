package translate

import (
	"bytes"
	"fmt"

	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// maxEvent is the largest event of a stream, in bytes.
const maxEvent = 8 << 20

// sse takes a stream of server-sent events apart, wherever it is cut. The names
// of events are not looked at: every protocol repeats them in the data, or has
// none. See the HTML standard, "9.2.6 Interpreting an event stream".
type sse struct {
	rest []byte // the line that is not complete
	data []byte // of the event that is not complete
	has  bool
}

// feed calls each with the data of every event that p completes. The data is
// valid until each returns.
func (s *sse) feed(p []byte, each func(data []byte) error) error {
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		line := p[:i]
		if len(s.rest) > 0 {
			s.rest = append(s.rest, line...)
			line = s.rest
		}
		err := s.line(bytes.TrimSuffix(line, []byte("\r")), each)
		s.rest = s.rest[:0]
		if err != nil {
			return err
		}
		p = p[i+1:]
	}
	s.rest = append(s.rest, p...)
	if len(s.rest)+len(s.data) > maxEvent {
		return fmt.Errorf("an event of the stream is larger than %d bytes", maxEvent)
	}
	return nil
}

func (s *sse) line(line []byte, each func(data []byte) error) error {
	if len(line) == 0 {
		return s.flush(each)
	}
	value, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return nil
	}
	if s.has {
		s.data = append(s.data, '\n')
	}
	s.data, s.has = append(s.data, bytes.TrimPrefix(value, []byte(" "))...), true
	if len(s.data) > maxEvent {
		return fmt.Errorf("an event of the stream is larger than %d bytes", maxEvent)
	}
	return nil
}

// flush ends the event, as an empty line does and the end of a stream that
// lacks the last one.
func (s *sse) flush(each func(data []byte) error) error {
	if !s.has {
		return nil
	}
	var err error
	if len(bytes.TrimSpace(s.data)) > 0 { // some servers keep a connection alive with nothing
		err = each(s.data)
	}
	s.data, s.has = s.data[:0], false
	return err
}

// send appends an event with the JSON of a value that can be encoded. An empty name is
// left out.
func send(dst []byte, name string, v any) []byte {
	if name != "" {
		dst = append(append(append(dst, "event: "...), name...), '\n')
	}
	dst = append(dst, "data: "...)
	out, err := wirejson.Append(dst, v)
	if err != nil { // see marshal
		out = append(dst, "{}"...)
	}
	return append(out, "\n\n"...)
}
