package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// Layout of a record: length of the payload, checksum of length and number,
// sealed payload, tag. The checksum is no protection against an attacker, whom
// the tag stops; it tells a torn record from one with a damaged length.
const (
	frameHeader   = 8
	frameOverhead = frameHeader + tagSize
)

// Buffers: what readers read at once, and the largest the writer keeps.
const (
	readChunk    = 32 << 10
	maxKeptFrame = 1 << 20
)

// castagnoli returns the polynomial's table, of which the library keeps one.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func appendFrameHeader(b []byte, seq uint64, size int) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	summed := binary.BigEndian.AppendUint64(b, seq)[start:]
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(summed, castagnoli()))
}

// frameError is a record that does not verify.
type frameError struct {
	off    int64
	seq    uint64
	torn   bool // it reaches the end of the file
	reason string
}

func (e *frameError) Error() string { return e.reason }

func (e *frameError) corrupt(path string) error {
	return corrupt(&CorruptError{File: path, Offset: e.off, Seq: e.seq, Reason: e.reason})
}

// scanner walks the records of a segment.
type scanner struct {
	keys *keyring
	seg  *segment
	file io.ReaderAt
	end  int64 // of the records

	off  int64  // of the next record
	seq  uint64 // of the next record
	prev tag    // of the record before it

	buf []byte // bytes of the file from at
	at  int64
	aad []byte

	nonce [chacha20poly1305.NonceSize]byte
	head  [frameHeader + 8]byte
}

// from places the scanner at a mark.
func (s *scanner) from(m mark) error {
	s.seq, s.off = m.seq, m.off
	if m.off == headerSize {
		s.prev = s.seg.prev
		return nil
	}
	before, err := s.peek(m.off-tagSize, tagSize)
	if err != nil {
		return err
	}
	s.prev = tag(before)
	return nil
}

// next returns the payload of the next record, in memory of its own, or io.EOF.
// An error of the type *frameError leaves the scanner before the bad record.
func (s *scanner) next() ([]byte, error) {
	size, err := s.header()
	if err != nil {
		return nil, err
	}
	sealed, err := s.peek(s.off+frameHeader, size+tagSize)
	if err != nil {
		return nil, err
	}
	s.nonce = s.seg.nonce(s.seq)
	s.aad = s.keys.appendAAD(s.aad[:0], s.seq, s.prev)
	payload, err := s.seg.aead.Open(make([]byte, 0, size), s.nonce[:], sealed, s.aad)
	if err != nil {
		return nil, s.bad("the record does not verify", frameOverhead+int64(size))
	}
	s.advance(size, tag(sealed[size:]))
	return payload, nil
}

// errVeto is what walk returns where visit stopped it.
var errVeto = errors.New("stopped")

// walk opens every record from where the scanner stands to the end, and calls
// visit before the first and after each: false stops it. It returns marks.
func (s *scanner) walk(visit func() bool) ([]mark, error) {
	var marks []mark
	for {
		if !visit() {
			return marks, errVeto
		}
		m := mark{s.seq, s.off}
		if _, err := s.next(); errors.Is(err, io.EOF) {
			return marks, nil
		} else if err != nil {
			return marks, err
		}
		marks = addMark(marks, m)
	}
}

// skip passes over the next record without opening it.
func (s *scanner) skip() error {
	size, err := s.header()
	if err != nil {
		return err
	}
	end, err := s.peek(s.off+frameHeader+int64(size), tagSize)
	if err != nil {
		return err
	}
	s.advance(size, tag(end))
	return nil
}

func (s *scanner) advance(size int, t tag) {
	s.prev = t
	s.off += frameOverhead + int64(size)
	s.seq++
}

// header returns the length of the next payload.
func (s *scanner) header() (int, error) {
	left := s.end - s.off
	if left == 0 {
		return 0, io.EOF
	}
	if left < frameHeader {
		return 0, &frameError{off: s.off, seq: s.seq, torn: true, reason: "the record is incomplete"}
	}
	head, err := s.peek(s.off, frameHeader)
	if err != nil {
		return 0, err
	}
	size := int64(binary.BigEndian.Uint32(head))
	switch {
	case size > MaxPayload || !bytes.Equal(head, appendFrameHeader(s.head[:0], s.seq, int(size))):
		return 0, s.bad("the length of the record does not verify", frameHeader)
	case left < frameOverhead+size:
		return 0, &frameError{off: s.off, seq: s.seq, torn: true, reason: "the record is incomplete"}
	}
	return int(size), nil
}

// bad is the error of a record known to be at least extent bytes long. It
// reaches the end of the file also where nothing but zeros follows: blocks that
// were allotted to the file and never written.
func (s *scanner) bad(reason string, extent int64) error {
	e := &frameError{off: s.off, seq: s.seq, torn: true, reason: reason}
	for off := s.off + extent; off < s.end; {
		chunk, err := s.peek(off, int(min(readChunk, s.end-off)))
		if err != nil {
			return err
		}
		for _, b := range chunk {
			if b != 0 {
				e.torn = false
				return e
			}
		}
		off += int64(len(chunk))
	}
	return e
}

// peek returns n bytes at off, which lie before end. They are valid until the
// next call.
func (s *scanner) peek(off int64, n int) ([]byte, error) {
	if i := off - s.at; i >= 0 && i+int64(n) <= int64(len(s.buf)) {
		return s.buf[i : i+int64(n)], nil
	}
	want := int(min(int64(max(n, readChunk)), s.end-off))
	if cap(s.buf) < want {
		s.buf = make([]byte, want)
	}
	s.buf, s.at = s.buf[:want], off
	if _, err := s.file.ReadAt(s.buf, off); err != nil {
		s.buf = s.buf[:0]
		return nil, err
	}
	return s.buf[:n], nil
}
