// Package journal is an append-only encrypted log of records.
//
// A journal is a directory of segments with one writer for its life, held by a
// lock, and any number of readers inside that process, concurrent with the
// writer. Records are numbered from 1.
//
// # Format
//
// A segment is a header and records. The header holds the number of the first
// record, the tag of the record before it and a random salt, under a MAC. Each
// record is its length, a checksum of length and number, and the payload sealed
// with ChaCha20-Poly1305 (RFC 8439) under a key of the segment's own: HKDF
// (RFC 5869, SHA-256) of the data key and the salt. The nonce is the record's
// place in the segment; the additional data are the record's number, the tag
// of the record before it and the journal's name. So no record can be altered,
// moved, swapped, dropped or brought in from another journal unseen, and the
// chain goes on across segments, also after old ones were trimmed. A segment is
// never appended to after its writer is gone: the next writer starts a new one,
// under a new key, so that no nonce is ever used twice.
//
// # Durability
//
// Write hands a record to the kernel, which survives a kill of the process.
// Sync flushes it to the disk and then moves the checkpoint, a small file kept
// elsewhere that holds the number and tag of the last flushed record and the
// number of the first one kept.
//
// # Recovery
//
// Open cuts a bad tail in one case only: the bad record reaches the end of the
// last segment and is newer than the checkpoint, which is what a crash leaves.
// Everything else that does not verify is a [CorruptError] naming the file, the
// offset and the record; nothing is skipped or repaired in silence. Open
// verifies the whole chain of segments but the contents of the last one only;
// older ones are verified when they are first read, or by Verify.
package journal

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
)

// Sizes, in bytes.
const (
	KeySize        = 32       // of the data key
	MaxPayload     = 64 << 20 // of one record
	DefaultSegment = 8 << 20  // where Options name no other size
	maxName        = 512
)

// Options say where a journal is and how it is sealed.
type Options struct {
	Dir          string // of the segments, made (0700) where it is missing
	Checkpoint   string // a file outside Dir; its directory is made where it is missing
	Key          []byte // the data key, KeySize random bytes; one key may serve many journals
	Name         string // what every record is bound to; no two journals under a key share one
	SegmentBytes int64  // a segment that has grown to this size is followed by a new one

	flush func(*os.File) error // nil: fdatasync; tests make it fail
}

// Record is one entry of a journal.
type Record struct {
	Seq     uint64
	Payload []byte
}

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	dir     string
	limit   int64 // of a segment
	keys    *keyring
	lock    *filelock.Lock
	check   *checkpoint
	flush   func(*os.File) error
	buffers sync.Pool // of *[]byte, for readers

	// writing is held by whoever changes the segments: Write, TrimBefore, Close.
	writing sync.Mutex
	active  *segment // the one this writer appends to, nil before the first Write
	frame   []byte
	aad     []byte
	nonce   [chacha20poly1305.NonceSize]byte

	// mu guards what readers see. It is never held during input or output.
	mu       sync.Mutex
	segments []*segment // oldest first
	first    uint64     // oldest record that is not trimmed
	last     uint64     // newest record, 0 where there is none
	tag      tag        // of the newest record
	changed  chan struct{}
	err      error         // why the journal takes no more records
	flushing chan struct{} // closed when the running flush has ended

	// disk serialises flushes: the kernel reports a failed one once, and no
	// other may take the silence that follows for success.
	disk sync.Mutex
}

// Open opens the journal and recovers it, or makes an empty one. The error is
// fault.Conflict where another writer holds it, fault.Denied where it was
// written with another key, and a *CorruptError, which errors.As finds, where
// it is damaged.
func Open(o Options) (*Journal, error) {
	keys, err := newKeyring(o.Key, o.Name)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		dir:   o.Dir,
		limit: cmp.Or(o.SegmentBytes, DefaultSegment),
		keys:  keys,
		flush: o.flush,
	}
	if j.flush == nil {
		j.flush = fdatasync
	}
	j.buffers.New = func() any { b := make([]byte, 0, readChunk); return &b }
	if j.lock, err = acquire(o.Dir); err != nil {
		return nil, err
	}
	if err := j.recover(o.Checkpoint); err != nil {
		j.release()
		return nil, err
	}
	return j, nil
}

// First returns the number of the oldest record kept; Last()+1 where none is.
func (j *Journal) First() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.first
}

// Last returns the number of the newest record, 0 before the first.
func (j *Journal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Changed returns a channel that is closed by the next Write, or when the
// journal stops or closes. Take it before reading, wait on it after.
func (j *Journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		ended := make(chan struct{})
		close(ended)
		return ended
	}
	if j.changed == nil {
		j.changed = make(chan struct{})
	}
	return j.changed
}

// Write appends a record and returns its number. Readers see it at once; it
// survives a kill of this process, but a crash of the machine only after Sync.
// A payload beyond MaxPayload is fault.Invalid. After an error that leaves the
// file in doubt the journal takes no more records.
func (j *Journal) Write(payload []byte) (uint64, error) {
	if len(payload) > MaxPayload {
		return 0, fault.New(fault.Invalid, "a record of "+strconv.Itoa(len(payload))+" bytes is beyond the limit of "+strconv.Itoa(MaxPayload), "")
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	if err := j.stopped(); err != nil {
		return 0, err
	}
	size := int64(frameOverhead + len(payload))
	if s := j.active; s == nil || s.retired || (s.size+size > j.limit && s.size > headerSize) {
		if err := j.rotate(); err != nil {
			return 0, err
		}
	}
	s, seq := j.active, j.last+1
	frame := j.seal(s, seq, payload)
	if _, err := s.file.WriteAt(frame, s.size); err != nil {
		return 0, j.takeBack(s, err)
	}
	j.publish(s, seq, frame)
	return seq, nil
}

// seal makes the frame of a record in j.frame.
func (j *Journal) seal(s *segment, seq uint64, payload []byte) []byte {
	if cap(j.frame) > maxKeptFrame {
		j.frame = nil
	}
	j.frame = appendFrameHeader(j.frame[:0], seq, len(payload))
	j.aad = j.keys.appendAAD(j.aad[:0], seq, j.tag)
	j.nonce = s.nonce(seq)
	j.frame = s.aead.Seal(j.frame, j.nonce[:], payload, j.aad)
	return j.frame
}

// takeBack removes what a failed write may have left. The segment is not used
// again: its next nonce may be on the disk already.
func (j *Journal) takeBack(s *segment, cause error) error {
	s.retired = true
	if err := s.file.Truncate(s.size); err != nil {
		return j.stop("take back a failed write", err)
	}
	return fault.Wrap(fault.Internal, "write "+s.path, cause)
}

// publish shows a written record to readers.
func (j *Journal) publish(s *segment, seq uint64, frame []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s.marks = addMark(s.marks, mark{seq, s.size})
	s.size += int64(len(frame))
	j.last = seq
	j.tag = tag(frame[len(frame)-tagSize:])
	j.wake()
}

// wake is called with mu held.
func (j *Journal) wake() {
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// stop ends writing for good and returns the error that says so.
func (j *Journal) stop(doing string, cause error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = &fault.Error{
			Kind: fault.Internal,
			Msg:  "journal " + j.dir + ": " + doing,
			Hint: "check the disk of " + j.dir + ", then start the daemon again",
			Err:  fmt.Errorf("%w: %w", ErrStopped, cause),
		}
		j.wake()
	}
	return j.err
}

// stopped returns why the journal takes no more records, nil while it does.
func (j *Journal) stopped() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// Close flushes the journal and gives up its lock. It returns what ended
// writing before, if anything did. Calls after the first do nothing.
func (j *Journal) Close() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	err := j.stopped()
	if err == ErrClosed { //nolint:errorlint // set here, as it is
		return nil
	}
	if err == nil {
		err = j.settle()
	}
	j.mu.Lock()
	j.err = ErrClosed
	j.wake()
	j.mu.Unlock()
	j.release()
	return err
}

// release closes every file. In-flight reads end in os.ErrClosed.
func (j *Journal) release() {
	if j.active != nil {
		j.active.file.Close()
	}
	if j.check != nil {
		j.check.close()
	}
	j.lock.Release()
}
