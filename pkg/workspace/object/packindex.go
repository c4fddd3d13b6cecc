package object

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the trailer of git's pack index format
	"encoding/binary"
	"slices"
)

// largeOffset is where an offset moves to the table of 64-bit ones.
const largeOffset = 1 << 31

// encodeIndex returns a version 2 pack index. It reorders items.
func encodeIndex(items []item, pack [Size]byte) []byte {
	slices.SortFunc(items, func(a, b item) int { return bytes.Compare(a.id[:], b.id[:]) })
	buf := make([]byte, 0, 8+256*4+len(items)*(Size+8)+2*Size)
	buf = append(buf, 0xff, 't', 'O', 'c', 0, 0, 0, 2)
	next := 0
	for first := range 256 {
		for next < len(items) && int(items[next].id[0]) == first {
			next++
		}
		buf = binary.BigEndian.AppendUint32(buf, uint32(next))
	}
	for i := range items {
		buf = append(buf, items[i].id[:]...)
	}
	for i := range items {
		buf = binary.BigEndian.AppendUint32(buf, items[i].crc)
	}
	var large []byte
	for i := range items {
		off := items[i].off
		if off >= largeOffset {
			off = largeOffset | int64(len(large)/8)
			large = binary.BigEndian.AppendUint64(large, uint64(items[i].off))
		}
		buf = binary.BigEndian.AppendUint32(buf, uint32(off))
	}
	buf = append(buf, large...)
	buf = append(buf, pack[:]...)
	sum := sha1.Sum(buf) //nolint:gosec // the trailer of git's pack index format
	return append(buf, sum[:]...)
}
