package streamjournal

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/stream"
)

// stampSize is what precedes each payload: the time in milliseconds since
// 1970, and the bytes of all payloads up to and including this one. Both only
// grow.
const stampSize = 16

// maxKeptBuffer is the largest buffer kept for the next append, in bytes.
const maxKeptBuffer = 1 << 20

// topic is one topic's place in this process: its journal while that is open,
// and its followers.
type topic struct {
	log  *Log
	name string
	dir  string

	// Guarded by Log.mu.
	users     int    // calls in progress, each of which needs the journal
	followers int    // Tails
	isOpen    bool   // counts as an open journal
	used      uint64 // when it was last used, in calls

	// opening is held while the journal is opened, closed or removed. Who
	// counts as a user may use the journal without it.
	opening sync.Mutex
	journal *journal.Journal
	removed bool
	failed  error // of the flush when the journal was closed; with Log.mu too

	writing sync.Mutex // guards what the next stamp needs
	at      uint64
	total   uint64
	buffer  []byte

	waiting sync.Mutex
	changed chan struct{} // closed by the next append, nil while nobody waits
	dead    bool          // removed, for those who wait
}

// open opens the journal. The caller holds opening.
func (t *topic) open() error {
	j, err := journal.Open(journal.Options{
		Dir:          filepath.Join(t.log.topicsDir(), t.dir),
		Checkpoint:   filepath.Join(t.log.checkpointsDir(), t.dir),
		Key:          t.log.key,
		Name:         "topic " + t.name,
		SegmentBytes: t.log.segment,
	})
	if err != nil {
		return err
	}
	t.at, t.total = 0, 0
	if last := j.Last(); last >= j.First() {
		r, err := one(j, last)
		if err != nil {
			return errors.Join(err, j.Close())
		}
		t.at, t.total = r.at, r.total
	}
	t.journal = j
	return nil
}

// close closes the journal for good; the log is closed.
func (t *topic) close() error {
	t.opening.Lock()
	defer t.opening.Unlock()
	if t.journal == nil {
		return t.failed
	}
	return t.journal.Close()
}

// stamped is a record taken apart.
type stamped struct {
	at, total uint64
	payload   []byte
}

func parse(r journal.Record) (stamped, error) {
	if len(r.Payload) < stampSize {
		return stamped{}, fault.New(fault.Internal, "a record of a topic has no stamp", "")
	}
	return stamped{
		at:      binary.BigEndian.Uint64(r.Payload),
		total:   binary.BigEndian.Uint64(r.Payload[8:]),
		payload: r.Payload[stampSize:],
	}, nil
}

func one(j *journal.Journal, seq uint64) (stamped, error) {
	records, err := j.Read(seq, 1)
	if err != nil {
		return stamped{}, err
	}
	if len(records) == 0 {
		return stamped{}, fault.New(fault.Internal, "a record of a topic is missing", "")
	}
	return parse(records[0])
}

func (t *topic) append(payload []byte, now time.Time) (stream.Cursor, error) {
	t.writing.Lock()
	defer t.writing.Unlock()
	at := max(t.at, uint64(max(0, now.UnixMilli())))
	total := t.total + uint64(len(payload))
	if cap(t.buffer) > maxKeptBuffer {
		t.buffer = nil
	}
	t.buffer = binary.BigEndian.AppendUint64(t.buffer[:0], at)
	t.buffer = binary.BigEndian.AppendUint64(t.buffer, total)
	t.buffer = append(t.buffer, payload...)
	seq, err := t.journal.Write(t.buffer)
	if err != nil {
		return "", err
	}
	t.at, t.total = at, total
	t.wake()
	return stream.At(seq), nil
}

func (t *topic) read(after stream.Cursor, limit int) ([]stream.Entry, error) {
	var (
		from    uint64
		records []journal.Record
		err     error
	)
	for {
		first := t.journal.First()
		from = first
		if after != "" {
			seq, err := after.Seq()
			if err != nil {
				return nil, err
			}
			if err := stream.CheckRange(t.name, seq, first, t.journal.Last()); err != nil {
				return nil, err
			}
			from = seq + 1
		}
		records, err = t.journal.Read(from, limit)
		if !errors.Is(err, journal.ErrTrimmed) {
			break
		}
		// Trimmed between the two calls: look again.
	}
	if err != nil {
		return nil, err
	}
	out := make([]stream.Entry, len(records))
	for i, r := range records {
		s, err := parse(r)
		if err != nil {
			return nil, err
		}
		out[i] = stream.Entry{Cursor: stream.At(r.Seq), Payload: s.payload}
	}
	return out, nil
}

// size returns the bytes of the payloads that are kept.
func (t *topic) size() (int64, error) {
	for {
		first, last := t.journal.First(), t.journal.Last()
		if first > last {
			return 0, nil
		}
		oldest, err := one(t.journal, first)
		var newest stamped
		if err == nil {
			newest, err = one(t.journal, last)
		}
		if errors.Is(err, journal.ErrTrimmed) {
			continue // between the calls: look again
		}
		if err != nil {
			return 0, err
		}
		return int64(newest.total - oldest.total + uint64(len(oldest.payload))), nil
	}
}

func (t *topic) trim(policy stream.Policy, now time.Time) error {
	j := t.journal
	first, last := j.First(), j.Last()
	if first > last {
		return nil
	}
	keep := first
	if n := uint64(max(0, policy.MaxEntries)); n > 0 && last-first+1 > n {
		keep = last - n + 1
	}
	if policy.MaxBytes > 0 {
		newest, err := one(j, last)
		if err != nil {
			return err
		}
		keep, err = search(j, keep, last, func(s stamped) bool {
			before := s.total - uint64(len(s.payload))
			return newest.total-before <= uint64(policy.MaxBytes)
		})
		if err != nil {
			return err
		}
	}
	if policy.MaxAge > 0 {
		oldest := uint64(max(0, now.Add(-policy.MaxAge).UnixMilli()))
		var err error
		if keep, err = search(j, keep, last, func(s stamped) bool { return s.at >= oldest }); err != nil {
			return err
		}
	}
	return j.TrimBefore(keep)
}

// search returns the first record from the given one on that is fit to be
// kept, last+1 where none is. All that follow a fit one are fit.
func search(j *journal.Journal, from, last uint64, fit func(stamped) bool) (uint64, error) {
	var failed error
	n := sort.Search(int(last+1-min(from, last+1)), func(i int) bool {
		s, err := one(j, from+uint64(i))
		failed = errors.Join(failed, err)
		return err == nil && fit(s)
	})
	return from + uint64(n), failed
}

// changes returns a channel that is closed by the next append or removal.
func (t *topic) changes() <-chan struct{} {
	t.waiting.Lock()
	defer t.waiting.Unlock()
	if t.dead {
		ended := make(chan struct{})
		close(ended)
		return ended
	}
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.changed
}

func (t *topic) wake() {
	t.waiting.Lock()
	defer t.waiting.Unlock()
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

func (t *topic) bury() {
	t.waiting.Lock()
	t.dead = true
	t.waiting.Unlock()
	t.wake()
}

func (t *topic) isRemoved() bool {
	t.waiting.Lock()
	defer t.waiting.Unlock()
	return t.dead
}
