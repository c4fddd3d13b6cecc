package translate

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// Most of a request is text that is only carried over. It is checked to be JSON
// once, as a whole, and read in one pass where it is of the form that clients write
// (wirejson.Read). What is not is cut where it holds other values, so that a long text
// is not read again for each thing that it is part of, and an error says where it is.

// absent makes null what is not there.
func absent(raw *json.RawMessage) {
	if string(*raw) == "null" {
		*raw = nil
	}
}

// each calls f with each element of a list, none where raw is nil.
func each(raw []byte, what string, f func(element []byte, what string) error) error {
	if raw == nil {
		return nil
	}
	if raw[0] != '[' {
		return malformed(what)
	}
	i := 0
	for element := range jsoncut.Elements(raw) {
		if err := f(element, nth(what, i)); err != nil {
			return err
		}
		i++
	}
	return nil
}

// nth names an element of a list.
func nth(what string, i int) string { return what + "." + strconv.Itoa(i) }

// readList reads a string or a list, whose elements one reads.
func readList[T any](raw []byte, what string, one func(element []byte, what string) (T, error)) (*list[T], error) {
	if raw == nil {
		return nil, nil //nolint:nilnil // what is not there is no list, and no error
	}
	out := &list[T]{}
	if raw[0] == '"' {
		var err error
		out.isText = true
		out.text, err = text(raw, what)
		return out, err
	}
	return out, each(raw, what, func(element []byte, what string) error {
		t, err := one(element, what)
		out.all = append(out.all, t)
		return err
	})
}

// readText reads a string that may not be there.
func readText(raw []byte, what string) (*string, error) {
	if raw == nil {
		return nil, nil //nolint:nilnil // likewise
	}
	s, err := text(raw, what)
	return &s, err
}

// split reads an object into v but for the members that are named, which it
// returns as they stand; those that are null or not there are nil.
func split[T any](object []byte, v *T, what string, names ...string) ([][]byte, error) {
	apart, ok := wirejson.Members(object, v, names)
	if !ok {
		var light []byte
		apart, light = lighten(object, names)
		if err := decode(light, v, what); err != nil {
			return apart, err
		}
	}
	for i := range apart {
		if string(apart[i]) == "null" {
			apart[i] = nil
		}
	}
	return apart, nil
}

// lighten returns an object without the members that are named, and those.
func lighten(object []byte, names []string) (apart [][]byte, light []byte) {
	apart = make([][]byte, len(names))
	light = append(make([]byte, 0, 256), '{')
fields:
	for f := range jsoncut.Members(object) {
		for i, name := range names {
			if f.Name == name {
				apart[i] = f.Value
				continue fields
			}
		}
		if len(light) > 1 {
			light = append(light, ',')
		}
		light = append(append(append(light, f.Raw...), ':'), f.Value...)
	}
	if rest := bytes.TrimSpace(object); len(rest) > 0 && rest[0] != '{' && string(rest) != "null" {
		return apart, rest // which is not of the form
	}
	return apart, append(light, '}')
}

// text reads a string; anything else is not of the form.
func text(raw []byte, what string) (string, error) {
	if s, ok := jsoncut.String(raw); ok {
		return s, nil
	}
	var s string
	err := decode(raw, &s, what)
	return s, err
}
