package object

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/sha1" //nolint:gosec // the trailer of git's pack format
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
)

// Pack writes one pack of whole objects, without deltas, into a directory. It
// is written under a temporary name; Finish makes it durable and gives it its
// own. A Pack is not safe for concurrent use.
type Pack struct {
	dir   string
	known func(ID) bool
	file  *os.File
	buf   *bufio.Writer
	z     *zlib.Writer // nil: the entries are stored as they are
	plain bool
	off   int64
	items []item
	have  map[ID]struct{}
}

type item struct {
	id  ID
	crc uint32
	off int64
}

// ErrMoved reports content that did not have the announced size.
var ErrMoved = errors.New("the content changed while it was read")

// NewPack starts a pack in dir. Objects for which known answers yes are named
// but not written; known may be nil.
func NewPack(dir string, known func(ID) bool) *Pack {
	if known == nil {
		known = func(ID) bool { return false }
	}
	return &Pack{dir: dir, known: known, have: make(map[ID]struct{})}
}

// NewStoredPack starts a pack whose entries are not compressed, for content that
// is encrypted.
func NewStoredPack(dir string) *Pack {
	p := NewPack(dir, nil)
	p.plain = true
	return p
}

// Len returns the number of objects written so far.
func (p *Pack) Len() int { return len(p.items) }

// Bytes returns the size of the pack so far.
func (p *Pack) Bytes() int64 { return p.off }

func (p *Pack) has(id ID) bool {
	_, ok := p.have[id]
	return ok || p.known(id)
}

// Add writes one object, unless the pack or the repository has it.
func (p *Pack) Add(kind Kind, data []byte) (ID, error) {
	id, err := Name(kind, data)
	if err != nil || p.has(id) {
		return id, err
	}
	crc, start, err := p.compress(kind, int64(len(data)), bytes.NewReader(data))
	if err != nil {
		return ID{}, err
	}
	p.keep(id, crc, start)
	return id, nil
}

// AddStream writes one object of exactly size bytes from r. Where r has more or
// fewer it returns ErrMoved and the pack is as before.
func (p *Pack) AddStream(kind Kind, size int64, r io.Reader) (ID, error) {
	h := newHasher(kind, size)
	crc, start, err := p.compress(kind, size, io.TeeReader(io.LimitReader(r, size), h))
	if err == nil {
		var one [1]byte
		if n, _ := io.ReadFull(r, one[:]); n != 0 {
			err = ErrMoved
		}
	}
	var id ID
	if err == nil {
		id, err = h.sum()
	}
	if err != nil || p.has(id) {
		return id, errors.Join(err, p.rewind(start))
	}
	p.keep(id, crc, start)
	return id, nil
}

func (p *Pack) keep(id ID, crc uint32, start int64) {
	p.have[id] = struct{}{}
	p.items = append(p.items, item{id: id, crc: crc, off: start})
}

// start opens the file and writes a header whose count Finish fills in.
func (p *Pack) start() error {
	if p.file != nil {
		return nil
	}
	f, err := os.CreateTemp(p.dir, "tmp_pack_*")
	if err != nil {
		return err
	}
	p.file, p.buf, p.off = f, bufio.NewWriterSize(f, 64<<10), 12
	if !p.plain {
		if p.z, err = zlib.NewWriterLevel(io.Discard, zlib.BestSpeed); err != nil {
			return err
		}
	}
	_, err = p.buf.Write(make([]byte, 12))
	return err
}

// counter counts and sums what goes through it.
type counter struct {
	w   io.Writer
	n   int64
	crc uint32
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.crc = crc32.Update(c.crc, crc32.IEEETable, b[:n])
	return n, err
}

// compress writes one entry; it returns where it starts and its checksum.
func (p *Pack) compress(kind Kind, size int64, r io.Reader) (crc uint32, start int64, err error) {
	if err := p.start(); err != nil {
		return 0, 0, err
	}
	start = p.off
	c := &counter{w: p.buf}
	defer func() { p.off += c.n }()
	if _, err := c.Write(entryHeader(kind, size)); err != nil {
		return 0, start, err
	}
	n, err := p.encode(c, r, size)
	if err == nil && n != size {
		err = ErrMoved
	}
	return c.crc, start, err
}

// encode writes r as a zlib stream.
func (p *Pack) encode(w io.Writer, r io.Reader, size int64) (int64, error) {
	if p.plain {
		return store(w, r, size)
	}
	p.z.Reset(w)
	n, err := io.Copy(p.z, r)
	if err != nil {
		return n, err
	}
	return n, p.z.Close()
}

// entryHeader is the type and size in git's variable-length form.
func entryHeader(kind Kind, size int64) []byte {
	b := byte(kind)<<4 | byte(size&0x0f)
	size >>= 4
	var out []byte
	for size > 0 {
		out = append(out, b|0x80)
		b = byte(size & 0x7f)
		size >>= 7
	}
	return append(out, b)
}

// rewind forgets everything after off.
func (p *Pack) rewind(off int64) error {
	if p.file == nil {
		return nil
	}
	if err := p.buf.Flush(); err != nil {
		return err
	}
	if err := p.file.Truncate(off); err != nil {
		return err
	}
	_, err := p.file.Seek(off, io.SeekStart)
	p.off = off
	return err
}

// Abort removes what was written. It is harmless after Finish.
func (p *Pack) Abort() {
	if p.file != nil {
		_ = p.file.Close()
		_ = os.Remove(p.file.Name())
		p.file = nil
	}
}

// Finish completes the pack, makes it and its index durable and returns its
// name, "pack-<id>"; empty where no object was written. When it returns, git
// finds the objects.
func (p *Pack) Finish() (string, error) {
	defer p.Abort()
	if len(p.items) == 0 {
		return "", nil
	}
	if len(p.items) > math.MaxUint32 {
		return "", errors.New("too many objects for one pack")
	}
	sum, err := p.seal()
	if err != nil {
		return "", fmt.Errorf("write pack: %w", err)
	}
	name := "pack-" + hex.EncodeToString(sum[:])
	idx, err := os.CreateTemp(p.dir, "tmp_idx_*")
	if err != nil {
		return "", err
	}
	defer os.Remove(idx.Name()) //nolint:errcheck // gone after the rename
	_, err = idx.Write(encodeIndex(p.items, sum))
	if err := errors.Join(err, syncBoth(p.file, idx)); err != nil {
		return "", fmt.Errorf("write pack: %w", err)
	}
	base := filepath.Join(p.dir, name)
	tmp := p.file.Name()
	p.file = nil
	if err := os.Rename(tmp, base+".pack"); err != nil {
		return "", err
	}
	if err := os.Rename(idx.Name(), base+".idx"); err != nil {
		return "", err
	}
	return name, syncDir(p.dir)
}

// seal writes the count and the trailer.
func (p *Pack) seal() (sum [Size]byte, err error) {
	if err := p.buf.Flush(); err != nil {
		return sum, err
	}
	head := append([]byte("PACK"), 0, 0, 0, 2, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(head[8:], uint32(len(p.items)))
	if _, err := p.file.WriteAt(head, 0); err != nil {
		return sum, err
	}
	h := sha1.New() //nolint:gosec // the trailer of git's pack format
	if _, err := io.Copy(h, io.NewSectionReader(p.file, 0, p.off)); err != nil {
		return sum, err
	}
	copy(sum[:], h.Sum(nil))
	_, err = p.file.WriteAt(sum[:], p.off)
	return sum, err
}

// syncBoth makes two files durable at once, so that they share a journal
// commit, and closes them.
func syncBoth(a, b *os.File) error {
	done := make(chan error, 1)
	go func() { done <- finish(a) }()
	return errors.Join(finish(b), <-done)
}

func finish(f *os.File) error {
	return errors.Join(f.Chmod(0o444), f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
