package streamjournal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/journal"
)

// Names inside the directory of topics.
const (
	dirBytes   = 16        // of the MAC that names a topic's directory
	nameFile   = "topic"   // holds the topic's name, sealed
	goneFile   = "removed" // marks a topic whose removal was begun
	newPrefix  = ".new-"
	gonePrefix = ".gone-"
)

// names maps topics to directories and back. A name rests sealed with
// XChaCha20-Poly1305 under a random nonce, bound to its directory.
type names struct {
	mac  []byte
	aead cipher.AEAD
}

func newNames(key []byte) (*names, error) {
	if len(key) != journal.KeySize {
		return nil, fault.New(fault.Invalid, "the key of the streams has the wrong length", "")
	}
	mac, err := hkdf.Key(sha256.New, key, nil, "vexa stream 1 directory", sha256.Size)
	if err != nil {
		return nil, err
	}
	seal, err := hkdf.Key(sha256.New, key, nil, "vexa stream 1 name", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(seal)
	return &names{mac: mac, aead: aead}, err
}

// dir returns the name of the topic's directory.
func (n *names) dir(topic string) string {
	m := hmac.New(sha256.New, n.mac)
	m.Write([]byte(topic))
	return hex.EncodeToString(m.Sum(nil)[:dirBytes])
}

func isTopicDir(name string) bool {
	b, err := hex.DecodeString(name)
	return err == nil && len(b) == dirBytes
}

func (n *names) seal(topic string) ([]byte, error) {
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return n.aead.Seal(nonce, nonce, []byte(topic), []byte(n.dir(topic))), nil
}

// open is the inverse of seal.
func (n *names) open(sealed []byte, dir string) (string, bool) {
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return "", false
	}
	nonce, rest := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	topic, err := n.aead.Open(nil, nonce, rest, []byte(dir))
	return string(topic), err == nil
}

// read returns the name of the topic kept in root/dir.
func (n *names) read(root, dir string) (string, error) {
	path := filepath.Join(root, dir, nameFile)
	sealed, err := os.ReadFile(path)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "read a topic's name", err)
	}
	topic, ok := n.open(sealed, dir)
	if !ok {
		return "", fault.New(fault.Internal, path+" does not verify", "restore it from a backup")
	}
	return topic, nil
}
