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
// have.
func Decode(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after its end")
	}
	return nil
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
