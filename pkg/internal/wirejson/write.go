package wirejson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// Appender is a type that writes itself.
type Appender interface {
	// AppendJSON appends what stands for the value: valid JSON without a line break.
	AppendJSON(dst []byte) ([]byte, error)
}

// Append appends the JSON of a value. The error is encoding/json's; what was appended
// until then is no JSON.
func Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) { // what stands in objects
	case nil:
		return append(dst, "null"...), nil
	case string:
		return AppendString(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case map[string]any:
		return appendMap(dst, v)
	}
	value := reflect.ValueOf(v)
	return formOf(value.Type()).append(dst, value)
}

func (f *form) append(dst []byte, v reflect.Value) ([]byte, error) {
	switch f.kind {
	case text:
		return AppendString(dst, v.String()), nil
	case boolean:
		return strconv.AppendBool(dst, v.Bool()), nil
	case integer:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case raw:
		return appendRaw(dst, v.Bytes())
	case pointer:
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return f.elem.append(dst, v.Elem())
	case list:
		return f.appendList(dst, v)
	case structure:
		return f.appendFields(dst, v)
	case own, either:
		if a, ok := reflect.TypeAssert[Appender](addressable(v)); ok {
			return a.AppendJSON(dst)
		}
	case foreign:
	}
	return appendForeign(dst, v)
}

// addressable is a pointer to a value, or to a copy of it.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v.Addr()
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p
}

func appendRaw(dst, text []byte) ([]byte, error) {
	if text == nil {
		return append(dst, "null"...), nil
	}
	if !jsoncut.Valid(text) {
		return appendForeign(dst, reflect.ValueOf(json.RawMessage(text))) // which says why
	}
	return jsoncut.AppendCompact(dst, text), nil
}

func (f *form) appendList(dst []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return append(dst, "null"...), nil
	}
	dst = append(dst, '[')
	var err error
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = f.elem.append(dst, v.Index(i)); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func (f *form) appendFields(dst []byte, v reflect.Value) ([]byte, error) {
	dst = append(dst, '{')
	first := true
	for i := range f.fields {
		one := &f.fields[i]
		value := v.Field(one.index)
		if one.omit && empty(value) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var err error
		if dst, err = one.append(append(dst, one.key...), value); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// empty reports whether a value is left out where that is asked for.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

// appendMap writes an object whose members are in the order of their names, as
// encoding/json has it.
func appendMap(dst []byte, all map[string]any) ([]byte, error) {
	if all == nil {
		return append(dst, "null"...), nil
	}
	var room [16]string
	names := room[:0]
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = Append(append(AppendString(dst, name), ':'), all[name]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// appendForeign has encoding/json write a value.
func appendForeign(dst []byte, v reflect.Value) ([]byte, error) {
	if v.Kind() == reflect.Interface {
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return formOf(v.Elem().Type()).append(dst, v.Elem())
	}
	if v.CanAddr() {
		v = v.Addr() // what has methods of its own has them here
	}
	b := bytes.NewBuffer(dst)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v.Interface()); err != nil {
		return dst, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
