package bucket

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/ijson"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
)

// A stored manifest is, from the outside in, an age file, a gzip stream, and a
// text: the manifest as one line of JSON, and the SSH signature over that line
// with its end, as `ssh-keygen -Y sign` prints it. Whoever keeps the storage
// does not see who signed.

// Namespace is the namespace of manifests' signatures.
const Namespace = "vexa-bucket-manifest@v1"

// signed is a manifest whose signature verifies against the key that it names.
// Whether that key may sign is another question.
type signed struct {
	manifestv1.Manifest
	stored []byte // as it is stored
	sha256 string // of that
	signer signature.Key
}

// anchor returns what names this manifest.
func (s *signed) anchor() manifestv1.Anchor {
	return manifestv1.Anchor{Generation: s.Generation, SHA256: s.sha256}
}

// encodeManifest returns the stored form of a manifest.
func encodeManifest(ctx context.Context, m manifestv1.Manifest, keys Keys, to seal.Recipient) ([]byte, error) {
	line, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	signer, err := keys.Signer(ctx)
	if err != nil {
		return nil, err
	}
	text, err := signature.SignLine(signer, Namespace, line)
	if err != nil {
		return nil, err
	}
	return encrypt(text, to)
}

// errOtherKey: none of the keys opens it. Where the bytes are damaged in their
// header it looks the same.
var errOtherKey = errors.New("none of the keys opens it")

// decodeManifest opens a stored manifest and verifies its signature. One whose
// hash is among checked is not held to its contract again.
func decodeManifest(stored []byte, with []*seal.Identity, checked ...string) (*signed, error) {
	text, err := decrypt(stored, with, maxManifest)
	if fault.Is(err, fault.Denied) {
		return nil, fault.Wrap(fault.Invalid, "", errors.Join(err, errOtherKey))
	}
	if err != nil {
		return nil, err
	}
	hash := sum(stored)
	out, err := decodeSigned(text, !slices.Contains(checked, hash))
	if err != nil {
		return nil, err
	}
	out.stored, out.sha256 = stored, hash
	return out, nil
}

// decodeSigned reads a manifest's text and verifies its signature, and with check
// holds it to its contract.
func decodeSigned(text []byte, check bool) (*signed, error) {
	line, key, err := signature.OpenLine(Namespace, text)
	if err != nil {
		return nil, err
	}
	out := &signed{signer: key}
	if err := decodeStrict(line, &out.Manifest); err != nil {
		return nil, err
	}
	if check {
		return out, checkManifest(&out.Manifest)
	}
	return out, nil
}

// encrypt compresses data and encrypts it.
func encrypt(data []byte, to seal.Recipient) ([]byte, error) {
	var buf bytes.Buffer
	w, err := seal.Encrypt(&buf, to)
	if err != nil {
		return nil, err
	}
	z := gzip.NewWriter(w)
	_, err = z.Write(data)
	if err := errors.Join(err, z.Close(), w.Close()); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// decrypt is the reverse of encrypt, for up to limit bytes.
func decrypt(stored []byte, with []*seal.Identity, limit int64) ([]byte, error) {
	r, err := seal.Decrypt(bytes.NewReader(stored), with...)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, asInvalid("it is not compressed", err)
	}
	data, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err != nil {
		return nil, asInvalid("it is cut short, or damaged", err)
	}
	if int64(len(data)) > limit {
		return nil, fault.New(fault.Invalid, "it is too large", "")
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return nil, asInvalid("something follows its end", err)
	}
	return data, nil
}

// asInvalid classifies what was not classified below.
func asInvalid(msg string, err error) error {
	if kind := fault.KindOf(err); err != nil && kind != fault.Internal {
		return fault.Wrap(kind, msg, err)
	}
	return &fault.Error{Kind: fault.Invalid, Msg: msg, Err: err}
}

// decodeStrict reads one JSON value, refusing members it does not know and
// whatever follows.
func decodeStrict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fault.Wrap(fault.Invalid, "it breaks its contract", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "it breaks its contract: something follows its end", "")
	}
	return sameText(data, into)
}

// sameText refuses a text that says more than what was read of it: a member that
// stands twice, or is spelled in another case, which another reader would read
// differently.
func sameText(data []byte, read any) error {
	again, err := json.Marshal(read)
	if err != nil {
		return err
	}
	if bytes.Equal(again, data) {
		return nil
	}
	want, err := ijson.Canonical(again)
	if err != nil {
		return fault.Wrap(fault.Invalid, "it breaks its contract", err)
	}
	got, err := ijson.Canonical(data)
	if err != nil {
		return fault.Wrap(fault.Invalid, "it breaks its contract", err)
	}
	if !bytes.Equal(want, got) {
		return broken("it has a member twice, in another case, or empty where it is left out")
	}
	return nil
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}
