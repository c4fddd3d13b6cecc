package wirejson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// maxDepth is how deep a value is read here: what is in it is gone through once for each
// level.
const maxDepth = 16

// Unmarshal reads a value. v points to a zero value. The error is encoding/json's, which
// may have read a part of it by then.
func Unmarshal[T any](data []byte, v *T) error {
	if jsoncut.Valid(data) {
		value := reflect.ValueOf(v).Elem()
		if formOf(value.Type()).read(bytes.TrimSpace(data), value, 0) {
			return nil
		}
		value.SetZero()
	}
	return json.Unmarshal(data, v)
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
	var seen uint64
pairs:
	for key, member := range jsoncut.Pairs(object) {
		for i, name := range names {
			if string(key[1:len(key)-1]) == name {
				apart[i] = member
				continue pairs
			}
		}
		if !f.member(key, member, value, &seen, 0) {
			value.SetZero()
			return nil, false
		}
	}
	return apart, true
}

// read reads a value, which is zero, and reports whether it could.
func (f *form) read(data []byte, v reflect.Value, depth int) bool {
	if depth == maxDepth {
		return false
	}
	if f.reads {
		r, ok := v.Addr().Interface().(json.Unmarshaler)
		return ok && r.UnmarshalJSON(data) == nil
	}
	null := data[0] == 'n'
	switch f.kind {
	case text:
		s, ok := jsoncut.String(data)
		if ok {
			v.SetString(s)
		}
		return ok || null
	case boolean:
		v.SetBool(data[0] == 't')
		return data[0] == 't' || data[0] == 'f' || null
	case integer:
		n, err := strconv.ParseInt(string(data), 10, v.Type().Bits())
		if err == nil {
			v.SetInt(n)
		}
		return err == nil || null
	case raw:
		v.SetBytes(bytes.Clone(data))
		return true
	case pointer:
		if null {
			return true
		}
		v.Set(reflect.New(v.Type().Elem()))
		return f.elem.read(data, v.Elem(), depth+1)
	case list:
		return null || data[0] == '[' && f.readList(data, v, depth+1)
	case structure:
		return null || data[0] == '{' && f.readFields(data, v, depth+1)
	case own, foreign:
	}
	return json.Unmarshal(data, v.Addr().Interface()) == nil
}

func (f *form) readList(data []byte, v reflect.Value, depth int) bool {
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for element := range jsoncut.Elements(data) {
		n := v.Len()
		v.Grow(1)
		v.SetLen(n + 1)
		v.Index(n).SetZero()
		if !f.elem.read(element, v.Index(n), depth) {
			return false
		}
	}
	return true
}

func (f *form) readFields(data []byte, v reflect.Value, depth int) bool {
	var seen uint64
	for key, member := range jsoncut.Pairs(data) {
		if !f.member(key, member, v, &seen, depth) {
			return false
		}
	}
	return true
}

// member reads a member of a struct, and reports whether it could. One that is there
// twice, or whose name could be that of a field in another spelling, it leaves alone.
func (f *form) member(key, data []byte, v reflect.Value, seen *uint64, depth int) bool {
	name := key[1 : len(key)-1]
	i, ok := f.byName[string(name)]
	if !ok {
		return !f.couldBe(name)
	}
	if *seen&(1<<i) != 0 {
		return false
	}
	*seen |= 1 << i
	one := &f.fields[i]
	return one.read(data, v.Field(one.index), depth)
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
