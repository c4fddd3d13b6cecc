package wirejson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// maxDepth is how deep a value is read here, in values of Go's.
const maxDepth = 16

// Either is a type that is a text or a list, and an Appender. Its UnmarshalJSON does what
// is done here.
type Either interface {
	Appender
	// EitherJSON returns where the text goes, with the mark that it is one, and a pointer
	// to the list.
	EitherJSON() (text *string, isText *bool, list any)
}

// Unmarshal reads a value. v points to a zero value. The error is encoding/json's, which
// may have read a part of it by then.
func Unmarshal[T any](data []byte, v *T) error {
	if jsoncut.Valid(data) && Read(data, v) {
		return nil
	}
	return json.Unmarshal(data, v)
}

// Read reads a value from valid JSON in one pass, and reports whether it could; else v is
// zero again, and nothing is known of the value. v points to a zero value.
func Read[T any](data []byte, v *T) bool {
	value := reflect.ValueOf(v).Elem()
	r := reader{text: bytes.TrimSpace(data)}
	if r.read(formOf(value.Type()), value, 0) {
		return true
	}
	value.SetZero()
	return false
}

// Members reads those members of an object into v, a pointer to the zero value of a
// struct, that are not among the names, whose values it returns as they stand in the
// text. It reports whether it could; else v is zero again, and nothing is known of the
// object. The object is part of valid JSON.
func Members(object []byte, v any, names []string) (apart [][]byte, ok bool) {
	value := reflect.ValueOf(v).Elem()
	f := formOf(value.Type())
	if f.kind != structure || f.reads || len(object) == 0 || object[0] != '{' {
		return nil, false
	}
	apart = make([][]byte, len(names))
	r := reader{text: object}
	var seen uint64
	ok = r.all('}', func() bool {
		name := r.name()
		for i := range names {
			if string(name) == names[i] {
				apart[i] = r.value()
				return true
			}
		}
		return r.member(f, name, value, &seen, 1)
	})
	if !ok {
		value.SetZero()
		return nil, false
	}
	return apart, true
}

// reader goes through valid JSON from the beginning of a value to its end.
type reader struct {
	text []byte
	at   int
}

func (r *reader) space() {
	for r.at < len(r.text) && r.text[r.at] <= ' ' {
		r.at++
	}
}

// value returns the value that comes.
func (r *reader) value() []byte {
	from := r.at
	r.at += jsoncut.Length(r.text[from:])
	return r.text[from:r.at]
}

// name returns the name that comes, as it stands in quotes, and goes to its value.
func (r *reader) name() []byte {
	name := r.value()
	r.space()
	r.at++ // the colon
	r.space()
	return name[1 : len(name)-1]
}

// all calls one for each thing in what comes and ends with a bracket, and goes behind
// that. It ends with the first that is false.
func (r *reader) all(end byte, one func() bool) bool {
	r.at++
	for r.space(); r.text[r.at] != end; r.space() {
		if r.text[r.at] == ',' {
			r.at++
			r.space()
		}
		if !one() {
			return false
		}
	}
	r.at++
	return true
}

// read reads the value that comes into v, which is zero, and reports whether it could.
func (r *reader) read(f *form, v reflect.Value, depth int) bool {
	if depth == maxDepth {
		return false
	}
	c := r.text[r.at]
	if f.reads || f.kind < text || f.kind == own {
		return f.reread(r.value(), v)
	}
	if c == 'n' && f.kind != raw { // null, which changes nothing
		r.at += len("null")
		return true
	}
	switch f.kind {
	case pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return r.read(f.elem, v.Elem(), depth+1)
	case list:
		return c == '[' && r.list(f, v, depth)
	case structure:
		var seen uint64
		return c == '{' && r.all('}', func() bool { return r.member(f, r.name(), v, &seen, depth+1) })
	case either:
		return r.either(f, v, depth)
	default:
		return readPlain(f, r.value(), v)
	}
}

// reread has a type read a value itself, or encoding/json.
func (f *form) reread(data []byte, v reflect.Value) bool {
	if u, ok := reflect.TypeAssert[json.Unmarshaler](v.Addr()); ok {
		return u.UnmarshalJSON(data) == nil
	}
	return json.Unmarshal(data, v.Addr().Interface()) == nil
}

// readPlain reads what has nothing in it.
func readPlain(f *form, data []byte, v reflect.Value) bool {
	switch f.kind {
	case text:
		s, ok := jsoncut.String(data)
		if ok {
			v.SetString(s)
		}
		return ok
	case boolean:
		v.SetBool(data[0] == 't')
		return data[0] == 't' || data[0] == 'f'
	case integer:
		n, err := strconv.ParseInt(string(data), 10, v.Type().Bits())
		if err == nil {
			v.SetInt(n)
		}
		return err == nil
	case raw:
		v.SetBytes(bytes.Clone(data))
		return true
	default:
		return false
	}
}

func (r *reader) list(f *form, v reflect.Value, depth int) bool {
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	return r.all(']', func() bool {
		n := v.Len()
		v.Grow(1)
		v.SetLen(n + 1)
		v.Index(n).SetZero()
		return r.read(f.elem, v.Index(n), depth+1)
	})
}

func (r *reader) either(f *form, v reflect.Value, depth int) bool {
	e, ok := reflect.TypeAssert[Either](v.Addr())
	if !ok {
		return false
	}
	text, isText, list := e.EitherJSON()
	if r.text[r.at] != '"' {
		return r.read(f.elem, reflect.ValueOf(list).Elem(), depth+1)
	}
	*text, *isText = jsoncut.String(r.value())
	return *isText
}

// member reads the value of a member of a struct, and reports whether it could. One that
// is there twice, or whose name could be that of a field in another spelling, it leaves
// alone.
func (r *reader) member(f *form, name []byte, v reflect.Value, seen *uint64, depth int) bool {
	i, ok := f.byName[string(name)]
	if !ok {
		r.value()
		return !f.couldBe(name)
	}
	if *seen&(1<<i) != 0 {
		return false
	}
	*seen |= 1 << i
	one := &f.fields[i]
	return r.read(one.form, v.Field(one.index), depth)
}

// couldBe reports whether a name that is no field's may be taken for one.
func (f *form) couldBe(name []byte) bool {
	plain := true
	for _, c := range name {
		plain = plain && c >= ' ' && c < 0x80 && c != '\\'
	}
	if !plain {
		return true
	}
	for i := range f.fields {
		key := f.fields[i].key
		if known := key[1 : len(key)-2]; len(known) == len(name) && strings.EqualFold(known, string(name)) {
			return true
		}
	}
	return false
}
