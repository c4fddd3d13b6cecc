package bucket

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// indexOf is what the index of a pack must agree with.
type indexOf struct {
	format  string
	objects int64
	pack    string // the pack's trailer
	bytes   int64  // of the pack
}

// The form of a pack index, version 2 (gitformat-pack(5)).
const (
	indexMagic  = "\xfftOc\x00\x00\x00\x02"
	indexFanout = 256
	indexFar    = 1 << 31 // of an offset: it is one of the 8-byte ones that follow
)

// checkIndex reads a pack index to its end and says what is wrong with it by
// itself, or does not fit the pack. Whether its entries are true it cannot say:
// for that the pack has to be indexed again. Errors of r are returned as they
// are.
func checkIndex(r io.Reader, of indexOf) error {
	c := &indexCheck{r: r, of: of, size: newHash(of.format).Size()}
	sums := newHash(of.format)
	c.r = io.TeeReader(r, sums)
	for _, step := range []func() error{c.header, c.ids, c.crcs, c.offsets, c.packTrailer} {
		if err := step(); err != nil {
			return short(err)
		}
	}
	want := sums.Sum(nil)
	got, err := c.take(c.size)
	if err != nil {
		return short(err)
	}
	if !bytes.Equal(got, want) {
		return errors.New("its content is not what its own checksum says")
	}
	if n, err := io.Copy(io.Discard, r); err != nil {
		return err
	} else if n > 0 {
		return errors.New("something follows its end")
	}
	return nil
}

func short(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF { //nolint:errorlint // io.ReadFull returns them itself, others come from below
		return errors.New("it is cut short")
	}
	return err
}

type indexCheck struct {
	r      io.Reader
	of     indexOf
	size   int // of an object id
	buf    []byte
	fanout [indexFanout]uint32
	far    int64 // how many offsets have 8 bytes
}

// take reads n bytes, which are valid until the next call.
func (c *indexCheck) take(n int) ([]byte, error) {
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	_, err := io.ReadFull(c.r, c.buf[:n])
	return c.buf[:n], err
}

// each reads count items of a size, many at once.
func (c *indexCheck) each(count int64, size int, fn func(i int64, item []byte) error) error {
	const many = 4096
	for at := int64(0); at < count; {
		n := min(count-at, many)
		chunk, err := c.take(int(n) * size)
		if err != nil {
			return err
		}
		for i := range n {
			if err := fn(at+i, chunk[int(i)*size:int(i+1)*size]); err != nil {
				return err
			}
		}
		at += n
	}
	return nil
}

func (c *indexCheck) header() error {
	head, err := c.take(len(indexMagic) + indexFanout*4)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(head, []byte(indexMagic)) {
		return errors.New("it is not a pack index of version 2")
	}
	before := uint32(0)
	for i := range c.fanout {
		c.fanout[i] = binary.BigEndian.Uint32(head[len(indexMagic)+i*4:])
		if c.fanout[i] < before {
			return errors.New("its fan-out table is out of order")
		}
		before = c.fanout[i]
	}
	if int64(before) != c.of.objects {
		return fmt.Errorf("it has %d objects and the pack %d", before, c.of.objects)
	}
	return nil
}

func (c *indexCheck) ids() error {
	last := make([]byte, 0, c.size)
	return c.each(c.of.objects, c.size, func(i int64, id []byte) error {
		first, end := int64(0), int64(c.fanout[id[0]])
		if id[0] > 0 {
			first = int64(c.fanout[id[0]-1])
		}
		if i < first || i >= end || len(last) > 0 && bytes.Compare(last, id) >= 0 {
			return errors.New("its objects are out of order")
		}
		last = append(last[:0], id...)
		return nil
	})
}

func (c *indexCheck) crcs() error {
	return c.each(c.of.objects, 4, func(int64, []byte) error { return nil })
}

func (c *indexCheck) offsets() error {
	err := c.each(c.of.objects, 4, func(_ int64, at []byte) error {
		off := binary.BigEndian.Uint32(at)
		if off&indexFar != 0 {
			c.far++
			return nil
		}
		return c.inPack(uint64(off))
	})
	if err != nil {
		return err
	}
	return c.each(c.far, 8, func(_ int64, at []byte) error { return c.inPack(binary.BigEndian.Uint64(at)) })
}

func (c *indexCheck) inPack(off uint64) error {
	if off < packHeadBytes || off >= uint64(c.of.bytes)-uint64(c.size) {
		return errors.New("it has an object that is not in the pack")
	}
	return nil
}

func (c *indexCheck) packTrailer() error {
	got, err := c.take(c.size)
	if err != nil {
		return err
	}
	if hex.EncodeToString(got) != c.of.pack {
		return errors.New("it is the index of another pack")
	}
	return nil
}
