package journal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// Layout of a checkpoint: two slots, far enough apart that no torn write spoils
// both, written in turn. A slot is magic, key id, generation, first record
// kept, last record flushed, its tag, and a MAC of all that.
const (
	checkpointMagic = "vexachk1"
	slotEvery       = 4096
	slotBody        = len(checkpointMagic) + 8 + 8 + 8 + 8 + tagSize
	slotSize        = slotBody + sha256.Size
)

// position is what a checkpoint says.
type position struct {
	generation uint64
	first      uint64 // oldest record kept
	seq        uint64 // newest record flushed
	tag        tag    // of that record
}

// checkpoint is the file. Its position only moves on.
type checkpoint struct {
	keys  *keyring
	path  string
	flush func(*os.File) error

	mu   sync.Mutex
	file *os.File
	pos  position
}

// openCheckpoint reads the checkpoint. The error is fs.ErrNotExist where there
// is none.
func openCheckpoint(path string, keys *keyring, flush func(*os.File) error) (*checkpoint, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, 2*slotEvery))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	pos, err := keys.newest(data)
	if err != nil {
		f.Close()
		if damage, ok := errors.AsType[*CorruptError](err); ok {
			damage.File = path
			return nil, corrupt(damage)
		}
		return nil, fault.Wrap(fault.Denied, path, err)
	}
	return &checkpoint{keys: keys, path: path, flush: flush, file: f, pos: pos}, nil
}

// createCheckpoint makes the checkpoint of an empty journal.
func createCheckpoint(path string, keys *keyring, flush func(*os.File) error) (*checkpoint, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	data := make([]byte, slotEvery+slotSize)
	copy(data, keys.slot(position{first: 1}))
	copy(data[slotEvery:], keys.slot(position{first: 1, generation: 1}))
	if err := atomicfile.Create(path, data, 0o600); err != nil {
		return nil, err
	}
	return openCheckpoint(path, keys, flush)
}

// newest returns the valid slot of the highest generation.
func (k *keyring) newest(data []byte) (position, error) {
	var best position
	found, foreign := false, 0
	for i := range 2 {
		slot := data[min(i*slotEvery, len(data)):]
		slot = slot[:min(slotSize, len(slot))]
		pos, ok := k.parseSlot(slot)
		if ok && (!found || pos.generation > best.generation) {
			best, found = pos, true
		}
		if !ok && k.foreign(slot) {
			foreign++
		}
	}
	switch {
	case found:
		return best, nil
	case foreign == 2:
		return position{}, errors.New("the journal was written with another key")
	default:
		return position{}, &CorruptError{Reason: "the checkpoint does not verify, or is another journal's"}
	}
}

func (k *keyring) slot(p position) []byte {
	b := append([]byte(nil), checkpointMagic...)
	b = append(b, k.id[:]...)
	b = binary.BigEndian.AppendUint64(b, p.generation)
	b = binary.BigEndian.AppendUint64(b, p.first)
	b = binary.BigEndian.AppendUint64(b, p.seq)
	b = append(b, p.tag[:]...)
	return append(b, k.mac(k.checkpoint, b)...)
}

func (k *keyring) parseSlot(b []byte) (position, bool) {
	if len(b) != slotSize || !hmac.Equal(k.mac(k.checkpoint, b[:slotBody]), b[slotBody:]) {
		return position{}, false
	}
	b = b[len(checkpointMagic)+len(k.id):]
	return position{
		generation: binary.BigEndian.Uint64(b),
		first:      binary.BigEndian.Uint64(b[8:]),
		seq:        binary.BigEndian.Uint64(b[16:]),
		tag:        tag(b[24 : 24+tagSize]),
	}, true
}

// foreign reports whether an invalid slot looks like one under another key.
func (k *keyring) foreign(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, []byte(checkpointMagic))
	return ok && len(b) == slotSize && keyID(rest[:len(k.id)]) != k.id
}

// flushed records that everything up to seq is on the disk.
func (c *checkpoint) flushed(seq uint64, t tag) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seq <= c.pos.seq {
		return nil
	}
	next := c.pos
	next.seq, next.tag = seq, t
	return c.write(next)
}

// trimmed records that everything before first is gone.
func (c *checkpoint) trimmed(first uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.pos
	next.first = first
	return c.write(next)
}

func (c *checkpoint) write(next position) error {
	if c.file == nil {
		return fs.ErrClosed
	}
	next.generation++
	if _, err := c.file.WriteAt(c.keys.slot(next), int64(next.generation%2)*slotEvery); err != nil {
		return err
	}
	if err := c.flush(c.file); err != nil {
		return err
	}
	c.pos = next
	return nil
}

// position returns what is on the disk.
func (c *checkpoint) position() position {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pos
}

func (c *checkpoint) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.file.Close()
	c.file = nil
}
