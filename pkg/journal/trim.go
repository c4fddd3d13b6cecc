package journal

import (
	"os"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// TrimBefore drops the records before seq. They cannot be read from then on,
// and their space is given back segment by segment, once all of a segment's
// records are dropped; the last segment stays, to hold the chain. Numbers are
// never used again.
func (j *Journal) TrimBefore(seq uint64) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if err := j.stopped(); err != nil {
		return err
	}
	seq = min(seq, j.last+1)
	if seq <= j.first {
		return nil
	}
	// What is trimmed was flushed: the checkpoint never names a first record
	// beyond what a crash leaves.
	if err := j.settle(); err != nil {
		return err
	}
	if err := j.check.trimmed(seq); err != nil {
		return j.stop("the checkpoint cannot be written", err)
	}
	for _, s := range j.forget(seq) {
		if err := os.Remove(s.path); err != nil {
			return fault.Wrap(fault.Internal, "remove a trimmed segment", err)
		}
	}
	return nil
}

// forget makes seq the first record for readers, and returns the segments that
// hold nothing else than older ones.
func (j *Journal) forget(seq uint64) []*segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.first = seq
	n := 0
	for n+1 < len(j.segments) && j.segments[n+1].first <= seq {
		n++
	}
	gone := j.segments[:n]
	j.segments = j.segments[n:]
	return gone
}

// TrimTo drops the oldest records so that the segments take no more than the
// given bytes on the disk, as far as dropping whole segments can: the last one
// stays.
func (j *Journal) TrimTo(bytes int64) error {
	j.mu.Lock()
	var kept int64
	seq := uint64(0)
	for i, s := range slices.Backward(j.segments) {
		kept += s.size
		if kept > bytes && i < len(j.segments)-1 {
			break
		}
		seq = s.first
	}
	j.mu.Unlock()
	return j.TrimBefore(seq)
}
