package proposal

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// Digest is the SHA-256 of the files of a tree: of one record for each, in the
// order of their paths as bytes. It says what the files are even where two have
// the same SHA-1.
type Digest struct{ h hash.Hash }

// NewDigest returns that of no file.
func NewDigest() Digest { return Digest{sha256.New()} }

// Add adds a file: its mode as Git has it, the SHA-256 of its content, its path.
// Files are added in order.
func (d Digest) Add(mode string, content [sha256.Size]byte, path string) {
	d.h.Write([]byte(mode + " " + hex.EncodeToString(content[:]) + " " + path + "\x00"))
}

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d.h.Sum(nil)) }
