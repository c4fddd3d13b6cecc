package journal

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sort"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// readBudget is how many bytes of payload one Read gathers before it stops.
const readBudget = 1 << 20

// Read returns up to limit records from the given number on, and fewer, but at
// least one, where they are large: only an empty result says that the end was
// reached. The error is a *TrimmedError, which matches ErrTrimmed, where the
// first record asked for is gone, and a *CorruptError where one does not verify.
func (j *Journal) Read(from uint64, limit int) ([]Record, error) {
	var out []Record
	budget := readBudget
	for len(out) < limit && budget > 0 {
		next, err := j.readSome(from, min(limit-len(out), readBatch), budget)
		for _, r := range next {
			budget -= len(r.Payload)
		}
		out = append(out, next...)
		from += uint64(len(next))
		switch {
		case err != nil && len(out) > 0:
			return out, nil // the next Read starts at the fault and reports it
		case err != nil:
			return nil, err
		case len(next) == 0:
			return out, nil
		}
	}
	return out, nil
}

// readBatch bounds how many records are read under one view.
const readBatch = 1024

// view is what a reader may see of one segment.
type view struct {
	seg   *segment
	next  *segment // the one after it, nil where it is the last
	start mark     // at or before the first record wanted
	last  uint64   // newest record to be read here
	end   int64    // of the records
	file  *os.File // nil: to be opened
}

// look returns the view that holds record from; its seg is nil where there is
// no such record yet.
func (j *Journal) look(from uint64) (view, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if errors.Is(j.err, ErrClosed) {
		return view{}, ErrClosed
	}
	if from < j.first {
		return view{}, fault.Wrap(fault.NotFound, "journal "+j.dir, &TrimmedError{First: j.first})
	}
	if from > j.last {
		return view{}, nil
	}
	i := j.after(from)
	v := view{seg: j.segments[i-1], last: j.last}
	if i < len(j.segments) {
		v.next = j.segments[i]
		v.last = v.next.first - 1
	}
	v.end, v.file = v.seg.size, v.seg.file
	v.start = mark{v.seg.first, headerSize}
	if k := sort.Search(len(v.seg.marks), func(k int) bool { return v.seg.marks[k].seq > from }); k > 0 {
		v.start = v.seg.marks[k-1]
	}
	return v, nil
}

// after returns the index of the first segment that begins after record seq.
func (j *Journal) after(seq uint64) int {
	return sort.Search(len(j.segments), func(i int) bool { return j.segments[i].first > seq })
}

// readSome reads records of one segment.
func (j *Journal) readSome(from uint64, limit, budget int) ([]Record, error) {
	for {
		v, err := j.look(from)
		if err != nil || v.seg == nil {
			return nil, err
		}
		if !v.seg.loaded.Load() {
			if err := j.load(v); err != nil && !j.gone(v.seg, err) {
				return nil, err
			}
			continue // with marks, or to learn that the segment was trimmed
		}
		out, err := j.scan(v, from, limit, budget)
		if err != nil && len(out) == 0 && j.gone(v.seg, err) {
			continue
		}
		return out, err
	}
}

// gone reports whether err comes of a segment that was trimmed, or closed with
// the journal, meanwhile.
func (j *Journal) gone(s *segment, err error) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.first < j.segments[0].first
	case errors.Is(err, os.ErrClosed):
		return true
	}
	return false
}

// open returns the file of the view's segment, and how to be done with it.
func (v view) open() (io.ReaderAt, func(), error) {
	if v.file != nil {
		return v.file, func() {}, nil
	}
	f, err := os.Open(v.seg.path)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Internal, "read a segment", err)
	}
	return f, func() { f.Close() }, nil
}

// scan reads records through a view.
func (j *Journal) scan(v view, from uint64, limit, budget int) ([]Record, error) {
	f, done, err := v.open()
	if err != nil {
		return nil, err
	}
	defer done()
	buf, _ := j.buffers.Get().(*[]byte)
	sc := &scanner{keys: j.keys, seg: v.seg, file: f, end: v.end, buf: (*buf)[:0]}
	defer func() {
		if cap(sc.buf) <= maxKeptFrame {
			*buf = sc.buf
		}
		j.buffers.Put(buf)
	}()
	if err := sc.from(v.start); err != nil {
		return nil, v.seg.damage(sc, err)
	}
	for sc.seq < from {
		if err := sc.skip(); err != nil {
			return nil, v.seg.damage(sc, err)
		}
	}
	out := make([]Record, 0, min(uint64(limit), v.last-from+1))
	for len(out) < limit && sc.seq <= v.last && budget > 0 {
		seq := sc.seq
		payload, err := sc.next()
		if err != nil {
			return out, v.seg.damage(sc, err)
		}
		budget -= len(payload)
		out = append(out, Record{Seq: seq, Payload: payload})
	}
	return out, nil
}

// damage names the file of what a scanner met; other errors it passes on.
func (s *segment) damage(sc *scanner, err error) error {
	var bad *frameError
	switch {
	case errors.As(err, &bad):
		return bad.corrupt(s.path)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return corrupt(&CorruptError{File: s.path, Offset: sc.off, Seq: sc.seq, Reason: "the record is missing"})
	}
	return fault.Wrap(fault.Internal, "read a segment", err)
}

// load verifies every record of a segment that an earlier writer finished, and
// keeps marks of them.
func (j *Journal) load(v view) error {
	v.seg.loading.Lock()
	defer v.seg.loading.Unlock()
	if v.seg.loaded.Load() {
		return nil
	}
	marks, err := j.whole(v)
	if err != nil {
		return err
	}
	j.mu.Lock()
	v.seg.marks = marks
	j.mu.Unlock()
	v.seg.loaded.Store(true)
	return nil
}

// whole verifies a whole segment and that it ends where the next begins.
func (j *Journal) whole(v view) ([]mark, error) {
	f, done, err := v.open()
	if err != nil {
		return nil, err
	}
	defer done()
	sc := &scanner{keys: j.keys, seg: v.seg, file: f, end: v.end}
	if err := sc.from(mark{v.seg.first, headerSize}); err != nil {
		return nil, v.seg.damage(sc, err)
	}
	marks, err := sc.walk(func() bool { return true })
	if err != nil {
		return nil, v.seg.damage(sc, err)
	}
	if sc.seq != v.last+1 || v.next != nil && sc.prev != v.next.prev {
		return nil, corrupt(&CorruptError{File: v.seg.path, Offset: sc.off, Seq: sc.seq, Reason: "the segment does not end where the next one begins"})
	}
	return marks, nil
}

// Verify reads every record kept and returns the first damage it finds.
func (j *Journal) Verify(ctx context.Context) error {
	for from := j.First(); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		v, err := j.look(from)
		if errors.Is(err, ErrTrimmed) {
			from = j.First()
			continue
		}
		if err != nil || v.seg == nil {
			return err
		}
		if _, err := j.whole(v); err != nil && !j.gone(v.seg, err) {
			return err
		}
		from = v.last + 1
	}
}
