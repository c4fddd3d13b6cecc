package jsoncut

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// String returns the text of a string, and whether it is one. A string that is no
// UTF-8 is none here: readers do not agree on what it says.
func String(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || !utf8.Valid(raw) {
		return "", false
	}
	rest := raw[1 : len(raw)-1]
	i := bytes.IndexByte(rest, '\\')
	if i < 0 {
		return string(rest), true
	}
	var b strings.Builder
	b.Grow(len(rest))
	for ; i >= 0; i = bytes.IndexByte(rest, '\\') {
		b.Write(rest[:i])
		if c := simple[rest[i+1]]; c != 0 {
			b.WriteByte(c)
			rest = rest[i+2:]
			continue
		}
		r, n := unescaped(rest[i:])
		b.WriteRune(r)
		rest = rest[i+n:]
	}
	b.Write(rest)
	return b.String(), true
}

// simple is what the escapes of one letter stand for.
//
//nolint:gochecknoglobals // constants; Go has none of this type
var simple = [256]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\', '/': '/'}

// unescaped returns the character that the escape of four digits stands for with which a
// text begins, or that a pair of them does, and their length. Half of a surrogate pair is
// U+FFFD, as encoding/json has it.
func unescaped(text []byte) (rune, int) {
	const one = len(`\u0000`)
	r := hex(text)
	if !utf16.IsSurrogate(r) {
		return r, one
	}
	if rest := text[one:]; len(rest) >= one && rest[0] == '\\' && rest[1] == 'u' {
		if pair := utf16.DecodeRune(r, hex(rest)); pair != utf8.RuneError {
			return pair, one + one
		}
	}
	return utf8.RuneError, one
}

// hex reads the four digits of an escape of that form.
func hex(text []byte) rune {
	var r rune
	for _, c := range text[2:6] {
		const ten, bits = 10, 4
		d := rune(c - '0')
		if !digit(c) {
			d = rune(c|' '-'a') + ten
		}
		r = r<<bits | d
	}
	return r
}

// AppendCompact appends JSON without the space between its parts.
func AppendCompact(dst, text []byte) []byte {
	from := 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			i += stringEnd(text[i:])
		case c <= ' ':
			dst = append(dst, text[from:i]...)
			i++
			from = i
		default:
			i++
		}
	}
	return append(dst, text[from:]...)
}
