package journal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// tagSize is the length of an authentication tag (Poly1305).
const tagSize = chacha20poly1305.Overhead

// tag links a record to the one before it. The first record of a journal has
// the zero tag before it.
type tag [tagSize]byte

// keyID tells a wrong key from damage. It reveals nothing about the key.
type keyID [8]byte

// keyring derives every key of a journal from the data key.
type keyring struct {
	data       []byte
	name       string
	id         keyID
	checkpoint []byte // MAC key
}

func newKeyring(data []byte, name string) (*keyring, error) {
	if len(data) != KeySize {
		return nil, fault.New(fault.Invalid, "a journal's key has "+strconv.Itoa(KeySize)+" bytes, not "+strconv.Itoa(len(data)), "")
	}
	if name == "" || len(name) > maxName {
		return nil, fault.New(fault.Invalid, "a journal's name has 1 to "+strconv.Itoa(maxName)+" bytes", "")
	}
	k := &keyring{data: append([]byte(nil), data...), name: name}
	id, err := k.derive(nil, "key id", len(k.id))
	if err != nil {
		return nil, err
	}
	k.id = keyID(id)
	k.checkpoint, err = k.derive(nil, "checkpoint", sha256.Size)
	return k, err
}

func (k *keyring) derive(salt []byte, purpose string, size int) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, k.data, salt, "vexa journal 1 "+purpose, size)
	return key, fault.Wrap(fault.Internal, "derive the journal's "+purpose, err)
}

// segment returns the keys of the segment with this salt: for its records and
// for the MAC of its header.
func (k *keyring) segment(salt []byte) (cipher.AEAD, []byte, error) {
	keys, err := k.derive(salt, "segment", chacha20poly1305.KeySize+sha256.Size)
	if err != nil {
		return nil, nil, err
	}
	aead, err := chacha20poly1305.New(keys[:chacha20poly1305.KeySize])
	return aead, keys[chacha20poly1305.KeySize:], err
}

// mac authenticates data together with the journal's name.
func (k *keyring) mac(key, data []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(data)
	m.Write([]byte(k.name))
	return m.Sum(nil)
}

// appendAAD appends what a record is bound to: its number, the tag before it
// and, last since it alone has no fixed length, the journal's name.
func (k *keyring) appendAAD(b []byte, seq uint64, prev tag) []byte {
	b = binary.BigEndian.AppendUint64(b, seq)
	b = append(b, prev[:]...)
	return append(b, k.name...)
}
