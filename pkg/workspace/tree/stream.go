package tree

import (
	"errors"
	"io"
)

// readError marks a failure to read the agent's file, as opposed to one to
// write the object.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

// watched reads a large file and stops when the walk's context ends.
type watched struct {
	w *walker
	r io.Reader
}

func (s *watched) Read(p []byte) (int, error) {
	if err := s.w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	if err != nil && !isEOF(err) {
		err = readError{err}
	}
	return n, err
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
