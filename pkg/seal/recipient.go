package seal

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/tag"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Recipient is a public key that something is encrypted to. It is immutable and
// safe for concurrent use; the zero value is nobody.
type Recipient struct {
	text        string
	to          age.Recipient
	postQuantum bool
	plugin      string // whose program encrypts to it; only that knows whether it is post-quantum
}

// ParseRecipient reads a recipient: age1…, age1pq1…, age1tag1… or age1tagpq1…
// (keys in hardware that need no plugin to be encrypted to), or an SSH public
// key ("ssh-ed25519 AAAA…" or "ssh-rsa AAAA…", a comment is dropped). One of a
// plugin is read by Plugins.ParseRecipient.
func ParseRecipient(s string) (Recipient, error) { return Plugins{}.ParseRecipient(s) }

// ParseRecipient reads a recipient as the function ParseRecipient does, and
// those of the plugins.
func (p Plugins) ParseRecipient(s string) (Recipient, error) {
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
	if r, err := tag.ParseRecipient(s); err == nil {
		return Recipient{text: r.String(), to: r, postQuantum: r.Hybrid()}, nil
	}
	return p.recipient(s)
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
// are post-quantum and such that are not cannot be mixed (fault.Invalid): the
// weakest would decide. A plugin's program is started and may refuse.
func Encrypt(w io.Writer, to ...Recipient) (io.WriteCloser, error) {
	keys := make([]age.Recipient, len(to))
	native := slices.IndexFunc(to, func(r Recipient) bool { return r.plugin == "" })
	for i, r := range to {
		if r.to == nil {
			return nil, fault.New(fault.Internal, "a recipient is nobody", "")
		}
		if r.plugin == "" && r.postQuantum != to[native].postQuantum {
			return nil, mixed(nil)
		}
		keys[i] = r.to
	}
	dst := &sink{w: w}
	wc, err := age.Encrypt(dst, keys...)
	var known *fault.Error
	switch {
	case err == nil:
		return wc, nil
	case errors.As(err, &known):
		return nil, known
	case dst.err == nil && len(to) > 1: // age compares what the plugins said of themselves
		return nil, mixed(err)
	default:
		return nil, fault.Wrap(fault.Internal, "seal", err)
	}
}

func mixed(err error) error {
	return &fault.Error{
		Kind: fault.Invalid, Msg: "post-quantum recipients cannot be mixed with others: the weakest would decide", Err: err,
		Hint: "use post-quantum recipients only (age1pq1…), or none of them",
	}
}

// sink remembers the error of the writer below age.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
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
