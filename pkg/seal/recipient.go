package seal

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Recipient is a public key that something is encrypted to. It is immutable and
// safe for concurrent use; the zero value is nobody.
type Recipient struct {
	text        string
	to          age.Recipient
	postQuantum bool
}

// ParseRecipient reads a recipient: age1…, age1pq1…, or an SSH public key
// ("ssh-ed25519 AAAA…" or "ssh-rsa AAAA…", a comment is dropped).
func ParseRecipient(s string) (Recipient, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "ssh-") {
		return parseSSH(s)
	}
	if r, err := age.ParseX25519Recipient(s); err == nil {
		return Recipient{text: r.String(), to: r}, nil
	}
	if r, err := age.ParseHybridRecipient(s); err == nil {
		return Recipient{text: r.String(), to: r, postQuantum: true}, nil
	}
	return Recipient{}, notRecipient(s)
}

func parseSSH(s string) (Recipient, error) {
	fields := strings.Fields(s)
	if len(fields) < 2 {
		return Recipient{}, notRecipient(s)
	}
	text := fields[0] + " " + fields[1]
	r, err := agessh.ParseRecipient(text)
	if err != nil {
		return Recipient{}, notRecipient(s)
	}
	return Recipient{text: text, to: r}, nil
}

func notRecipient(s string) error {
	if strings.HasPrefix(strings.ToUpper(s), "AGE-SECRET-KEY-") {
		return fault.New(fault.Invalid, "that is a secret key, not a recipient", "give the public half, which begins with age1")
	}
	return fault.Newf(fault.Invalid, "not a recipient: %.80q", s).WithHint("give age1…, or an ssh-ed25519 or ssh-rsa public key")
}

// String returns the text that ParseRecipient reads.
func (r Recipient) String() string { return r.text }

// PostQuantum reports whether a quantum computer does not open what is
// encrypted to it.
func (r Recipient) PostQuantum() bool { return r.postQuantum }

// Encrypt returns a writer that encrypts to every recipient what is written to
// it. Nothing is complete before Close, which does not close w. Recipients that
// are post-quantum and such that are not cannot be mixed: the weakest would
// decide.
func Encrypt(w io.Writer, to ...Recipient) (io.WriteCloser, error) {
	keys := make([]age.Recipient, len(to))
	for i, r := range to {
		if r.to == nil {
			return nil, fault.New(fault.Internal, "a recipient is nobody", "")
		}
		if r.postQuantum != to[0].postQuantum {
			return nil, fault.New(fault.Invalid, "post-quantum recipients cannot be mixed with others: the weakest would decide",
				"use recipients that begin with age1pq1 only, or none of them")
		}
		keys[i] = r.to
	}
	wc, err := age.Encrypt(w, keys...)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "seal", err)
	}
	return wc, nil
}

// EncryptBytes encrypts data to every recipient.
func EncryptBytes(data []byte, to ...Recipient) ([]byte, error) {
	var buf bytes.Buffer
	w, err := Encrypt(&buf, to...)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fault.Wrap(fault.Internal, "seal", err)
	}
	return buf.Bytes(), nil
}

// Decrypt returns a reader of what was encrypted to one of the identities. Each
// byte it yields is authentic; only io.EOF says that none is missing.
func Decrypt(r io.Reader, with ...*Identity) (io.Reader, error) {
	keys := make([]age.Identity, len(with))
	for i, id := range with {
		keys[i] = id.key
	}
	return open(r, keys...)
}

// DecryptBytes opens what EncryptBytes made.
func DecryptBytes(sealed []byte, with ...*Identity) ([]byte, error) {
	r, err := Decrypt(bytes.NewReader(sealed), with...)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
