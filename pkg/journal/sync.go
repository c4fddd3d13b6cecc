package journal

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// Append writes a record and returns once it is durable.
func (j *Journal) Append(ctx context.Context, payload []byte) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	seq, err := j.Write(payload)
	if err != nil {
		return 0, err
	}
	return seq, j.Sync(ctx)
}

// Sync returns once every record written before the call is durable.
// Concurrent calls share one flush. A call whose context ends stops waiting for
// the flush of another; its own it sees through. A flush that fails leaves no
// knowledge of what is on the disk: the journal takes no more records, and every
// call from then on returns that error.
func (j *Journal) Sync(ctx context.Context) error {
	j.mu.Lock()
	want := j.last
	j.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		wait, err := j.join(want)
		if wait == nil {
			return err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// join flushes, unless a flush is running: then it returns the channel that is
// closed at its end. It returns nil, nil once record want is durable.
func (j *Journal) join(want uint64) (<-chan struct{}, error) {
	if j.check.position().seq >= want {
		return nil, nil
	}
	j.mu.Lock()
	if j.err != nil {
		defer j.mu.Unlock()
		return nil, j.err
	}
	if j.flushing != nil {
		defer j.mu.Unlock()
		return j.flushing, nil
	}
	done := make(chan struct{})
	j.flushing = done
	s, seq, t := j.segments[len(j.segments)-1], j.last, j.tag
	j.mu.Unlock()

	err := j.flushTo(s, seq, t)

	j.mu.Lock()
	j.flushing = nil
	j.mu.Unlock()
	close(done)
	return nil, err
}

// settle flushes everything written. The caller holds writing.
func (j *Journal) settle() error {
	if j.active == nil || j.check.position().seq >= j.last {
		return nil
	}
	return j.flushTo(j.active, j.last, j.tag)
}

// flushTo flushes the records up to seq, the last of which lies in s, and moves
// the checkpoint. All segments before s are flushed already.
func (j *Journal) flushTo(s *segment, seq uint64, t tag) error {
	j.disk.Lock()
	defer j.disk.Unlock()
	if j.check.position().seq >= seq {
		return nil // another flush went further; the segment may be closed by now
	}
	if err := j.stopped(); err != nil {
		return err
	}
	if err := j.flush(s.file); err != nil {
		return j.stop("a flush failed", err)
	}
	if err := j.check.flushed(seq, t); err != nil {
		return j.stop("the checkpoint cannot be written", err)
	}
	return nil
}

// fdatasync flushes the contents and the length of f.
func fdatasync(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for {
			if failed = unix.Fdatasync(int(fd)); failed != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return failed
}
