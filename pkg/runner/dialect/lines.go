package dialect

import (
	"bytes"
	"fmt"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Lines is a Parser that cuts its input into lines for another. A line of more
// than its limit is not kept: it is counted as unknown and an error body says
// how long it was. The last line needs no newline; a carriage return before a
// newline belongs to it, and empty lines are left out.
type Lines struct {
	parser  LineParser
	limit   int
	pending []byte // the line so far, while it is within the limit
	length  int    // of the line so far, kept or not
	tooLong int    // lines that were dropped
}

// NewLines returns a Parser for p whose lines have at most limit bytes.
func NewLines(limit int, p LineParser) *Lines {
	return &Lines{limit: limit, parser: p}
}

// Feed implements Parser.
func (l *Lines) Feed(chunk []byte) []wsv2.Body {
	var out []wsv2.Body
	for len(chunk) > 0 {
		end := bytes.IndexByte(chunk, '\n')
		if end < 0 {
			l.hold(chunk)
			return out
		}
		if l.length == 0 && end <= l.limit {
			out = append(out, l.line(chunk[:end])...)
		} else {
			l.hold(chunk[:end])
			out = append(out, l.flush()...)
		}
		chunk = chunk[end+1:]
	}
	return out
}

// End implements Parser.
func (l *Lines) End() ([]wsv2.Body, Result) {
	out := l.flush()
	result := l.parser.End()
	result.Unknown += l.tooLong
	return out, result
}

// hold keeps a part of a line, or of a line that is too long only its length.
func (l *Lines) hold(part []byte) {
	l.length += len(part)
	if l.length > l.limit {
		l.pending = nil
		return
	}
	l.pending = append(l.pending, part...)
}

// flush ends the line that was held.
func (l *Lines) flush() []wsv2.Body {
	length, line := l.length, l.pending
	l.length, l.pending = 0, l.pending[:0]
	if length > l.limit {
		l.tooLong++
		return []wsv2.Body{wsv2.Error{
			Code:    string(fault.Invalid),
			Message: fmt.Sprintf("the runner printed a line of %d bytes, which is over its limit of %d: it was dropped", length, l.limit),
		}}
	}
	return l.line(line)
}

func (l *Lines) line(line []byte) []wsv2.Body {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	return l.parser.Line(line)
}
