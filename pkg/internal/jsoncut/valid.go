package jsoncut

import (
	"encoding/binary"
	"iter"
	"math/bits"
)

// maxDepth is how deep a valid text is nested at most, as encoding/json has it.
const maxDepth = 10_000

// Valid reports whether a text is JSON (RFC 8259), as encoding/json's Valid does,
// and several times as fast where most of it is strings. It keeps a byte for each
// level of nesting.
func Valid(text []byte) bool {
	v := validator{text: text}
	return v.value() && v.at == len(text)
}

// Outline is what is learned of a text while it is found valid.
type Outline struct {
	Objects int    // and nulls in it, at any depth: a reader makes as much of either
	Escapes bool   // some character in it stands as an escape of four digits
	Members []Pair // of the object that it is, in its order; a name can stand in it twice
}

// Pair is a member of an object as it stands in the text: its name in quotes, and its
// value.
type Pair struct{ Name, Value []byte }

// Pairs are the members.
func (o Outline) Pairs() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for _, m := range o.Members {
			if !yield(m.Name, m.Value) {
				return
			}
		}
	}
}

// Cut is Valid, and returns the outline of a valid text, with the first members of the
// object that it is, as many as that.
func Cut(text []byte, most int) (o Outline, ok bool) {
	v := validator{text: text, most: most}
	ok = v.value() && v.at == len(text)
	return Outline{v.objects, v.escapes, v.members}, ok
}

// Scalar returns the length of the string that a text begins with, or of the number where
// no quote stands there, and whether it is one.
func Scalar(text []byte, quote bool) (n int, ok bool) {
	v := validator{text: text}
	if len(text) == 0 || quote != (text[0] == '"') {
		return 0, false
	}
	if quote {
		ok = v.str()
	} else {
		ok = v.number()
	}
	return v.at, ok
}

// validator reads a text from its beginning.
type validator struct {
	text   []byte
	at     int
	levels []byte // '{' or '[' of what is open

	objects int // and nulls so far
	escapes bool
	members []Pair
	most    int  // of those
	cutting bool // the last of them has no value yet
	from    int  // where the last value at the top began
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
			if v.cutting && len(v.levels) == 1 {
				v.members[len(v.members)-1].Value, v.cutting = v.text[v.from:v.at], false
			}
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
	if len(v.levels) == 1 {
		v.from = v.at
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
		v.objects++
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
	if c == '{' {
		v.objects++
	}
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
	from := v.at
	if v.at == len(v.text) || v.text[v.at] != '"' || !v.str() {
		return false
	}
	if len(v.levels) == 1 && len(v.members) < v.most {
		v.members, v.cutting = append(v.members, Pair{Name: v.text[from:v.at]}), true
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

// str reads a string. Bytes that are no UTF-8 are left to who reads it. It looks at
// eight of them at once.
func (v *validator) str() bool {
	const word = 8
	text, i := v.text, v.at+1
	for i+word <= len(text) {
		m := marks(binary.LittleEndian.Uint64(text[i:]))
		if m == 0 {
			i += word
			continue
		}
		i += bits.TrailingZeros64(m) / word
		if text[i] == '"' {
			v.at = i + 1
			return true
		}
		if text[i] == '\\' && i+1 < len(text) && simple[text[i+1]] != 0 {
			i += 2
			continue
		}
		n := longEscape(text[i:])
		if n == 0 {
			return false
		}
		v.escapes = true
		i += n
	}
	return v.rest(i)
}

// rest is str for what is left from i on, byte by byte.
func (v *validator) rest(i int) bool {
	for text := v.text; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			v.at = i + 1
			return true
		case c >= ' ' && c != '\\':
			i++
		case c == '\\' && i+1 < len(text) && simple[text[i+1]] != 0:
			i += 2
		default:
			n := longEscape(text[i:])
			if n == 0 {
				return false
			}
			v.escapes = true
			i += n
		}
	}
	return false
}

// marks has the highest bit of the first of eight bytes that is a quote, a backslash or a
// control character as its lowest; it is 0 where none is. See "Determine if a word has a
// zero byte" in Bit Twiddling Hacks: what is carried on goes to the bytes behind the first.
func marks(w uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash := w^(ones*'"'), w^(ones*'\\')
	return ((w-ones*' ')&^w | (quote-ones)&^quote | (backslash-ones)&^backslash) & high
}

// longEscape is the length of the escape of four digits with which a text begins, 0 where it
// begins with none.
func longEscape(text []byte) int {
	const size = len(`\u0000`)
	if len(text) < size || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	for _, c := range text[2:size] {
		if !digit(c) && (c|' ' < 'a' || c|' ' > 'f') {
			return 0
		}
	}
	return size
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
