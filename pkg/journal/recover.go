package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
)

// lockName is the file in the journal's directory that its writer holds.
const lockName = "lock"

// acquire makes the directory and takes its lock.
func acquire(dir string) (*filelock.Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Internal, "make a journal", err)
	}
	return filelock.Acquire(filepath.Join(dir, lockName), "the journal "+dir)
}

// recover brings the journal to where its last writer left it.
func (j *Journal) recover(checkpointPath string) error {
	if err := os.Remove(filepath.Join(j.dir, segmentTemp)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Internal, "open a journal", err)
	}
	firsts, err := j.list()
	if err != nil {
		return err
	}
	j.check, err = openCheckpoint(checkpointPath, j.keys, j.flush)
	if errors.Is(err, fs.ErrNotExist) {
		if len(firsts) > 0 {
			return corrupt(&CorruptError{File: checkpointPath, Reason: "the checkpoint is missing"})
		}
		j.check, err = createCheckpoint(checkpointPath, j.keys, j.flush)
	}
	if err != nil {
		return fault.Wrap(fault.KindOf(err), "open the journal "+j.dir, err)
	}
	pos := j.check.position()
	j.first = pos.first
	if len(firsts) == 0 {
		if pos.seq > 0 {
			return corrupt(&CorruptError{File: segmentPath(j.dir, pos.first), Seq: pos.first, Reason: "the segments are missing"})
		}
		return nil
	}
	for _, first := range firsts {
		s, err := j.keys.openSegment(segmentPath(j.dir, first), first)
		if err != nil {
			return err
		}
		j.segments = append(j.segments, s)
	}
	if err := j.chain(pos); err != nil {
		return err
	}
	return j.resume(pos)
}

// list finds the numbers of the segments' first records, in order.
func (j *Journal) list() ([]uint64, error) {
	entries, err := os.ReadDir(j.dir)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "open a journal", err)
	}
	var firsts []uint64
	for _, e := range entries {
		if first, ok := parseSegmentName(e.Name()); ok {
			firsts = append(firsts, first)
		}
	}
	slices.Sort(firsts)
	return firsts, nil
}

// chain finishes a trim that was cut short, and verifies that no segment is
// missing and that each ends where the next one begins.
func (j *Journal) chain(pos position) error {
	for len(j.segments) > 1 && j.segments[1].first <= pos.first {
		if err := os.Remove(j.segments[0].path); err != nil {
			return fault.Wrap(fault.Internal, "finish a trim", err)
		}
		j.segments = j.segments[1:]
	}
	if s := j.segments[0]; s.first > pos.first {
		reason := "the segments of the records before " + strconv.FormatUint(s.first, 10) + " are missing"
		return corrupt(&CorruptError{File: segmentPath(j.dir, pos.first), Seq: pos.first, Reason: reason})
	}
	for i, s := range j.segments[:len(j.segments)-1] {
		next := j.segments[i+1]
		if end, err := s.lastTag(); err != nil || end != next.prev {
			reason := "the segment does not end where " + next.path + " begins"
			return corrupt(&CorruptError{File: s.path, Offset: max(0, s.size-tagSize), Seq: next.first - 1, Reason: reason})
		}
	}
	return nil
}

// lastTag returns the last bytes of the segment: its last record's tag.
func (s *segment) lastTag() (t tag, err error) {
	if s.size == headerSize {
		return s.prev, nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return t, err
	}
	defer f.Close()
	_, err = f.ReadAt(t[:], s.size-tagSize)
	return t, err
}

// resume verifies the last segment, cuts what a crash left at its end, and
// moves the checkpoint to the last record.
func (j *Journal) resume(pos position) error {
	s := j.segments[len(j.segments)-1]
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return fault.Wrap(fault.Internal, "open a segment", err)
	}
	defer f.Close()
	sc, fresh, err := j.verify(s, f, pos)
	if err != nil {
		var bad *frameError
		if !errors.As(err, &bad) {
			return err
		}
		if !bad.torn || bad.seq <= pos.seq {
			return bad.corrupt(s.path)
		}
		if err := errors.Join(f.Truncate(bad.off), j.flush(f)); err != nil {
			return fault.Wrap(fault.Internal, "cut the torn end of "+s.path, err)
		}
		s.size = bad.off
	}
	j.last, j.tag = sc.seq-1, sc.prev
	s.loaded.Store(true)
	switch {
	case j.last < pos.seq:
		reason := "the records up to " + strconv.FormatUint(pos.seq, 10) + " are missing"
		return corrupt(&CorruptError{File: s.path, Offset: sc.off, Seq: sc.seq, Reason: reason})
	case j.last == pos.seq:
		return nil
	}
	if err := j.rewrite(f, fresh, s.size); err != nil {
		return fault.Wrap(fault.Internal, "flush "+s.path, err)
	}
	return fault.Wrap(fault.Internal, "move the checkpoint", j.check.flushed(j.last, j.tag))
}

// rewrite flushes the bytes from off to end. It writes them once more before:
// where a flush failed under the last writer the kernel holds pages that never
// reached the disk and count as clean.
func (j *Journal) rewrite(f *os.File, off, end int64) error {
	b := make([]byte, readChunk)
	for off < end {
		b = b[:min(readChunk, end-off)]
		if _, err := f.ReadAt(b, off); err != nil {
			return err
		}
		if _, err := f.WriteAt(b, off); err != nil {
			return err
		}
		off += int64(len(b))
	}
	return j.flush(f)
}

// verify walks the last segment, compares the record at the checkpoint, and
// returns where the records after that start. Where it returns a *frameError
// the scanner stands before the bad record.
func (j *Journal) verify(s *segment, f io.ReaderAt, pos position) (*scanner, int64, error) {
	moved := corrupt(&CorruptError{File: s.path, Seq: pos.seq, Reason: "the record is not the one of the checkpoint"})
	if pos.seq+1 < s.first {
		// No crash leaves a checkpoint behind the last segment, but a backup
		// may. Everything after it is held by the chain.
		t, err := j.tagOf(pos.seq)
		if err != nil {
			return nil, 0, err
		}
		if t != pos.tag {
			return nil, 0, moved
		}
	}
	sc := &scanner{keys: j.keys, seg: s, file: f, end: s.size}
	if err := sc.from(mark{s.first, headerSize}); err != nil {
		return nil, 0, err
	}
	fresh := headerSize
	marks, err := sc.walk(func() bool {
		if sc.seq != pos.seq+1 {
			return true
		}
		fresh = sc.off
		return sc.prev == pos.tag
	})
	s.marks = marks
	if errors.Is(err, errVeto) {
		return nil, 0, moved
	}
	return sc, fresh, err
}

// tagOf returns the tag of a record in a segment that is not the last one.
func (j *Journal) tagOf(seq uint64) (t tag, err error) {
	s := j.segments[max(0, j.after(seq)-1)]
	f, err := os.Open(s.path)
	if err != nil {
		return t, fault.Wrap(fault.Internal, "open a segment", err)
	}
	defer f.Close()
	sc := &scanner{keys: j.keys, seg: s, file: f, end: s.size}
	if err := sc.from(mark{s.first, headerSize}); err != nil {
		return t, err
	}
	found := false
	_, err = sc.walk(func() bool {
		if sc.seq == seq+1 {
			t, found = sc.prev, true
		}
		return !found
	})
	var bad *frameError
	switch {
	case found:
		return t, nil
	case errors.As(err, &bad):
		return t, bad.corrupt(s.path)
	case err != nil:
		return t, err
	}
	return t, corrupt(&CorruptError{File: s.path, Offset: sc.off, Seq: sc.seq, Reason: "the record is missing"})
}
