// Package ijson reads I-JSON (RFC 7493) and writes it canonically (RFC 8785).
//
// JSON that two readers can read in two ways is how a validator is passed by
// what the program behind it would refuse. So Parse refuses what I-JSON leaves
// out: a member named twice, text that is not UTF-8, half a surrogate pair, and
// numbers that a double cannot hold; and it bounds how deep values may nest.
package ijson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
)

// A SyntaxError says why a text is not I-JSON, and where. Pointer is the JSON
// Pointer (RFC 6901) of the value that was being read.
type SyntaxError struct {
	Pointer string
	Msg     string
}

// Error returns the reason.
func (e *SyntaxError) Error() string { return e.Msg }

// Parse reads one value: nil, bool, json.Number, string, []any or
// map[string]any. The error is a *SyntaxError.
func Parse(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, &SyntaxError{Msg: "is not valid UTF-8"}
	}
	if loneSurrogate(data) {
		return nil, &SyntaxError{Msg: `holds a \u escape that is half of a surrogate pair`}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	r := reader{dec: dec}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &SyntaxError{Msg: "is followed by more data"}
	}
	return v, nil
}

// reader builds values from tokens and remembers where it is.
type reader struct {
	dec  *json.Decoder
	path []string
}

func (r *reader) fail(msg string) error {
	var b strings.Builder
	for _, tok := range r.path {
		b.WriteByte('/')
		b.WriteString(Escape(tok))
	}
	return &SyntaxError{Pointer: b.String(), Msg: msg}
}

// Escape writes one reference token of a JSON Pointer.
func Escape(tok string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(tok)
}

func (r *reader) token() (json.Token, error) {
	tok, err := r.dec.Token()
	switch {
	case err == nil:
		return tok, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, r.fail("is not JSON: the text ends too early")
	default:
		return nil, r.fail("is not JSON: " + err.Error())
	}
}

func (r *reader) value(depth int) (any, error) {
	tok, err := r.token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Number:
		if msg := checkNumber(tok); msg != "" {
			return nil, r.fail(msg)
		}
		return tok, nil
	case json.Delim:
		if depth == MaxDepth {
			return nil, r.fail(fmt.Sprintf("nests deeper than %d levels", MaxDepth))
		}
		if tok == '[' {
			return r.array(depth)
		}
		return r.object(depth)
	default:
		return tok, nil
	}
}

func (r *reader) array(depth int) (any, error) {
	arr := []any{}
	for r.dec.More() {
		r.path = append(r.path, strconv.Itoa(len(arr)))
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		r.path = r.path[:len(r.path)-1]
		arr = append(arr, v)
	}
	_, err := r.token()
	return arr, err
}

func (r *reader) object(depth int) (any, error) {
	obj := map[string]any{}
	for r.dec.More() {
		tok, err := r.token()
		if err != nil {
			return nil, err
		}
		name, ok := tok.(string)
		if !ok {
			return nil, r.fail("is not JSON: a member's name is not a string")
		}
		r.path = append(r.path, name)
		if _, twice := obj[name]; twice {
			return nil, r.fail("is given twice")
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		r.path = r.path[:len(r.path)-1]
		obj[name] = v
	}
	_, err := r.token()
	return obj, err
}

// checkNumber refuses what would read differently elsewhere: a number beyond a
// double's range, and an integer that a double would round.
func checkNumber(n json.Number) string {
	if len(n) > maxDigits {
		return fmt.Sprintf("is a number of more than %d characters", maxDigits)
	}
	f, err := n.Float64()
	if err != nil || f == 0 && strings.ContainsAny(mantissa(n), "123456789") {
		return "is a number that a double cannot hold"
	}
	if len(n) > 15 && math.Abs(f) >= maxExact && !strings.ContainsAny(string(n), ".eE") {
		if strconv.FormatFloat(f, 'f', -1, 64) != string(n) {
			return "is an integer that a double cannot hold exactly"
		}
	}
	return ""
}

func mantissa(n json.Number) string {
	m, _, _ := strings.Cut(strings.ToLower(string(n)), "e")
	return m
}

// loneSurrogate reports whether a \u escape in data is half of a pair, which
// encoding/json would silently replace.
func loneSurrogate(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 || i+1 >= len(data) {
			return false
		}
		if data[i+1] != 'u' {
			data = data[i+2:]
			continue
		}
		unit, ok := hex4(data[i:])
		if !ok {
			return false // the decoder says what is wrong
		}
		data = data[i+6:]
		switch {
		case unit >= 0xDC00 && unit <= 0xDFFF:
			return true
		case unit >= 0xD800 && unit <= 0xDBFF:
			low, ok := hex4(data)
			if !ok || low < 0xDC00 || low > 0xDFFF {
				return true
			}
			data = data[6:]
		}
	}
}

// hex4 reads the \uXXXX that data begins with.
func hex4(data []byte) (uint64, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	u, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return u, err == nil
}
