package stream

import (
	"strconv"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// cursorLen is the length of a numbered cursor: 16 hexadecimal digits, so that
// strings and numbers order alike.
const cursorLen = 16

// At returns the cursor after entry number seq, for adapters that number the
// entries of a topic from 1. At(0) is the position before the first.
func At(seq uint64) Cursor {
	const digits = "0123456789abcdef"
	var b [cursorLen]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[seq&15]
		seq >>= 4
	}
	return Cursor(b[:])
}

// Seq is the inverse of At. Only what At returns is accepted.
func (c Cursor) Seq() (uint64, error) {
	seq, err := strconv.ParseUint(string(c), 16, 64)
	if err != nil || At(seq) != c {
		return 0, &fault.Error{Kind: fault.Invalid, Msg: strconv.QuoteToASCII(string(c)), Err: ErrCursor}
	}
	return seq, nil
}

// CheckRange says whether the entries after number seq can be read from a
// topic that holds the numbers first to last: ErrTrimmed where some of them are
// gone, ErrCursor where seq is yet to come. An empty topic has last = first-1.
func CheckRange(topic string, seq, first, last uint64) error {
	switch {
	case seq > last:
		return &fault.Error{Kind: fault.Invalid, Msg: "topic " + topic + " has not come to " + string(At(seq)), Err: ErrCursor}
	case seq+1 < first:
		return &fault.Error{Kind: fault.NotFound, Err: &TrimmedError{Topic: topic, First: At(first - 1)}}
	}
	return nil
}
