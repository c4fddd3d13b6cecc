package stream

import (
	"errors"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Sentinels, to be matched with errors.Is.
var (
	ErrClosed  = errors.New("the stream is closed")
	ErrRemoved = errors.New("the topic was removed")
	ErrCursor  = errors.New("not a cursor of this topic")
	ErrTrimmed = errors.New("entries after the cursor were trimmed")
)

// TrimmedError says that entries between a reader's cursor and the oldest one
// still there are gone. It matches [ErrTrimmed].
type TrimmedError struct {
	Topic string
	First Cursor // reading after it starts at the oldest entry still there
}

// Error implements error.
func (e *TrimmedError) Error() string {
	return "topic " + e.Topic + ": " + ErrTrimmed.Error() + "; the first cursor available is " + string(e.First)
}

// Is matches ErrTrimmed.
func (e *TrimmedError) Is(target error) bool { return target == ErrTrimmed }

// CheckTopic returns fault.Invalid unless topic can name one: 1 to MaxTopic
// bytes of printable text without spaces.
func CheckTopic(topic string) error {
	if topic == "" || len(topic) > MaxTopic || !utf8.ValidString(topic) {
		return fault.New(fault.Invalid, "a topic's name is 1 to "+strconv.Itoa(MaxTopic)+" bytes of text", "")
	}
	for _, r := range topic {
		if !unicode.IsPrint(r) || unicode.IsSpace(r) {
			return fault.New(fault.Invalid, "the topic "+strconv.QuoteToASCII(topic)+" holds a character that does not print", "")
		}
	}
	return nil
}

// CheckPayload returns fault.Invalid for a payload beyond MaxPayload.
func CheckPayload(payload []byte) error {
	if len(payload) > MaxPayload {
		return fault.New(fault.Invalid, "an entry of "+strconv.Itoa(len(payload))+" bytes is beyond the limit of "+strconv.Itoa(MaxPayload), "")
	}
	return nil
}
