package translate

import (
	"errors"
	"io"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
)

// ErrCutShort is about a stream that ended before its answer did.
var ErrCutShort = errors.New("the stream ended before the answer did")

// Encode writes a request of our own in a protocol, and returns it with its path
// below the API's version. The error is fault.Invalid where the protocol has no
// place for what it says.
func Encode(protocol inference.Protocol, r *Request, openAI bool) (path string, body []byte, err error) {
	p := providerOf(protocol, openAI)
	if p == nil {
		return "", nil, fault.Newf(fault.Invalid, "%q is not a protocol that a model can be asked in", protocol)
	}
	body, err = p.encodeRequest(r, Lost{})
	return pathOf(protocol, r), body, err
}

// providerOf is the protocol as a provider is asked in it, nil where there is none.
func providerOf(protocol inference.Protocol, openAI bool) codec {
	if protocol == inference.OpenAIChat {
		return chat{openAI: openAI}
	}
	return codecOf(protocol)
}

func pathOf(protocol inference.Protocol, r *Request) string {
	switch protocol {
	case inference.AnthropicMessages:
		return "messages"
	case inference.OpenAIResponses:
		return "responses"
	case inference.Gemini:
		if r.Stream {
			return "models/" + r.Model + ":streamGenerateContent?alt=sse"
		}
		return "models/" + r.Model + ":generateContent"
	default:
		return "chat/completions"
	}
}

// ReadWhole reads an answer that is not streamed.
func ReadWhole(protocol inference.Protocol, body []byte) (*Answer, error) {
	return providerOf(protocol, false).decodeAnswer(body, "own")
}

// ReadStream reads a streamed answer to its end, and tells each what every event
// says as it comes. With an error it returns what came before: ErrCutShort, what
// the provider says that went wrong, or what is wrong with the stream.
func ReadStream(protocol inference.Protocol, in io.Reader, each func(Event)) (*Answer, error) {
	s := &ownStream{reader: providerOf(protocol, false).reader("own"), each: each}
	buf := make([]byte, 32<<10)
	for {
		n, err := in.Read(buf)
		broken := s.sse.feed(buf[:n], s.event)
		if broken == nil && errors.Is(err, io.EOF) {
			if broken = s.sse.flush(s.event); broken == nil {
				broken = s.take(s.reader.end())
			}
			if broken == nil && !s.ended {
				broken = ErrCutShort
			}
		}
		switch {
		case broken != nil:
			return s.answer(), broken
		case s.ended:
			return s.answer(), nil
		case err != nil:
			return s.answer(), err
		}
	}
}

// ownStream is an answer to a request of our own as it comes.
type ownStream struct {
	sse    sse
	reader reader
	each   func(Event)
	got    collector
	open   []int
	ended  bool
}

func (s *ownStream) event(data []byte) error {
	events, err := s.reader.read(data)
	return errors.Join(s.take(events), err)
}

func (s *ownStream) take(events []Event) error {
	for _, e := range events {
		if s.ended {
			return nil
		}
		switch e.Kind {
		case Begin:
			s.open = append(s.open, e.Index)
		case End:
			s.open = slices.DeleteFunc(s.open, func(i int) bool { return i == e.Index })
		case Finish:
			s.ended = true
		case Failure:
			if e.Text == "" {
				e.Text = "the provider broke its answer off"
			}
			return errors.New(e.Text)
		case Spent:
			continue
		case Start, Delta:
		}
		s.got.add(e)
		s.each(e)
		if s.got.size > maxAnswer {
			return errTooLong
		}
	}
	return nil
}

// answer is what has come; items that did not end do so here.
func (s *ownStream) answer() *Answer {
	for _, i := range s.open {
		s.got.add(Event{Kind: End, Index: i})
	}
	s.open = nil
	return &s.got.answer
}
