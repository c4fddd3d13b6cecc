// Package wirejson reads and writes the JSON of wire types: what encoding/json would,
// in a fraction of the time, where most of it is text. It knows structs, pointers,
// lists, strings, numbers and what encodes itself, and leaves anything else, and
// whatever is not of the form, to encoding/json, so that the two never differ in what
// they take or in what they make of it. Text is written without the escapes that HTML
// asks for.
//
// It is safe for concurrent use. Nothing that it returns shares memory with what it was
// given.
package wirejson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// kind is how values of a type are read and written.
type kind int

const (
	foreign kind = iota // by encoding/json
	text
	boolean
	integer // int, int64
	raw     // json.RawMessage
	pointer
	list
	structure
	own    // Appender
	either // Either
)

// form is what is known of a type.
type form struct {
	kind   kind
	reads  bool  // it has an UnmarshalJSON of its own
	elem   *form // of a pointer or a list; the list of what can be either
	fields []field
	byName map[string]int
}

// field is one of a struct.
type field struct {
	*form
	key   string // the name in quotes and a colon
	index int
	omit  bool // where it is empty
}

// maxFields is how many a struct may have: each is a bit of a word.
const maxFields = 64

//nolint:gochecknoglobals // what follows from types alone
var (
	known sync.Map // of reflect.Type: *form

	rawType       = reflect.TypeFor[json.RawMessage]()
	numberType    = reflect.TypeFor[json.Number]()
	eitherType    = reflect.TypeFor[Either]()
	appenderType  = reflect.TypeFor[Appender]()
	marshalerType = reflect.TypeFor[json.Marshaler]()
	readerType    = reflect.TypeFor[json.Unmarshaler]()
	textType      = reflect.TypeFor[encoding.TextMarshaler]()
	textReader    = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// formOf returns the form of a type.
func formOf(t reflect.Type) *form {
	if f, ok := known.Load(t); ok {
		if f, ok := f.(*form); ok {
			return f
		}
	}
	made := map[reflect.Type]*form{}
	out := study(t, made)
	for t, f := range made { // now that all are whole
		known.LoadOrStore(t, f)
	}
	return out
}

// study finds out what is to be known of a type, and of those in it. Types can hold
// themselves.
func study(t reflect.Type, made map[reflect.Type]*form) *form {
	if f := made[t]; f != nil {
		return f
	}
	f := &form{}
	made[t] = f
	p := reflect.PointerTo(t)
	f.reads = p.Implements(readerType)
	switch {
	case t == rawType:
		f.kind, f.reads = raw, false
	case t.Kind() == reflect.Pointer:
		f.kind, f.reads, f.elem = pointer, false, study(t.Elem(), made)
	case p.Implements(eitherType):
		if e, ok := reflect.TypeAssert[Either](reflect.New(t)); ok {
			_, _, list := e.EitherJSON()
			f.kind, f.reads, f.elem = either, false, study(reflect.TypeOf(list).Elem(), made)
		}
	case p.Implements(appenderType):
		f.kind = own
	case t == numberType, p.Implements(marshalerType), p.Implements(textType), p.Implements(textReader):
	case t.Kind() == reflect.String:
		f.kind = text
	case t.Kind() == reflect.Bool:
		f.kind = boolean
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		f.kind = integer
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		f.kind, f.elem = list, study(t.Elem(), made)
	case t.Kind() == reflect.Struct && t.NumField() <= maxFields:
		f.study(t, made)
	}
	return f
}

// study reads the fields of a struct. One that has embedded ones, or options that are not
// known here, is foreign.
func (f *form) study(t reflect.Type, made map[reflect.Type]*form) {
	f.byName = map[string]int{}
	for i := range t.NumField() {
		s := t.Field(i)
		if s.Anonymous {
			return
		}
		tag := s.Tag.Get("json")
		if !s.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = s.Name
		}
		_, twice := f.byName[name]
		if twice || options != "" && options != "omitempty" || strings.ContainsFunc(name, unusual) {
			return
		}
		f.byName[name] = len(f.fields)
		f.fields = append(f.fields, field{study(s.Type, made), `"` + name + `":`, i, options != ""})
	}
	f.kind = structure
}

// unusual reports whether a character of a name would have to be looked at more closely.
func unusual(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
