package wirejson

import (
	"bytes"
	"reflect"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// Again reads values one after the other of which most differ from the one before in some
// texts and numbers alone, as the events of a stream do. What it has read once it only
// compares, and puts in the texts that are new. What it makes of a text is what Unmarshal
// does, as long as T, where it or a type in it reads itself, takes each text as it is, and
// each number alike that it does not keep.
//
// The zero value is ready. It is used by one goroutine at a time.
type Again[T any] struct {
	alike  *T       // what was read of a text of this form; nil: none is known
	parts  [][]byte // that stand before, between and behind the gaps
	gaps   []gap
	texts  []string // of those gaps that a text is read from, for the next value
	last   []byte   // what was read in full last
	missed int      // values in a row that were read in full
}

// gap is what differs from one value to the next: a text, or a number that is not read.
type gap struct {
	quote bool
	field reflect.Value // where the text goes; the zero value: nowhere
}

const (
	// maxAlike is the longest text that is compared, in bytes.
	maxAlike = 4 << 10
	// maxGaps is how many there may be.
	maxGaps = 4
)

// Read reads a value. It is valid until the next call, and not to be changed. The error is
// encoding/json's, which may have read a part of it by then.
func (a *Again[T]) Read(data []byte) (*T, error) {
	if a.alike != nil && a.fits(data) {
		a.missed = 0
		return a.alike, nil
	}
	v := new(T)
	if len(data) > maxAlike || !readsAtOnce(data, v) {
		a.last = a.last[:0]
		return v, Unmarshal(data, v)
	}
	const often = 64
	if a.missed++; a.missed&(a.missed-1) == 0 || a.missed%often == 0 { // else it would take the time of two
		a.learn(data, v)
	}
	a.last = append(a.last[:0], data...)
	return v, nil
}

// readsAtOnce reads a value that is of the form, in which no member stands twice.
func readsAtOnce[T any](data []byte, v *T) bool { return jsoncut.Valid(data) && Read(data, v) }

// fits reads a text of the known form, and reports whether it is one.
func (a *Again[T]) fits(data []byte) bool {
	a.texts = a.texts[:0]
	for i := range a.gaps {
		rest, ok := bytes.CutPrefix(data, a.parts[i])
		if !ok {
			return false
		}
		n, ok := jsoncut.Scalar(rest, a.gaps[i].quote)
		if !ok {
			return false
		}
		if a.gaps[i].field.IsValid() {
			text, ok := jsoncut.String(rest[:n])
			if !ok {
				return false
			}
			a.texts = append(a.texts, text)
		}
		data = rest[n:]
	}
	if !bytes.Equal(data, a.parts[len(a.gaps)]) {
		return false
	}
	i := 0
	for _, g := range a.gaps {
		if g.field.IsValid() {
			g.field.SetString(a.texts[i])
			i++
		}
	}
	return true
}

// learn makes a form of a text, and of the one before, that was read into v.
func (a *Again[T]) learn(data []byte, v *T) {
	at := differences(a.last, data)
	if at == nil {
		return
	}
	data = bytes.Clone(data)
	parts, gaps, from := make([][]byte, 0, len(at)+1), make([]gap, 0, len(at)), 0
	for _, d := range at {
		g := gap{quote: data[d.from] == '"'}
		field, ok := effect(data[:d.from], data[d.from:d.to], data[d.to:], v)
		if !ok || field.IsValid() && !g.quote {
			return
		}
		g.field = field
		parts, gaps, from = append(parts, data[from:d.from]), append(gaps, g), d.to
	}
	a.alike, a.parts, a.gaps = v, append(parts, data[from:]), gaps
}

// effect finds out where a text goes that stands in another one, of which v was read, by
// reading it with another text in its place: the zero value where it goes nowhere. It
// reports whether that is all that it does.
func effect[T any](before, old, behind []byte, v *T) (field reflect.Value, ok bool) {
	c := comparison{text: "0"}
	if old[0] == '"' {
		text, ok := jsoncut.String(old)
		if !ok {
			return field, false
		}
		c.text = "not " + text // which is another, and no number
	} else if string(old) == c.text {
		c.text = "1"
	}
	probe := bytes.Clone(before)
	if old[0] == '"' {
		probe = AppendString(probe, c.text)
	} else {
		probe = append(probe, c.text...)
	}
	changed := new(T)
	if !readsAtOnce(append(probe, behind...), changed) {
		return field, false
	}
	ok = c.same(reflect.ValueOf(v).Elem(), reflect.ValueOf(changed).Elem())
	return c.field, ok
}

// comparison is one of two values that may differ in one text.
type comparison struct {
	text  string        // which the second has
	field reflect.Value // of the first
}

// same reports whether two values are the same but for the one text. Of what it does not
// know it says that they are not.
func (c *comparison) same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.String:
		if a.String() == b.String() {
			return true
		}
		if b.String() != c.text || c.field.IsValid() || !a.CanSet() {
			return false
		}
		c.field = a
		return true
	case reflect.Bool:
		return a.Bool() == b.Bool()
	case reflect.Int, reflect.Int64:
		return a.Int() == b.Int()
	case reflect.Uint8:
		return a.Uint() == b.Uint()
	case reflect.Float64:
		return a.Float() == b.Float()
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() && b.IsNil()
		}
		return c.same(a.Elem(), b.Elem())
	case reflect.Slice:
		return a.IsNil() == b.IsNil() && a.Len() == b.Len() && c.each(a.Len(), a.Index, b.Index)
	case reflect.Struct:
		return c.each(a.NumField(), a.Field, b.Field)
	default:
		return a.IsZero() && b.IsZero()
	}
}

// each is same for n things that are in two values.
func (c *comparison) each(n int, a, b func(int) reflect.Value) bool {
	for i := range n {
		if !c.same(a(i), b(i)) {
			return false
		}
	}
	return true
}

// span is a part of a text.
type span struct{ from, to int }

// differences are the texts and numbers of valid JSON in which it differs from another one,
// nil where it is more than these, or too much of them, or nothing.
func differences(a, b []byte) []span {
	var out []span
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if a[i] != b[j] && (!numeric(a[i]) || !numeric(b[j])) {
			return nil
		}
		n, m := 1, 1
		if b[j] == '"' || numeric(b[j]) {
			n, m = jsoncut.Length(a[i:]), jsoncut.Length(b[j:])
		}
		if !bytes.Equal(a[i:i+n], b[j:j+m]) {
			if isName(a[i+n:]) || isName(b[j+m:]) || len(out) == maxGaps {
				return nil
			}
			out = append(out, span{j, j + m})
		}
		i, j = i+n, j+m
	}
	if i < len(a) || j < len(b) {
		return nil
	}
	return out
}

// numeric reports whether a number can begin with a byte.
func numeric(c byte) bool { return c == '-' || '0' <= c && c <= '9' }

// isName reports whether what stands before is a member's name.
func isName(behind []byte) bool {
	behind = bytes.TrimLeft(behind, " \t\r\n")
	return len(behind) > 0 && behind[0] == ':'
}
