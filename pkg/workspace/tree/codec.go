package tree

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// The form of a stored index: magic, the entries depth first, the SHA-256 of
// all that. Integers are varints.
const indexMagic = "vexa-index 1\n"

// ErrIndex reports bytes that are not a stored index.
var ErrIndex = errors.New("the stored index is damaged")

// MarshalBinary returns the index's stored form.
func (x *Index) MarshalBinary() ([]byte, error) {
	buf := append(make([]byte, 0, 64<<10), indexMagic...)
	buf = appendEntry(buf, &x.Root)
	sum := sha256.Sum256(buf)
	return append(buf, sum[:]...), nil
}

func appendEntry(buf []byte, e *Entry) []byte {
	buf = binary.AppendUvarint(buf, uint64(e.Mode))
	buf = binary.AppendUvarint(buf, uint64(len(e.Name)))
	buf = append(buf, e.Name...)
	buf = append(buf, e.ID[:]...)
	if e.Mode == object.ModeDir {
		buf = binary.AppendUvarint(buf, uint64(len(e.Children)))
		for i := range e.Children {
			buf = appendEntry(buf, &e.Children[i])
		}
		return buf
	}
	buf = binary.AppendVarint(buf, e.Stat.Ctime)
	if e.Stat.Ctime != 0 {
		buf = binary.AppendUvarint(buf, e.Stat.Dev)
		buf = binary.AppendUvarint(buf, e.Stat.Ino)
		buf = binary.AppendVarint(buf, e.Stat.Size)
		buf = binary.AppendUvarint(buf, uint64(e.Stat.Mode))
	}
	return buf
}

// UnmarshalBinary reads the stored form, or returns ErrIndex.
func (x *Index) UnmarshalBinary(data []byte) error {
	body := len(data) - sha256.Size
	if body < len(indexMagic) || string(data[:len(indexMagic)]) != indexMagic {
		return ErrIndex
	}
	if sum := sha256.Sum256(data[:body]); !bytes.Equal(sum[:], data[body:]) {
		return ErrIndex
	}
	d := decoder{buf: data[len(indexMagic):body]}
	root := d.entry(0)
	if d.bad || len(d.buf) != 0 {
		return ErrIndex
	}
	x.Root = root
	return nil
}

// decoder reads the stored form; bad is set once and ends everything.
type decoder struct {
	buf []byte
	bad bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.buf)
	if n <= 0 {
		d.bad, d.buf = true, nil
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.buf)
	if n <= 0 {
		d.bad, d.buf = true, nil
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.buf)) {
		d.bad, d.buf = true, nil
		return nil
	}
	out := d.buf[:n]
	d.buf = d.buf[n:]
	return out
}

// maxNesting is deeper than any tree a walk takes.
const maxNesting = 4096

func (d *decoder) entry(depth int) Entry {
	var e Entry
	e.Mode = uint32(d.uint())
	e.Name = string(d.take(d.uint()))
	copy(e.ID[:], d.take(object.Size))
	if e.Mode != object.ModeDir {
		if e.Stat.Ctime = d.int(); e.Stat.Ctime != 0 {
			e.Stat.Dev, e.Stat.Ino, e.Stat.Size = d.uint(), d.uint(), d.int()
			e.Stat.Mode = uint32(d.uint())
		}
		return e
	}
	n := d.uint()
	if n > uint64(len(d.buf)) || depth > maxNesting {
		d.bad, d.buf = true, nil
		return e
	}
	e.Children = make([]Entry, 0, n)
	for range n {
		if d.bad {
			break
		}
		e.Children = append(e.Children, d.entry(depth+1))
	}
	return e
}
