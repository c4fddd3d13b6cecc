package plain

import (
	"io"
	"unicode/utf8"
)

// state is where a Filter stands in a control sequence (ECMA-48).
type state uint8

const (
	ground   state = iota
	escape         // after ESC
	middle         // ESC and intermediate bytes; a final byte ends it
	csi            // after ESC [ or U+009B; a final byte ends it
	str            // in an OSC, DCS, SOS, PM or APC string; ST or BEL ends it
	strEsc         // ESC within such a string
	maxSplit = utf8.UTFMax - 1
)

// Filter is Text for a stream: a control sequence or a character that is split
// between two pieces is seen as one. The zero value is ready. It is not safe
// for concurrent use.
type Filter struct {
	state    state
	seen     seen
	begun    bool           // something stands on this line
	returned bool           // behind it, a carriage return
	part     [maxSplit]byte // an unfinished character at the end of the last piece
	n        int
}

// Append appends what is safe of src to dst.
func (f *Filter) Append(dst, src []byte) []byte {
	if f.n > 0 {
		src = append(f.part[:f.n:f.n], src...)
		f.n = 0
	}
	for len(src) > 0 {
		if !utf8.FullRune(src) {
			f.n = copy(f.part[:], src)
			break
		}
		r, n := utf8.DecodeRune(src)
		if f.take(r) {
			if f.returned && r != '\n' {
				dst = append(dst, '\n')
			}
			f.begun, f.returned = r != '\n', false
			dst = utf8.AppendRune(dst, r)
		}
		src = src[n:]
	}
	return dst
}

// Flush ends the stream: an unfinished character becomes U+FFFD, an unfinished
// sequence is dropped.
func (f *Filter) Flush(dst []byte) []byte {
	if f.n > 0 && f.state == ground {
		if f.returned {
			dst = append(dst, '\n')
		}
		dst = utf8.AppendRune(dst, utf8.RuneError)
	}
	*f = Filter{}
	return dst
}

// take advances over r and reports whether it is text to keep. A line feed
// always ends a sequence and stays: an unfinished one hides at most its line.
func (f *Filter) take(r rune) bool {
	if r == '\n' {
		f.state, f.seen = ground, seen{}
		return true
	}
	if r == '\r' && f.state != str {
		f.state = ground // a terminal carries it out within a sequence
	}
	switch f.state {
	case escape:
		f.afterEscape(r)
	case middle:
		f.until(r, '0', '~')
	case csi:
		f.until(r, '@', '~')
	case str:
		f.inString(r)
	case strEsc:
		if r == '\\' {
			f.state = ground
		} else {
			f.afterEscape(r)
		}
	case ground:
		return f.text(r)
	}
	return false
}

func (f *Filter) text(r rune) bool {
	switch r {
	case '\r':
		f.seen, f.returned = seen{}, f.begun
	case 0x1b:
		f.state = escape
	case 0x9b:
		f.state = csi
	case 0x90, 0x98, 0x9d, 0x9e, 0x9f:
		f.state = str
	}
	return f.seen.keep(r)
}

func (f *Filter) afterEscape(r rune) {
	switch {
	case r == 0x1b:
		f.state = escape
	case r == '[':
		f.state = csi
	case r == ']' || r == 'P' || r == 'X' || r == '^' || r == '_':
		f.state = str
	case r >= ' ' && r <= '/':
		f.state = middle
	default:
		f.state = ground
	}
}

// until ends a sequence at a final byte between low and high, and abandons it
// at anything that cannot be part of one.
func (f *Filter) until(r, low, high rune) {
	switch {
	case r == 0x1b:
		f.state = escape
	case r >= low && r <= high, r < ' ', r > '~':
		f.state = ground
	}
}

func (f *Filter) inString(r rune) {
	const bel, can, sub, st = 0x07, 0x18, 0x1a, 0x9c
	switch r {
	case 0x1b:
		f.state = strEsc
	case bel, can, sub, st:
		f.state = ground
	}
}

// Writer filters what is written through it. Close flushes; it does not close
// the writer beneath.
type Writer struct {
	w   io.Writer
	f   Filter
	buf []byte
}

// NewWriter returns a filter in front of w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes what is safe of p. It reports len(p) unless w fails.
func (w *Writer) Write(p []byte) (int, error) {
	w.buf = w.f.Append(w.buf[:0], p)
	if len(w.buf) > 0 {
		if _, err := w.w.Write(w.buf); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Close ends the stream.
func (w *Writer) Close() error {
	if w.buf = w.f.Flush(w.buf[:0]); len(w.buf) == 0 {
		return nil
	}
	_, err := w.w.Write(w.buf)
	return err
}
