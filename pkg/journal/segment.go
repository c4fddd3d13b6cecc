package journal

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// Layout of a segment's header: magic, number of the first record, tag before
// it, salt, MAC of all that and the journal's name.
const (
	segmentMagic = "vexajrn1"
	saltSize     = 32
	headerBody   = len(segmentMagic) + 8 + tagSize + saltSize
	headerSize   = int64(headerBody + sha256.Size)

	segmentSuffix = ".seg"
	segmentTemp   = ".new" // never a segment; a leftover is removed
)

// markEvery is how many bytes of records may lie between two marks.
const markEvery = 4 << 10

// mark is where a record starts.
type mark struct {
	seq uint64
	off int64
}

// segment is one file of a journal.
type segment struct {
	path  string
	first uint64 // number of its first record
	prev  tag    // of the record before that
	aead  cipher.AEAD

	retired bool // a write failed, so no nonce of it is used again; the writer's

	// Guarded by Journal.mu; the writer changes them.
	file  *os.File // of the active segment, else nil
	size  int64
	marks []mark // of some records, in order; complete where loaded

	loading sync.Mutex  // held while the records are verified
	loaded  atomic.Bool // every record has been verified, or written, here
}

// nonce is the record's place in the segment: unique under the segment's key.
func (s *segment) nonce(seq uint64) (n [chacha20poly1305.NonceSize]byte) {
	binary.BigEndian.PutUint64(n[4:], seq-s.first)
	return n
}

// addMark notes where a record starts if the last mark is far enough behind.
func addMark(marks []mark, m mark) []mark {
	if n := len(marks); n > 0 && m.off-marks[n-1].off < markEvery {
		return marks
	}
	return append(marks, m)
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x", first)+segmentSuffix)
}

// parseSegmentName is the inverse of segmentPath.
func parseSegmentName(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 16 || strings.ToLower(digits) != digits {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 16, 64)
	return first, err == nil && first > 0
}

// rotate starts a new segment. What was written before is flushed first, so
// that only the last segment can ever have a bad tail.
func (j *Journal) rotate() error {
	if err := j.settle(); err != nil {
		return err
	}
	s, err := j.create(j.last+1, j.tag)
	if err != nil {
		return err
	}
	old := j.active
	j.active = s
	j.mu.Lock()
	defer j.mu.Unlock()
	if old != nil {
		old.file.Close() // a read that is under way ends in os.ErrClosed, and looks again
		old.file = nil
	}
	if n := len(j.segments); n > 0 && j.segments[n-1].first == s.first {
		j.segments[n-1] = s // it had no record, and its file was replaced
	} else {
		j.segments = append(j.segments, s)
	}
	return nil
}

// create makes a segment's file, which has its name only once the header in it
// is on the disk.
func (j *Journal) create(first uint64, prev tag) (*segment, error) {
	temp := filepath.Join(j.dir, segmentTemp)
	s, err := j.start(temp, first, prev)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "start a segment of "+j.dir, err)
	}
	err = j.flush(s.file)
	if err != nil {
		s.file.Close()
		return nil, j.stop("flush a new segment", err)
	}
	s.path = segmentPath(j.dir, first)
	if err := os.Rename(temp, s.path); err != nil {
		s.file.Close()
		return nil, fault.Wrap(fault.Internal, "start a segment of "+j.dir, err)
	}
	if err := atomicfile.SyncDir(j.dir); err != nil {
		s.file.Close()
		return nil, j.stop("flush the directory", err)
	}
	return s, nil
}

// header makes the header of a new segment.
func (k *keyring) header(first uint64, prev tag, salt []byte) ([]byte, *segment, error) {
	aead, macKey, err := k.segment(salt)
	if err != nil {
		return nil, nil, err
	}
	b := append([]byte(nil), segmentMagic...)
	b = binary.BigEndian.AppendUint64(b, first)
	b = append(b, prev[:]...)
	b = append(b, salt...)
	b = append(b, k.mac(macKey, b)...)
	return b, &segment{first: first, prev: prev, aead: aead, size: headerSize}, nil
}

// start writes the header of a new segment to path.
func (j *Journal) start(path string, first uint64, prev tag) (*segment, error) {
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	header, s, err := j.keys.header(first, prev, salt)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(header); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.file = f
	s.loaded.Store(true)
	return s, nil
}

// openSegment reads and verifies the header of the segment that should start
// with record first. The file is closed again.
func (k *keyring) openSegment(path string, first uint64) (*segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "open a segment", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "open a segment", err)
	}
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(f, header); err != nil {
		return nil, corrupt(&CorruptError{File: path, Reason: "the header is incomplete"})
	}
	s, err := k.parseHeader(header)
	if err != nil {
		return nil, corrupt(&CorruptError{File: path, Reason: err.Error()})
	}
	if s.first != first {
		return nil, corrupt(&CorruptError{File: path, Reason: "the header is of the segment of record " + strconv.FormatUint(s.first, 10)})
	}
	s.path, s.size = path, st.Size()
	return s, nil
}

// parseHeader verifies a header of headerSize bytes.
func (k *keyring) parseHeader(header []byte) (*segment, error) {
	rest, ok := bytes.CutPrefix(header[:headerBody], []byte(segmentMagic))
	if !ok {
		return nil, errors.New("not a segment of a journal")
	}
	salt := rest[8+tagSize:]
	aead, macKey, err := k.segment(salt)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(k.mac(macKey, header[:headerBody]), header[headerBody:]) {
		return nil, errors.New("the header does not verify")
	}
	return &segment{first: binary.BigEndian.Uint64(rest), prev: tag(rest[8 : 8+tagSize]), aead: aead}, nil
}
