// Package ijson reads I-JSON (RFC 7493) and writes it canonically (RFC 8785).
//
// JSON that two readers can read in two ways is how a validator is passed by
// what the program behind it would refuse. So Parse refuses what I-JSON leaves
// out: a member named twice, text that is not UTF-8, half a surrogate pair, and
// numbers that a double cannot hold; and it bounds how deep values may nest.
package ijson

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest.
const MaxDepth = 64

const (
	maxDigits = 400     // characters of a number; the longest exact double in plain digits has 326
	maxExact  = 1 << 53 // every integer up to it is a double
	maxSure   = 15      // so is every integer of so many characters
)

// A SyntaxError says why a text is not I-JSON, and where. Pointer is the JSON
// Pointer (RFC 6901) of the value that was being read, Offset the byte at which
// reading ended.
type SyntaxError struct {
	Pointer string
	Offset  int
	Msg     string
}

// Error returns the reason. It does not quote the text.
func (e *SyntaxError) Error() string { return e.Msg }

// Escape writes one reference token of a JSON Pointer.
func Escape(tok string) string {
	if !strings.ContainsAny(tok, "~/") {
		return tok
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(tok)
}

// Parse reads one value: nil, bool, json.Number, string, []any or
// map[string]any. The error is a *SyntaxError.
func Parse(data []byte) (any, error) {
	p := parser{data: data}
	return p.all(0)
}

// Check reports whether Parse reads the value where it stands below so many arrays and
// objects. It makes nothing of it, and costs less. The error is a *SyntaxError, whose
// Pointer leaves out what is in arrays.
func Check(data []byte, depth int) error {
	p := parser{data: data, check: true}
	_, err := p.all(depth)
	return err
}

// all reads everything as one value.
func (p *parser) all(depth int) (any, error) {
	if !utf8.Valid(p.data) {
		return nil, &SyntaxError{Msg: "is not valid UTF-8"}
	}
	p.space()
	v, ok := p.value(depth)
	if !ok {
		return nil, p.failure()
	}
	p.space()
	if p.pos < len(p.data) {
		p.fail("is followed by more data")
		return nil, p.failure()
	}
	return v, nil
}

// parser reads data from pos on. A method that returns false has set msg.
type parser struct {
	data  []byte
	pos   int
	path  []string
	msg   string
	check bool // nobody wants the values
}

func (p *parser) fail(msg string) { p.msg = msg }

// unexpected fails at the current byte.
func (p *parser) unexpected() {
	if p.pos >= len(p.data) {
		p.fail("is not JSON: the text ends too early")
		return
	}
	p.fail(fmt.Sprintf("is not JSON: unexpected byte at offset %d", p.pos))
}

func (p *parser) failure() error {
	var b strings.Builder
	for _, tok := range p.path {
		b.WriteByte('/')
		b.WriteString(Escape(tok))
	}
	return &SyntaxError{Pointer: b.String(), Offset: p.pos, Msg: p.msg}
}

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// peek returns the current byte, and 0, which is no JSON, at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.data) {
		return p.data[p.pos]
	}
	return 0
}

func (p *parser) value(depth int) (any, bool) {
	switch c := p.peek(); c {
	case '{', '[':
		if depth == MaxDepth {
			p.fail(fmt.Sprintf("nests deeper than %d levels", MaxDepth))
			return nil, false
		}
		p.pos++
		p.space()
		if c == '[' {
			return p.array(depth)
		}
		return p.object(depth)
	case '"':
		if p.check && p.plain() {
			return nil, true
		}
		return p.text()
	case 't':
		return true, p.literal("true")
	case 'f':
		return false, p.literal("false")
	case 'n':
		return nil, p.literal("null")
	default:
		return p.number()
	}
}

func (p *parser) literal(word string) bool {
	if !strings.HasPrefix(string(p.data[p.pos:min(p.pos+len(word), len(p.data))]), word) {
		p.unexpected()
		return false
	}
	p.pos += len(word)
	return true
}

func (p *parser) array(depth int) (any, bool) {
	arr := []any{}
	if p.peek() == ']' {
		p.pos++
		return arr, true
	}
	for {
		if !p.check {
			p.path = append(p.path, strconv.Itoa(len(arr)))
		}
		v, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		if !p.check {
			p.path = p.path[:len(p.path)-1]
			arr = append(arr, v)
		}
		if more, ok := p.next(']'); !more {
			return arr, ok
		}
	}
}

func (p *parser) object(depth int) (any, bool) {
	obj := map[string]any{}
	if p.peek() == '}' {
		p.pos++
		return obj, true
	}
	for {
		name, ok := p.name()
		if !ok {
			return nil, false
		}
		p.path = append(p.path, name)
		if _, twice := obj[name]; twice {
			p.fail("is given twice")
			return nil, false
		}
		v, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		p.path = p.path[:len(p.path)-1]
		obj[name] = v // the name counts, where nobody wants the value
		if more, ok := p.next('}'); !more {
			return obj, ok
		}
	}
}

// name reads a member's name and the colon after it.
func (p *parser) name() (string, bool) {
	if p.peek() != '"' {
		p.unexpected()
		return "", false
	}
	name, ok := p.text()
	if !ok {
		return "", false
	}
	p.space()
	if p.peek() != ':' {
		p.unexpected()
		return "", false
	}
	p.pos++
	p.space()
	return name, true
}

// next reads what comes after an item: a comma, and more is true, or the end.
func (p *parser) next(end byte) (more, ok bool) {
	p.space()
	switch p.peek() {
	case ',':
		p.pos++
		p.space()
		return true, true
	case end:
		p.pos++
		return false, true
	default:
		p.unexpected()
		return false, false
	}
}

// number reads a number by the grammar of RFC 8259, section 6.
func (p *parser) number() (any, bool) {
	start := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	ok := p.peek() == '0'
	if ok {
		p.pos++
	} else {
		ok = p.digits()
	}
	integer := true
	if ok && p.peek() == '.' {
		integer = false
		p.pos++
		ok = p.digits()
	}
	if c := p.peek(); ok && (c == 'e' || c == 'E') {
		integer = false
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		ok = p.digits()
	}
	if !ok {
		p.unexpected()
		return nil, false
	}
	if p.check && integer && p.pos-start <= maxSure {
		return nil, true
	}
	n := string(p.data[start:p.pos])
	if msg := checkNumber(n, integer); msg != "" {
		p.fail(msg)
		return nil, false
	}
	if p.check {
		return nil, true
	}
	return json.Number(n), true
}

// digits reads one digit or more.
func (p *parser) digits() bool {
	start := p.pos
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
	}
	return p.pos > start
}

// checkNumber refuses what would read differently elsewhere: a number beyond a
// double's range, and an integer that a double would round.
func checkNumber(n string, integer bool) string {
	if integer && len(n) <= maxSure {
		return ""
	}
	if len(n) > maxDigits {
		return fmt.Sprintf("is a number of more than %d characters", maxDigits)
	}
	f, err := strconv.ParseFloat(n, 64)
	if err != nil || f == 0 && strings.ContainsAny(mantissa(n), "123456789") {
		return "is a number that a double cannot hold"
	}
	if integer && math.Abs(f) >= maxExact && strconv.FormatFloat(f, 'f', -1, 64) != n {
		return "is an integer that a double cannot hold exactly"
	}
	return ""
}

func mantissa(n string) string {
	if i := strings.IndexAny(n, "eE"); i >= 0 {
		return n[:i]
	}
	return n
}
