// Package configfile reads the small JSON files in which a person sets the
// limits of an installation.
package configfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Read decodes the file at path by parse. A file that is missing is no error
// and leaves everything at its default. One that parse refuses is
// fault.Invalid and names the file.
func Read(path string, parse func(data []byte) error) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Internal, "read "+path, err)
	}
	if err := parse(data); err != nil {
		return &fault.Error{
			Kind: fault.Invalid, Msg: path, Err: err, Hint: "put it right, or remove it: without it the defaults hold",
		}
	}
	return nil
}

// Decode decodes data, which is one JSON value with no member that v does not
// have. What is wrong with it is said in words for people.
func Decode(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return inWords(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after its end")
	}
	return nil
}

// inWords is an error of the decoder's without the names of the code.
func inWords(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := e.Field
		if where == "" {
			where = "it"
		}
		return fmt.Errorf("%s is %s, and %s is wanted", where, jsonKind(e.Value), goKind(e.Type))
	}
	if member, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("there is no member %s", member)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is no JSON: it ends too soon")
	}
	return fmt.Errorf("it is no JSON: %w", err)
}

// jsonKind is what the decoder found.
func jsonKind(kind string) string {
	switch kind {
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "string":
		return "a text"
	case "number":
		return "a number"
	default: // which one it is
		return strings.TrimPrefix(kind, "number ")
	}
}

// goKind is what is decoded into a type.
func goKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.String:
		return "a text"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

// Set puts the number that a member holds, where it is there and not beyond
// most, into to. Where names the member in the error.
func Set(to *int, where string, n *int, most int) error {
	if n == nil {
		return nil
	}
	if *n < 0 || *n > most {
		return fmt.Errorf("%s is not between 0 and %d", where, most)
	}
	*to = *n
	return nil
}
