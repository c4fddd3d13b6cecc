package translate

import (
	"bytes"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
)

// Read reads an answer in a protocol that is translated, for who wants to know
// what it says: one that is whole, or the events of a stream as far as they go.
// The error says that it is none, or why nothing more of it could be read.
func Read(p inference.Protocol, body []byte) (Answer, error) {
	c := codecOf(p)
	if c == nil {
		return Answer{}, fault.Newf(fault.Invalid, "answers in %s are not read here", p)
	}
	if begin := bytes.TrimSpace(body); len(begin) > 0 && begin[0] == '{' {
		a, err := c.decodeAnswer(body, "")
		if err != nil {
			return Answer{}, err
		}
		return *a, nil
	}
	r := &streamReader{reader: c.reader("")}
	var s sse
	err := s.feed(body, r.take)
	if err == nil {
		err = s.flush(r.take)
	}
	if err == nil {
		r.add(r.reader.end())
	}
	return r.answer(), err
}

// streamReader gathers what a stream says, in whatever order it does.
type streamReader struct {
	reader    reader
	collector collector
}

func (r *streamReader) take(data []byte) error {
	events, err := r.reader.read(data)
	r.add(events)
	return err
}

func (r *streamReader) add(events []Event) {
	for _, e := range events {
		known := e.Index >= 0 && e.Index < len(r.collector.texts)
		if e.Kind == Begin || known || e.Kind != Delta && e.Kind != End {
			r.collector.add(e)
		}
	}
}

// answer returns what came, items that have not ended included.
func (r *streamReader) answer() Answer {
	for i, text := range r.collector.texts {
		if text != nil {
			r.collector.close(Event{Index: i})
		}
	}
	return r.collector.answer
}
