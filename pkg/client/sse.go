package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// maxEvent bounds one event of a stream: a frame may hold the output of a tool.
const maxEvent = 64 << 20

// event is one dispatched server-sent event.
type event struct {
	id   string
	data []byte
}

// eventReader reads server-sent events (WHATWG HTML, section 9.2). Fields other
// than id and data are ignored; so are comments, which keep a connection alive.
type eventReader struct {
	r  *bufio.Reader
	id string
}

func newEventReader(r io.Reader) *eventReader { return &eventReader{r: bufio.NewReaderSize(r, 32<<10)} }

// next returns the next event that has data. It returns io.EOF at a clean end;
// an unfinished event at the end is dropped, as the format demands.
func (er *eventReader) next() (event, error) {
	var data []byte
	has := false
	for {
		line, err := er.line(maxEvent - len(data))
		if err != nil {
			return event{}, err
		}
		if len(line) == 0 {
			if has {
				return event{er.id, data}, nil
			}
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			if !bytes.ContainsRune(value, 0) {
				er.id = string(value)
			}
		case "data":
			if has {
				data = append(data, '\n')
			}
			data = append(data, value...)
			has = true
		}
	}
}

// line reads one line of at most limit bytes, without its ending.
func (er *eventReader) line(limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := er.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > limit:
			return nil, fault.New(fault.Internal, "an event of the daemon's stream is too long", "")
		case err == nil:
			return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
