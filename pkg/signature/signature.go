// Package signature signs and verifies with SSH keys, in the format of
// `ssh-keygen -Y sign` (OpenSSH, PROTOCOL.sshsig), so that the stock command
// verifies what was signed here.
//
// Every signature is made for a namespace, and verifies in no other: what was
// signed as a manifest is no approval.
package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Signer signs with one key. It is safe for concurrent use.
type Signer interface {
	// Key returns the public key that verifies.
	Key() Key
	// Sign returns the armoured signature over data in the namespace.
	Sign(namespace string, data []byte) ([]byte, error)
}

// Key is a public key. The zero value verifies nothing.
type Key struct {
	text string // "ssh-ed25519 AAAA…"
	pub  ssh.PublicKey
}

// ParseKey reads a public key as authorized_keys has it; a comment is dropped.
// Only Ed25519 keys, in a file or on a security key, are taken.
func ParseKey(s string) (Key, error) {
	pub, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(s))
	if err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return Key{}, fault.Newf(fault.Invalid, "not an SSH public key: %.80q", s).WithHint("give one line of a .pub file, ssh-ed25519 AAAA…")
	}
	if t := pub.Type(); t != ssh.KeyAlgoED25519 && t != ssh.KeyAlgoSKED25519 {
		return Key{}, fault.New(fault.Invalid, "a signing key of type "+t, "use an ssh-ed25519 or sk-ssh-ed25519 key")
	}
	return newKey(pub), nil
}

func newKey(pub ssh.PublicKey) Key {
	return Key{text: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub))), pub: pub}
}

// String returns the key as ParseKey reads it.
func (k Key) String() string { return k.text }

// Fingerprint returns "SHA256:…", as ssh-keygen -l prints it.
func (k Key) Fingerprint() string {
	if k.pub == nil {
		return ""
	}
	return ssh.FingerprintSHA256(k.pub)
}

// Verify checks an armoured signature of this key over data in the namespace.
// The error is fault.Denied where it is none.
func (k Key) Verify(namespace string, data, armoured []byte) error {
	sig, err := sshsig.Unarmor(armoured)
	if err != nil {
		return fault.Wrap(fault.Denied, "not a signature", err)
	}
	if k.pub == nil || !bytes.Equal(sig.PublicKey.Marshal(), k.pub.Marshal()) {
		return fault.New(fault.Denied, "signed with another key: "+ssh.FingerprintSHA256(sig.PublicKey), "")
	}
	if err := sshsig.Verify(bytes.NewReader(data), sig, k.pub, sig.HashAlgorithm, namespace); err != nil {
		return fault.Wrap(fault.Denied, "the signature does not verify", err)
	}
	return nil
}

// KeyOf returns the public key that a signature names. It proves nothing.
func KeyOf(armoured []byte) (Key, error) {
	sig, err := sshsig.Unarmor(armoured)
	if err != nil {
		return Key{}, fault.Wrap(fault.Denied, "not a signature", err)
	}
	return newKey(sig.PublicKey), nil
}

// Derived is a signing key that belongs to a secret; it implements Signer.
type Derived struct {
	signer  ssh.Signer
	key     Key
	private func() ed25519.PrivateKey // not the bytes: no verb may reach them
}

var _ Signer = Derived{}

// Derive returns the signing key that belongs to a secret, always the same one.
// The two are not equal: the one cannot be had from the other's signatures.
func Derive(secret string) (Derived, error) {
	seed, err := hkdf.Key(sha256.New, []byte(secret), nil, "vexa signing key v1", ed25519.SeedSize)
	if err != nil {
		return Derived{}, fault.Wrap(fault.Internal, "derive the signing key", err)
	}
	private := ed25519.NewKeyFromSeed(seed)
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return Derived{}, fault.Wrap(fault.Internal, "derive the signing key", err)
	}
	return Derived{signer: signer, key: newKey(signer.PublicKey()), private: func() ed25519.PrivateKey { return private }}, nil
}

// Private returns the private key: what is encrypted to the public one opens with it.
func (d Derived) Private() ed25519.PrivateKey { return d.private() }

// Key implements Signer.
func (d Derived) Key() Key { return d.key }

// Sign implements Signer.
func (d Derived) Sign(namespace string, data []byte) ([]byte, error) {
	sig, err := sshsig.Sign(bytes.NewReader(data), d.signer, sshsig.HashSHA512, namespace)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "sign", err)
	}
	return sshsig.Armor(sig), nil
}
