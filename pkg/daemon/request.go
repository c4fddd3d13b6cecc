package daemon

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// decode reads a JSON body; an empty one leaves v as it is, an unknown member
// is refused.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fault.New(fault.Invalid, "the request body does not fit: "+err.Error(), "is the client of the same version?")
	}
	return nil
}

// list is s as it is answered: none is an array, too.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// number reads a query parameter that counts something; absent is 0.
func number(r *http.Request, name string) (int, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, fault.New(fault.Invalid, name+" must be a number, not "+strconv.Quote(v), "")
	}
	return n, nil
}
