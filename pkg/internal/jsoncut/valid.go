package jsoncut

import "encoding/binary"

// maxDepth is how deep a valid text is nested at most, as encoding/json has it.
const maxDepth = 10_000

// Valid reports whether a text is JSON (RFC 8259), as encoding/json's Valid does,
// and several times as fast where most of it is strings. It keeps a bit for each
// level of nesting.
func Valid(text []byte) bool {
	v := validator{text: text}
	return v.value() && v.at == len(text)
}

// validator reads a text from its beginning.
type validator struct {
	text   []byte
	at     int
	levels []byte // '{' or '[' of what is open
}

// value reads one value with the space around it.
func (v *validator) value() bool {
	for {
		opened, ok := v.begin()
		if !ok {
			return false
		}
		if opened {
			continue
		}
		for {
			v.space()
			if len(v.levels) == 0 {
				return true
			}
			more, ok := v.next()
			if !ok {
				return false
			}
			if more {
				break
			}
		}
	}
}

// begin reads a value that is no container whole, or of one that has something in
// it up to its first value.
func (v *validator) begin() (opened, ok bool) {
	v.space()
	if v.at == len(v.text) {
		return false, false
	}
	switch c := v.text[v.at]; c {
	case '{', '[':
		return v.open(c)
	case '"':
		return false, v.str()
	case 't':
		return false, v.word("true")
	case 'f':
		return false, v.word("false")
	case 'n':
		return false, v.word("null")
	default:
		return false, v.number()
	}
}

func (v *validator) open(c byte) (opened, ok bool) {
	if len(v.levels) == maxDepth {
		return false, false
	}
	v.at++
	v.space()
	if v.at < len(v.text) && v.text[v.at] == closing(c) {
		v.at++
		return false, true
	}
	v.levels = append(v.levels, c)
	return true, c == '[' || v.name()
}

// next reads what follows a value in a container: a comma, behind which there is
// more, or the end of the container.
func (v *validator) next() (more, ok bool) {
	if v.at == len(v.text) {
		return false, false
	}
	level := v.levels[len(v.levels)-1]
	switch v.text[v.at] {
	case ',':
		v.at++
		return true, level == '[' || v.name()
	case closing(level):
		v.at++
		v.levels = v.levels[:len(v.levels)-1]
		return false, true
	default:
		return false, false
	}
}

// closing is the end of what c opens.
func closing(c byte) byte { return c + 2 } // '[' ']', '{' '}'

// name reads a member's name and the colon behind it.
func (v *validator) name() bool {
	v.space()
	if v.at == len(v.text) || v.text[v.at] != '"' || !v.str() {
		return false
	}
	v.space()
	if v.at == len(v.text) || v.text[v.at] != ':' {
		return false
	}
	v.at++
	return true
}

func (v *validator) space() {
	for v.at < len(v.text) {
		switch v.text[v.at] {
		case ' ', '\t', '\r', '\n':
			v.at++
		default:
			return
		}
	}
}

// str reads a string. Bytes that are no UTF-8 are left to who reads it.
func (v *validator) str() bool {
	text := v.text
	for i := v.at + 1; i < len(text); i++ {
		i += ordinary(text[i:])
		if i == len(text) {
			return false
		}
		switch c := text[i]; {
		case c == '"':
			v.at = i + 1
			return true
		case c < ' ':
			return false
		case c == '\\':
			n := escape(text[i+1:])
			if n == 0 {
				return false
			}
			i += n
		}
	}
	return false
}

// ordinary returns how many bytes of a string stand for themselves: up to a quote, a
// backslash or a control character. It looks at eight at once.
func ordinary(text []byte) int {
	const word = 8
	i := 0
	for ; i+word <= len(text); i += word {
		if marks(binary.LittleEndian.Uint64(text[i:])) != 0 {
			break
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c == '"' || c == '\\' || c < ' ' {
			break
		}
	}
	return i
}

// marks is not 0 where one of eight bytes is a quote, a backslash or a control
// character: of each byte it is the highest bit, where nothing below it is one. See
// "Determine if a word has a zero byte" in Bit Twiddling Hacks.
func marks(w uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash := w^(ones*'"'), w^(ones*'\\')
	return ((w-ones*' ')&^w | (quote-ones)&^quote | (backslash-ones)&^backslash) & high
}

// escape is the length of what follows a backslash, 0 where that is no escape.
func escape(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		const digits = 4
		if len(text) <= digits {
			return 0
		}
		for _, c := range text[1 : digits+1] {
			if !digit(c) && (c|' ' < 'a' || c|' ' > 'f') {
				return 0
			}
		}
		return digits + 1
	default:
		return 0
	}
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func (v *validator) word(word string) bool {
	if len(v.text)-v.at < len(word) || string(v.text[v.at:v.at+len(word)]) != word {
		return false
	}
	v.at += len(word)
	return true
}

// number reads an integer, and a fraction and an exponent where there are.
func (v *validator) number() bool {
	v.skip('-')
	if zero := v.skip('0'); !zero && !v.digits() {
		return false
	}
	if v.skip('.') && !v.digits() {
		return false
	}
	if v.skip('e') || v.skip('E') {
		_ = v.skip('+') || v.skip('-')
		return v.digits()
	}
	return true
}

func (v *validator) skip(c byte) bool {
	if v.at < len(v.text) && v.text[v.at] == c {
		v.at++
		return true
	}
	return false
}

func (v *validator) digits() bool {
	from := v.at
	for v.at < len(v.text) && digit(v.text[v.at]) {
		v.at++
	}
	return v.at > from
}
