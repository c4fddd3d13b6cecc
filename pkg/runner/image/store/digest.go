// Package store keeps the inputs of images: files that are named by their
// digest, verified whenever they are put in or taken out, and fetched where they
// are missing.
package store

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"strings"
)

// Digest names bytes: sha256 or sha512, a colon and hexadecimal digits. The zero
// Digest names nothing.
type Digest struct{ algorithm, sum string }

// ParseDigest reads a digest as String writes it.
func ParseDigest(s string) (Digest, error) {
	algorithm, sum, _ := strings.Cut(s, ":")
	d := Digest{algorithm, sum}
	raw, err := hex.DecodeString(sum)
	if h := d.hash(); err != nil || h == nil || len(raw) != h.Size() || sum != strings.ToLower(sum) {
		return Digest{}, fmt.Errorf("%.160q is no digest: sha256: or sha512: and hexadecimal digits", s)
	}
	return d, nil
}

// ParseIntegrity reads subresource integrity as npm writes it: "sha512-" and
// base64. Of several, the sha512 is taken; older algorithms name nothing.
func ParseIntegrity(s string) (Digest, error) {
	for one := range strings.FieldsSeq(s) {
		sum, ok := strings.CutPrefix(one, "sha512-")
		if !ok {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(sum)
		if err == nil && len(raw) == sha512.Size {
			return Digest{"sha512", hex.EncodeToString(raw)}, nil
		}
	}
	return Digest{}, fmt.Errorf("%.160q is no sha512 integrity", s)
}

// Integrity writes a sha512 digest as npm does.
func (d Digest) Integrity() string {
	raw, err := hex.DecodeString(d.sum)
	if err != nil || d.algorithm != "sha512" {
		return ""
	}
	return "sha512-" + base64.StdEncoding.EncodeToString(raw)
}

// SHA256 is the digest of bytes.
func SHA256(data []byte) Digest {
	sum := sha256.Sum256(data)
	return Digest{"sha256", hex.EncodeToString(sum[:])}
}

// String writes the digest.
func (d Digest) String() string { return d.algorithm + ":" + d.sum }

// Hex is the digits alone.
func (d Digest) Hex() string { return d.sum }

// MarshalJSON writes the digest as a string.
func (d Digest) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Digest) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	got, err := ParseDigest(s)
	*d = got
	return err
}

// hash is a new hash of the digest's algorithm, nil where there is none.
func (d Digest) hash() hash.Hash {
	switch d.algorithm {
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	default:
		return nil
	}
}

// of is the digest of what was written to h.
func (d Digest) of(h hash.Hash) Digest { return Digest{d.algorithm, hex.EncodeToString(h.Sum(nil))} }
