package object

import (
	"encoding/binary"
	"hash/adler32"
	"io"
)

// maxStored is how many bytes a stored block holds (RFC 1951, 3.2.4).
const maxStored = 65535

// store writes r as a zlib stream (RFC 1950) of stored blocks, for content that
// would not get smaller: it needs none of a compressor's memory and time. size
// is how many bytes r is said to have.
func store(w io.Writer, r io.Reader, size int64) (int64, error) {
	if _, err := w.Write([]byte{0x78, 0x01}); err != nil {
		return 0, err
	}
	sum := adler32.New()
	var n int64
	block := make([]byte, min(maxStored, size+1))
	for {
		m, err := io.ReadFull(r, block)
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !last {
			return n, err
		}
		n += int64(m)
		_, _ = sum.Write(block[:m]) // never fails
		var head [5]byte
		if last {
			head[0] = 1
		}
		binary.LittleEndian.PutUint16(head[1:], uint16(m))
		binary.LittleEndian.PutUint16(head[3:], ^uint16(m))
		if _, err := w.Write(head[:]); err != nil {
			return n, err
		}
		if _, err := w.Write(block[:m]); err != nil {
			return n, err
		}
		if last {
			_, err := w.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
			return n, err
		}
	}
}
