package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// counter hashes and counts what is written through it.
type counter struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func newCounter(w io.Writer) *counter { return &counter{w: w, hash: sha256.New()} }

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	_, _ = c.hash.Write(p[:n]) // a hash does not fail
	c.n += int64(n)
	return n, err
}

func (c *counter) digest() string { return "sha256:" + hex.EncodeToString(c.hash.Sum(nil)) }
