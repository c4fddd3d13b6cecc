// Package seal encrypts what rests on disk. It is the only package that knows
// age (age-encryption.org/v1): everything sealed here can be opened with the
// stock age command and the key file.
//
// An [Identity] is a key pair, X25519 or hybrid with ML-KEM-768. It lives in a key file, with or without
// a passphrase (keyfile.go); smaller secrets, such as the data key of the
// journals, are age files for that identity (secret.go).
//
// Errors are fault.Locked where a passphrase is needed first, fault.Denied
// where the key or the passphrase is another one, and fault.Invalid where the
// bytes are damaged or not sealed at all.
package seal

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"

	"filippo.io/age"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Identity is a private key and its recipient. It is immutable and safe for
// concurrent use.
//
// Only an explicit call of String yields the secret. Every implicit way out
// is redacted: all verbs of package fmt (Format), slog (LogValue), and the
// text encodings, JSON among them (MarshalText).
type Identity struct {
	key    age.Identity
	secret func() string // not the text: no verb may reach it
	public Recipient
}

// NewIdentity makes a random identity (X25519).
func NewIdentity() (*Identity, error) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "make an identity", err)
	}
	return x25519(key), nil
}

// NewHybridIdentity makes a random identity that a quantum computer does not
// open either (ML-KEM-768 with X25519).
func NewHybridIdentity() (*Identity, error) {
	key, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "make an identity", err)
	}
	return hybrid(key), nil
}

func x25519(key *age.X25519Identity) *Identity {
	return &Identity{key: key, secret: key.String, public: Recipient{text: key.Recipient().String(), to: key.Recipient()}}
}

func hybrid(key *age.HybridIdentity) *Identity {
	return &Identity{key: key, secret: key.String, public: Recipient{text: key.Recipient().String(), to: key.Recipient(), postQuantum: true}}
}

// ParseIdentity reads what String returned (AGE-SECRET-KEY-1… or
// AGE-SECRET-KEY-PQ-1…). The error never quotes the text.
func ParseIdentity(s string) (*Identity, error) {
	if key, err := age.ParseX25519Identity(s); err == nil {
		return x25519(key), nil
	}
	if key, err := age.ParseHybridIdentity(s); err == nil {
		return hybrid(key), nil
	}
	return nil, fault.New(fault.Invalid, "not an age identity", "it begins with AGE-SECRET-KEY-1")
}

// String returns the secret, in the Bech32 form that the age tools read.
func (id *Identity) String() string { return id.secret() }

// text is the identity as age-keygen writes it.
func (id *Identity) text() []byte {
	return []byte("# public key: " + id.Recipient() + "\n" + id.String() + "\n")
}

// Recipient returns the public half (age1…); it is no secret.
func (id *Identity) Recipient() string { return id.public.text }

// Public returns the public half as what one encrypts to.
func (id *Identity) Public() Recipient { return id.public }

// Format implements fmt.Formatter: no verb prints the secret.
func (id *Identity) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, id.redacted()) }

// LogValue implements slog.LogValuer: logs show the recipient.
func (id *Identity) LogValue() slog.Value { return slog.StringValue(id.redacted()) }

// MarshalText implements encoding.TextMarshaler: documents show the recipient.
func (id *Identity) MarshalText() ([]byte, error) { return []byte(id.redacted()), nil }

func (id *Identity) redacted() string {
	if id == nil || id.key == nil {
		return "identity(none)"
	}
	return "identity(" + id.Recipient() + ")"
}

// Seal returns a writer that encrypts to this identity what is written to it.
// Nothing is complete before Close, which does not close w.
func (id *Identity) Seal(w io.Writer) (io.WriteCloser, error) {
	return Encrypt(w, id.public)
}

// Open returns a reader of what was sealed to this identity. Each byte it
// yields is authentic; only io.EOF says that none is missing.
func (id *Identity) Open(r io.Reader) (io.Reader, error) { return open(r, id.key) }

// SealBytes seals data.
func (id *Identity) SealBytes(data []byte) ([]byte, error) { return EncryptBytes(data, id.public) }

// OpenBytes opens what SealBytes, or Seal, made.
func (id *Identity) OpenBytes(sealed []byte) ([]byte, error) {
	r, err := id.Open(bytes.NewReader(sealed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
