package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/internal/tap"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// storeObject encrypts what write writes and stores it under the hash of what
// is stored. It holds little in memory.
func (b *Bucket) storeObject(ctx context.Context, to seal.Recipient, write func(io.Writer) error) (manifestv1.Object, error) {
	stage, err := b.store.Stage(ctx)
	if err != nil {
		return manifestv1.Object{}, unreadable("store an object at "+b.store.URL(), err)
	}
	defer stage.Abort()
	out := &tap.Hash{W: stage, H: sha256.New()}
	w, err := seal.Encrypt(out, to)
	if err != nil {
		return manifestv1.Object{}, err
	}
	if err := write(w); err != nil {
		return manifestv1.Object{}, err
	}
	if err := w.Close(); err != nil {
		return manifestv1.Object{}, unreadable("store an object at "+b.store.URL(), err)
	}
	if err := b.opt.Failpoints.At(ctx, pointStaging); err != nil {
		return manifestv1.Object{}, err
	}
	o := manifestv1.Object{SHA256: hex.EncodeToString(out.H.Sum(nil)), Size: out.N}
	if err := stage.Commit(ctx, objectName(o.SHA256)); err != nil {
		return o, unreadable("store an object at "+b.store.URL(), err)
	}
	return o, nil
}

// openObject returns a reader of what an object holds, decrypted. Each byte is
// what some member wrote; only io.EOF says that all of it is there and has the
// hash.
func (b *Bucket) openObject(ctx context.Context, o manifestv1.Object, with []*seal.Identity, what, readable string) (io.ReadCloser, error) {
	name := objectName(o.SHA256)
	stored, err := b.store.Open(ctx, name)
	if errors.Is(err, blob.ErrNotExist) {
		return nil, errors.Join(b.missing(name, what, readable), errGone)
	}
	if err != nil {
		return nil, unreadable("read "+name+" of "+b.store.URL(), err)
	}
	r := &objectReader{b: b, object: o, what: what, readable: readable, stored: stored, h: sha256.New()}
	r.src = &failing{r: io.TeeReader(io.LimitReader(stored, o.Size+1), r.h)} // one byte more says that it is another
	if r.plain, err = seal.Decrypt(r.src, with...); err != nil {
		stored.Close()
		return nil, r.verdict(err)
	}
	return r, nil
}

// errGone marks an object that is missing, which a collection may have removed.
var errGone = errors.New("it is gone")

type objectReader struct {
	b        *Bucket
	object   manifestv1.Object
	what     string
	readable string
	stored   io.Closer
	src      *failing
	plain    io.Reader
	h        hash.Hash
}

func (r *objectReader) Read(p []byte) (int, error) {
	n, err := r.plain.Read(p)
	if err == io.EOF {
		if _, cerr := io.Copy(io.Discard, r.src); cerr != nil {
			return n, r.verdict(cerr)
		}
		if hex.EncodeToString(r.h.Sum(nil)) != r.object.SHA256 {
			return n, r.verdict(errChanged)
		}
		return n, io.EOF
	}
	if err != nil {
		return n, r.verdict(err)
	}
	return n, nil
}

// verdict tells damage from a storage that does not answer.
func (r *objectReader) verdict(err error) error {
	name := objectName(r.object.SHA256)
	if errors.Is(r.src.err, blob.ErrNotExist) {
		return errors.Join(r.b.missing(name, r.what, r.readable), errGone)
	}
	if r.src.err != nil {
		return unreadable("read "+name+" of "+r.b.store.URL(), r.src.err)
	}
	return r.b.damaged(name, r.what, r.readable, err)
}

func (r *objectReader) Close() error { return r.stored.Close() }
