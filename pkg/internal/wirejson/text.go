package wirejson

import (
	"math/bits"
	"unicode/utf8"
)

// AppendString appends a text as JSON. What is no UTF-8 in it becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for len(s) > 0 {
		n := ordinary(s)
		dst, s = append(dst, s[:n]...), s[n:]
		if s == "" {
			break
		}
		if c := s[0]; c < utf8.RuneSelf {
			dst, s = appendEscape(dst, c), s[1:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, `\ufffd`...)
		case r == '\u2028': // both end a line of JavaScript
			dst = append(dst, `\u2028`...)
		case r == '\u2029':
			dst = append(dst, `\u2029`...)
		default:
			dst = append(dst, s[:size]...)
		}
		s = s[size:]
	}
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	default:
		const digits = "0123456789abcdef"
		return append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&0xf])
	}
}

// ordinary returns how many bytes at the beginning of a text stand for themselves in
// JSON: ASCII but for quotes, backslashes and control characters.
func ordinary(s string) int {
	const word = 8
	i := 0
	for ; i+word <= len(s); i += word {
		if m := marks(eight(s[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)/word
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// marks has the highest bit of the first of eight bytes that is not ordinary as its lowest;
// see jsoncut.
func marks(w uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash := w^(ones*'"'), w^(ones*'\\')
	return (w | (w-ones*' ')&^w | (quote-ones)&^quote | (backslash-ones)&^backslash) & high
}
