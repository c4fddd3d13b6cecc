// Package tap looks at what goes through a reader or a writer.
package tap

import (
	"errors"
	"hash"
	"io"
)

// Source remembers the error of a reader, which whoever reads from it may hide
// behind one of their own.
type Source struct {
	R   io.Reader
	Err error // but for io.EOF
}

// Read implements io.Reader.
func (s *Source) Read(p []byte) (int, error) {
	n, err := s.R.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.Err = err
	}
	return n, err
}

// Hash hashes and counts what a writer has taken.
type Hash struct {
	W io.Writer
	H hash.Hash
	N int64 // bytes
}

// Write implements io.Writer.
func (h *Hash) Write(p []byte) (int, error) {
	n, err := h.W.Write(p)
	_, _ = h.H.Write(p[:n]) // never fails
	h.N += int64(n)
	return n, err
}
