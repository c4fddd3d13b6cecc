package translate

import (
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// maxAnswer is the longest streamed answer, in bytes of text: openai-responses
// repeats it at its end.
const maxAnswer = 16 << 20

var errTooLong = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)

// Stream is a streamed answer on its way back.
type Stream struct {
	t       *Translation
	sse     sse
	reader  reader
	raiser  raiser
	writer  writer
	started bool
	ended   bool
	open    []int // indexes of the items that have begun and not ended
	size    int
	out     []byte
}

// Stream returns the translation of a streamed answer.
func (t *Translation) Stream() *Stream {
	return &Stream{t: t, reader: t.provider.reader(t.opts.ID), raiser: t.raiser(), writer: t.client.writer(t.head)}
}

// Write takes a piece of the provider's stream, cut anywhere, and returns what
// the client gets for it, which may be nothing and is valid until the next call.
// After an error the stream is over: the caller sends what was returned and
// calls Fail.
func (s *Stream) Write(p []byte) ([]byte, error) {
	out := s.out[:0]
	err := s.sse.feed(p, func(data []byte) error {
		events, err := s.reader.read(data)
		out = s.take(out, events)
		if err == nil && s.size > maxAnswer {
			err = errTooLong
		}
		return err
	})
	s.out = out
	return out, err
}

// Close takes the end of the provider's stream. The error says that it came
// before the answer's; the caller then calls Fail.
func (s *Stream) Close() ([]byte, error) {
	var out []byte
	err := s.sse.flush(func(data []byte) error {
		events, err := s.reader.read(data)
		out = s.take(out, events)
		return err
	})
	if err == nil || !s.ended {
		out = s.take(out, s.reader.end())
	}
	if !s.ended {
		return out, fault.Wrap(fault.Unreachable, "", ErrCutShort)
	}
	return out, nil
}

// Ended reports whether the client was told the answer's end, or its failure.
func (s *Stream) Ended() bool { return s.ended }

// Fail returns the event that tells the client that its answer broke; nothing
// where it has been told the end.
func (s *Stream) Fail(message string) []byte {
	if s.ended {
		return nil
	}
	s.ended = true
	return s.writer.write(nil, Event{Kind: Failure, Text: message})
}

// take writes events in the order that every client relies on, whatever a
// provider leaves out: the beginning first, an end for each item.
func (s *Stream) take(out []byte, events []Event) []byte {
	for i := range events {
		e := &events[i]
		if s.ended {
			return out
		}
		switch {
		case e.Kind == Start && s.started:
			continue
		case e.Kind == Spent:
			s.t.observe(e)
			continue
		case e.Kind != Start && e.Kind != Failure && !s.started:
			out = s.put(out, &Event{Kind: Start})
		case e.Kind == Finish:
			for _, i := range slices.Clone(s.open) {
				out = s.put(out, &Event{Kind: End, Index: i})
			}
		}
		out = s.put(out, e)
	}
	return out
}

// put writes one event, which may be changed.
func (s *Stream) put(out []byte, e *Event) []byte {
	switch e.Kind {
	case Start:
		s.started = true
	case Begin:
		s.open = append(s.open, e.Index)
	case End:
		s.open = slices.DeleteFunc(s.open, func(i int) bool { return i == e.Index })
	case Finish, Failure:
		s.ended = true
	case Delta:
		s.size += len(e.Text)
	case Spent:
	}
	s.t.observe(e)
	before, stands := s.raiser.raise(e)
	if before != nil {
		out = s.writer.write(out, *before)
	}
	if stands {
		out = s.writer.write(out, *e)
	}
	return out
}
