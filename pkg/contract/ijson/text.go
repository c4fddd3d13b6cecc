package ijson

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// plain passes over the string that begins at the current byte, a quote, where it has no
// escapes and is right.
func (p *parser) plain() bool {
	for i, c := range p.data[p.pos+1:] {
		switch {
		case c == '"':
			p.pos += i + 2
			return true
		case c == '\\' || c < ' ':
			return false
		}
	}
	return false
}

// text reads the string that begins at the current byte, a quote.
func (p *parser) text() (string, bool) {
	p.pos++
	start := p.pos
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c == '"':
			s := string(p.data[start:p.pos])
			p.pos++
			return s, true
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			p.unexpected()
			return "", false
		}
		p.pos++
	}
	p.unexpected()
	return "", false
}

// escaped reads on a string that began at start and has an escape at the
// current byte.
func (p *parser) escaped(start int) (string, bool) {
	out := append([]byte(nil), p.data[start:p.pos]...)
	for p.pos < len(p.data) {
		c := p.data[p.pos]
		switch {
		case c == '"':
			p.pos++
			return string(out), true
		case c < ' ':
			p.unexpected()
			return "", false
		case c != '\\':
			out = append(out, c)
			p.pos++
			continue
		}
		r, ok := p.escape()
		if !ok {
			return "", false
		}
		out = utf8.AppendRune(out, r)
	}
	p.unexpected()
	return "", false
}

// escape reads one escape, for a character beyond the basic plane two.
func (p *parser) escape() (rune, bool) {
	p.pos++ // the backslash
	c := p.peek()
	p.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return p.unicode()
	default:
		p.pos--
		p.unexpected()
		return 0, false
	}
}

// unicode reads the digits of a \u escape and, where they are the first half
// of a surrogate pair, the second.
func (p *parser) unicode() (rune, bool) {
	r, ok := p.hex4()
	if !ok {
		p.unexpected()
		return 0, false
	}
	if !utf16.IsSurrogate(r) {
		return r, true
	}
	if p.peek() == '\\' {
		p.pos++
		if p.peek() == 'u' {
			p.pos++
			if low, ok := p.hex4(); ok {
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					return pair, true
				}
			}
		}
	}
	p.fail(`holds a \u escape that is half of a surrogate pair`)
	return 0, false
}

func (p *parser) hex4() (rune, bool) {
	if p.pos+4 > len(p.data) {
		p.pos = len(p.data)
		return 0, false
	}
	// ParseUint takes no sign, and with an explicit base no underscore.
	u, err := strconv.ParseUint(string(p.data[p.pos:p.pos+4]), 16, 32)
	if err != nil {
		return 0, false
	}
	p.pos += 4
	return rune(u), true
}
