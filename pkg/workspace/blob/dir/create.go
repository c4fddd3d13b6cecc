package dir

import (
	"bytes"
	"context"
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Create implements blob.Store. No power loss leaves the blob without one that
// was committed before: those have names that are durable before this one is, by
// a flush in between or by the order that the file system keeps.
func (s *Store) Create(ctx context.Context, name string, data []byte) error {
	return s.on(ctx, "create", name, func() error {
		for left := attempts; ; left-- {
			err := s.create(ctx, name, data)
			if !errors.Is(err, unix.ENOENT) || left == 0 {
				return err
			}
			// There was a blob, and it was removed before it could be compared.
		}
	})
}

func (s *Store) create(ctx context.Context, name string, data []byte) error {
	if err := s.whole(); err != nil {
		return err
	}
	// A race that is lost already costs no flush.
	if err := s.compare(name, data); !errors.Is(err, unix.ENOENT) {
		return s.confirm(name, err)
	}
	t, err := s.newTemp()
	if err != nil {
		return err
	}
	defer t.drop()
	written := make(chan error, 1)
	go func() { written <- s.write(t, data) }()
	err = s.settle()
	if werr := <-written; err == nil {
		err = werr
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	s.sys.step()
	err = s.place(t, name)
	switch {
	case errors.Is(err, unix.EEXIST):
		// By another, or by the first try of a network file system that asked twice.
		return s.confirm(name, s.compare(name, data))
	case err != nil:
		return err
	}
	return s.flushDirs()
}

// settle puts what was committed where a power loss cannot leave a later name
// without it.
func (s *Store) settle() error {
	if s.ordered {
		return s.publish()
	}
	return s.flushDirs()
}

// confirm makes a blob durable that was there, and of which was asked before
// with the result same whether it has the same bytes.
func (s *Store) confirm(name string, same error) error {
	if same != nil {
		return same
	}
	if err := s.publish(); err != nil {
		return err
	}
	dir, _ := split(name)
	s.flushes.entered(dir)
	return s.flushDirs()
}

// compare returns nil where the blob has exactly these bytes, blob.ErrExist
// where it has others, and ENOENT where there is none.
func (s *Store) compare(name string, data []byte) error {
	f, st, err := s.openFile(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if st.Size != int64(len(data)) {
		return blob.ErrExist
	}
	chunk := make([]byte, min(len(data), 64<<10))
	for len(data) > 0 {
		n, err := io.ReadFull(f, chunk[:min(len(chunk), len(data))])
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return err
		}
		if err != nil || !bytes.Equal(chunk[:n], data[:n]) {
			return blob.ErrExist
		}
		data = data[n:]
	}
	return nil
}

// write fills t with data and makes that durable.
func (s *Store) write(t *temp, data []byte) error {
	_, err := t.file.Write(data)
	if err == nil {
		err = s.sys.flush(t.file)
	}
	return err
}
