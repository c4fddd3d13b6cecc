package tree

import (
	"errors"
	"io"
	"os"
)

// Spool holds the contents of a tree in a file that has no name, so that
// nothing is left of it however this process ends.
type Spool struct {
	file *os.File
	dir  string
	size int64
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

// add appends exactly size bytes of r.
func (s *Spool) add(r io.Reader, size int64) (*section, error) {
	at := &section{off: s.size, size: size}
	if size > 0 {
		n, err := io.CopyN(s.file, r, size)
		s.size += n
		if err != nil {
			return nil, Disk(err, s.dir)
		}
	}
	return at, nil
}

func (s *Spool) open(c *section) io.Reader { return io.NewSectionReader(s.file, c.off, c.size) }
