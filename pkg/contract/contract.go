// Package contract loads the contracts under schemas/, validates what crosses a
// seam against them, and keeps their seal.
//
// A contract is named "unit.v1"; one of its shapes "ws.v2#Frame". Everything
// that enters a process is validated where it enters, in production too: Decode
// for what is then used as a Go type, Validate for what is passed on. A sealed
// contract never changes: see Check.
package contract

import (
	"sync"

	"github.com/vexa-ai/vexa/schemas"
)

// embedded is the set this binary was built with. Reading it costs nothing
// until a contract is used; it is immutable afterwards.
//
//nolint:gochecknoglobals // compiled schemas are constants that need work, like compiled regexps
var embedded = sync.OnceValues(func() (*Set, error) { return Open(schemas.FS) })

// Embedded returns the contracts this binary was built with.
func Embedded() (*Set, error) { return embedded() }

// Names returns the contracts of this binary in order.
func Names() []string {
	s, err := embedded()
	if err != nil {
		return nil // an embedded directory can be read
	}
	return s.Names()
}

// Source returns the schema of a contract of this binary as it is written. The
// error is fault.NotFound.
func Source(name string) ([]byte, error) {
	s, err := embedded()
	if err != nil {
		return nil, err
	}
	return s.Source(name)
}

// Validate checks one JSON text against a contract of this binary; see
// Set.Validate. It is safe for concurrent use and compiles a contract once.
func Validate(name string, data []byte) error {
	s, err := embedded()
	if err != nil {
		return err
	}
	return s.Validate(name, data)
}

// Prepare compiles contracts of this binary, such as "unit.v1" or "ws.v2#Frame",
// in the background and in order: who validates by them a little later waits less.
// It changes nothing else; a name that is not known is found by who uses it.
func Prepare(names ...string) {
	go func() {
		s, err := embedded()
		for _, name := range names {
			if err == nil {
				_, err = s.schema(name)
			}
		}
	}()
}

// Decode validates one JSON text against a contract of this binary and reads it
// into T, refusing members that T does not have.
func Decode[T any](name string, data []byte) (T, error) {
	var v T
	s, err := embedded()
	if err != nil {
		return v, err
	}
	if err := s.decode(name, data, &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}
