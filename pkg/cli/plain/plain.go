// Package plain makes foreign text safe for a terminal.
//
// What an agent writes (replies, paths, tool names, commit messages) may hold
// escape sequences that move the cursor, set the clipboard or rewrite what was
// shown before, bidirectional overrides that show text in another order, and
// characters that nobody sees.
// Every frontend passes such text through this package, and through nothing
// else. Line feeds and tabs stay; everything else that is not text goes.
package plain

import (
	"strings"
	"unicode/utf8"
)

// Text returns s without control sequences, control characters other than
// line feed and tab, bidirectional formatting, and characters without width
// that no script needs where they stand. Bytes that are not UTF-8 become U+FFFD.
// Text is idempotent.
func Text(s string) string {
	if clean(s) {
		return s
	}
	var f Filter
	out := f.Append(make([]byte, 0, len(s)), []byte(s))
	return string(f.Flush(out))
}

// returned stands for a carriage return in a Patch.
const returned = "␍"

// Patch is Text for a unified diff, where it means something what a line begins with: a
// carriage return within a line is shown, and what follows it stays on that line.
func Patch(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return Text(s)
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '\r' && (i+1 == len(s) || s[i+1] != '\n') {
			b.WriteString(returned)
		} else {
			b.WriteByte(s[i])
		}
	}
	return Text(b.String())
}

// Line is Text on one line: line feeds and tabs become spaces.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, Text(s))
}

// Short is Line cut to at most n runes, the last of which are then "...".
func Short(s string, n int) string {
	s = Line(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	const dots = "..."
	if n <= len(dots) {
		return string(runes[:max(n, 0)])
	}
	return string(runes[:n-len(dots)]) + dots
}

// JSON returns a JSON text with the characters that Text would drop written as
// \u escapes, so that printing it is safe and its value stays the same.
func JSON(data []byte) []byte {
	if clean(string(data)) {
		return data
	}
	out := make([]byte, 0, len(data)+16)
	var before seen
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if kept := before.keep(r); !kept && r >= ' ' {
			out = appendEscape(out, r)
			before = seen{last: '0'} // a digit of it
		} else {
			out = append(out, data[:n]...)
		}
		data = data[n:]
	}
	return out
}

// appendEscape appends r as \uXXXX, beyond the basic plane as two of them.
func appendEscape(out []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	unit := func(u rune) {
		out = append(out, '\\', 'u', digits[u>>12&15], digits[u>>8&15], digits[u>>4&15], digits[u&15])
	}
	if r > 0xffff {
		r -= 0x10000
		unit(0xd800 + r>>10)
		unit(0xdc00 + r&0x3ff)
		return out
	}
	unit(r)
	return out
}

// clean reports whether s needs no work.
func clean(s string) bool {
	var before seen
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf { // most text is
			if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		if i > 0 && s[i-1] < utf8.RuneSelf {
			before = seen{last: rune(s[i-1])}
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !before.keep(r) {
			return false
		}
		i += n
	}
	return true
}

// dropped reports whether r never reaches a terminal.
func dropped(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < 0x20, r >= 0x7f && r <= 0x9f: // C0, DEL, C1
		return true
	case r == 0x061c, r == 0x200e, r == 0x200f: // bidirectional marks
		return true
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // embeddings, overrides, isolates
		return true
	case r == 0x2028, r == 0x2029: // line and paragraph separators: one row may not become two
		return true
	case r == 0xfeff, r >= 0xfff9 && r <= 0xfffb: // byte order mark, annotations
		return true
	default:
		return unseen(r)
	}
}
