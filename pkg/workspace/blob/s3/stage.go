package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// maxInMemory is how much of a stage is held in memory, in bytes; more of it goes
// to a file.
const maxInMemory = 1 << 20

// stage is a blob that is being written: in memory while it is small, else in a
// file without a name, which is gone with this process.
type stage struct {
	s      *Store
	memory bytes.Buffer
	file   *os.File
	size   int64 // bytes
	ended  bool
}

// Stage implements blob.Store. Nothing is sent before Commit, since the name is
// not known.
func (s *Store) Stage(ctx context.Context) (blob.Stage, error) {
	if ctx.Err() != nil {
		return nil, s.ended(ctx, "stage a blob for", "")
	}
	if err := s.isClosed(); err != nil {
		return nil, err
	}
	st := &stage{s: s}
	s.mu.Lock()
	s.stages[st] = struct{}{}
	s.mu.Unlock()
	return st, nil
}

// Write implements io.Writer.
func (st *stage) Write(p []byte) (int, error) {
	if err := st.isOpen(); err != nil {
		return 0, err
	}
	if st.file == nil && st.size+int64(len(p)) > maxInMemory {
		if err := st.spill(); err != nil {
			return 0, err
		}
	}
	var n int
	var err error
	if st.file == nil {
		n, err = st.memory.Write(p)
	} else {
		n, err = st.file.Write(p)
	}
	st.size += int64(n)
	return n, spoolFault(st.s.spool, err)
}

// spill moves what is in memory to a file.
func (st *stage) spill() error {
	f, err := os.CreateTemp(st.s.spool, ".vexa-stage-*")
	if err != nil {
		return spoolFault(st.s.spool, err)
	}
	if err = os.Remove(f.Name()); err == nil {
		_, err = st.memory.WriteTo(f)
	}
	if err != nil {
		f.Close()
		return spoolFault(st.s.spool, err)
	}
	st.file, st.memory = f, bytes.Buffer{}
	return nil
}

// spoolFault says where there is no room.
func spoolFault(dir string, err error) error {
	if err == nil {
		return nil
	}
	return &fault.Error{Kind: fault.Internal, Msg: "keep what is to be sent in " + dir, Err: err, Hint: "make room there: df -h " + dir}
}

// Commit implements blob.Stage. Where it fails what was written is kept, so that
// it can be called again.
func (st *stage) Commit(ctx context.Context, name string) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	if err := st.isOpen(); err != nil {
		return err
	}
	var err error
	if st.file == nil {
		err = st.s.commitSmall(ctx, name, st.memory.Bytes())
	} else {
		err = st.s.commitFile(ctx, name, st.file, st.size)
	}
	if err == nil {
		st.drop()
	}
	return err
}

// Abort implements blob.Stage.
func (st *stage) Abort() { st.drop() }

// drop forgets the stage.
func (st *stage) drop() {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if st.ended {
		return
	}
	st.ended = true
	delete(st.s.stages, st)
	if st.file != nil {
		st.file.Close()
	}
}

func (st *stage) isOpen() error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if st.ended {
		return fault.New(fault.Internal, "a blob for "+st.s.URL()+" was committed or aborted before", "")
	}
	return nil
}

// commitSmall sends data. One that is there already is kept, whatever the name
// says of its content.
func (s *Store) commitSmall(ctx context.Context, name string, data []byte) error {
	r := request{op: "store", name: name, size: int64(len(data))}
	err := s.store(ctx, r, sum(data), func() body { return bytes.NewReader(data) })
	if errors.Is(err, errTaken) {
		return nil
	}
	return err
}

// commitFile sends what is in a file, unless the blob is there already.
func (s *Store) commitFile(ctx context.Context, name string, f io.ReaderAt, size int64) error {
	if _, err := s.Stat(ctx, name); !errors.Is(err, blob.ErrNotExist) {
		return err
	}
	var err error
	if size > s.part {
		err = s.uploadParts(ctx, name, f, size)
	} else {
		err = s.uploadWhole(ctx, name, f, size)
	}
	if errors.Is(err, errTaken) {
		return nil
	}
	return err
}
