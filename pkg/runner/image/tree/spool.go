package tree

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
)

// Spool holds the contents of trees in a file that has no name, so that nothing
// is left of it however this process ends. It is safe for concurrent use.
type Spool struct {
	file    *os.File
	dir     string
	size    atomic.Int64 // what is given out of the file
	granted atomic.Int64 // bytes of what was read or left out
}

// NewSpool makes a spool on the disk of dir, which must exist.
func NewSpool(dir string) (*Spool, error) {
	f, err := os.CreateTemp(dir, ".spool-*")
	if err != nil {
		return nil, Disk(err, dir)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Spool{file: f, dir: dir}, nil
}

// Close gives the space back.
func (s *Spool) Close() error { return s.file.Close() }

// grant counts bytes that are about to be read, and reports whether they are
// still within MaxBytes.
func (s *Spool) grant(n int64) bool {
	if n > MaxBytes {
		return false
	}
	return s.granted.Add(n) <= MaxBytes
}

// add keeps exactly size bytes of r.
func (s *Spool) add(r io.Reader, size int64) (*section, error) {
	at := &section{off: s.size.Add(size) - size, size: size}
	if size > 0 {
		if _, err := io.CopyN(io.NewOffsetWriter(s.file, at.off), r, size); err != nil {
			return nil, Disk(err, s.dir)
		}
	}
	return at, nil
}

func (s *Spool) open(c *section) io.Reader { return io.NewSectionReader(s.file, c.off, c.size) }
