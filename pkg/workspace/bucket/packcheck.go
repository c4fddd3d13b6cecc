package bucket

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the hash of Git's packs
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
)

// packCheck is a writer that a pack goes through: it says whether the pack is
// whole and has the content that its own trailer names (gitformat-pack(5)). It
// holds nothing of it.
type packCheck struct {
	h    hash.Hash
	head []byte // the first packHeadBytes
	tail []byte // the last bytes so far, as many as the hash has
	n    int64  // bytes
}

// newHash returns the hash of an object format.
func newHash(format string) hash.Hash {
	if format == formatSHA256 {
		return sha256.New()
	}
	return sha1.New() //nolint:gosec // the hash of Git's packs
}

func newPackCheck(format string) *packCheck { return &packCheck{h: newHash(format)} }

// Write implements io.Writer. It never fails.
func (c *packCheck) Write(p []byte) (int, error) {
	if n := packHeadBytes - len(c.head); n > 0 {
		c.head = append(c.head, p[:min(n, len(p))]...)
	}
	c.n += int64(len(p))
	size := c.h.Size()
	if len(p) >= size {
		_, _ = c.h.Write(c.tail) // never fails
		_, _ = c.h.Write(p[:len(p)-size])
		c.tail = append(c.tail[:0], p[len(p)-size:]...)
		return len(p), nil
	}
	c.tail = append(c.tail, p...)
	if over := len(c.tail) - size; over > 0 {
		_, _ = c.h.Write(c.tail[:over])
		c.tail = append(c.tail[:0], c.tail[over:]...)
	}
	return len(p), nil
}

// id returns the pack's trailer, which names it, once all of the pack went
// through, or what is wrong with it. objects is how many it must have.
func (c *packCheck) id(objects int64) (string, error) {
	if len(c.head) < packHeadBytes || len(c.tail) < c.h.Size() || c.n < int64(packHeadBytes+c.h.Size()) {
		return "", errors.New("it is too short for a pack")
	}
	version := binary.BigEndian.Uint32(c.head[4:])
	if !bytes.HasPrefix(c.head, []byte("PACK")) || version != 2 && version != 3 {
		return "", errors.New("it is not a pack")
	}
	if n := int64(binary.BigEndian.Uint32(c.head[8:])); n != objects {
		return "", fmt.Errorf("it has %d objects and is to have %d", n, objects)
	}
	if !bytes.Equal(c.h.Sum(nil), c.tail) {
		return "", errors.New("its content is not what its own checksum says")
	}
	return hex.EncodeToString(c.tail), nil
}
