// Package output prints the results of commands: tables for people, tab-separated
// rows for pipes, chosen JSON fields for programs.
package output

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

// Field is one member of a result's JSON.
type Field[T any] struct {
	Name  string
	Value func(T) any
}

// Fields are the members of a result's JSON that can be chosen. The set only
// ever grows.
type Fields[T any] []Field[T]

// Names lists the fields in order.
func (fs Fields[T]) Names() []string {
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = f.Name
	}
	return names
}

// List writes rows as one JSON array with the fields that o chose. An empty
// list is [], never null.
func List[T any](w io.Writer, o *JSON, fs Fields[T], rows []T) error {
	buf := []byte{'['}
	for i, row := range rows {
		if i > 0 {
			buf = append(buf, ',')
		}
		var err error
		if buf, err = appendObject(buf, o, fs, row); err != nil {
			return err
		}
	}
	return o.write(w, append(buf, ']'))
}

// One writes one result as a JSON object with the fields that o chose.
func One[T any](w io.Writer, o *JSON, fs Fields[T], row T) error {
	buf, err := appendObject(nil, o, fs, row)
	if err != nil {
		return err
	}
	return o.write(w, buf)
}

// appendObject appends row's chosen fields in the order they were asked for.
func appendObject[T any](buf []byte, o *JSON, fs Fields[T], row T) ([]byte, error) {
	buf = append(buf, '{')
	first := true
	for _, name := range o.fields {
		for _, f := range fs {
			if f.Name != name {
				continue
			}
			value, err := encode(f.Value(row))
			if err != nil {
				return nil, err
			}
			if !first {
				buf = append(buf, ',')
			}
			first = false
			buf = append(append(append(buf, '"'), name...), '"', ':')
			buf = append(buf, value...)
		}
	}
	return append(buf, '}'), nil
}

// encode is json.Marshal without the escapes for HTML.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return plain.JSON(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), nil
}

// OrEmpty makes a missing list an empty one: JSON has [] then, and not null.
func OrEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
