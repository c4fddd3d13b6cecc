package inbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/inboxv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// Entry is what lies in the inbox, as its storage shows it.
type Entry struct {
	ID     string
	Size   int64     // bytes, as stored, of the delivery and its pack
	Stored time.Time // by the storage's clock; zero where it has none
	Named  bool      // whether a delivery is there, and not a pack alone, which somebody is delivering or was killed over
}

// List returns what lies in the inbox, in the order of its ids, which is that in which
// it was delivered, by the clocks of who did.
func (x *Box) List(ctx context.Context) ([]Entry, error) {
	var out []Entry
	err := x.Store.List(ctx, deliveries, "", func(i blob.Info) error {
		id, named := deliveryOf(i.Name), true
		if id == "" {
			id, named = packOf(i.Name), false
		}
		if id == "" {
			return nil
		}
		if len(out) == 0 || out[len(out)-1].ID != id {
			out = append(out, Entry{ID: id})
		}
		e := &out[len(out)-1]
		e.Size += i.Size
		e.Named = e.Named || named
		if named || e.Stored.IsZero() {
			e.Stored = i.Time
		}
		return nil
	})
	return out, fault.Wrap(fault.KindOf(err), "look into the inbox of "+x.Store.URL(), err)
}

// Delivery is one that waits in the inbox: signed by the key, which may be anybody's.
type Delivery struct {
	inboxv1.Delivery
	By        signature.Key
	Line      []byte // what was signed, without its end
	Signature []byte // as ssh-keygen -Y sign prints it
}

// Read reads a delivery. The error is fault.Invalid or fault.Denied where it is not one
// that can be taken up, and blob.ErrNotExist where there is none of the id.
func (x *Box) Read(ctx context.Context, id string) (Delivery, error) {
	stored, err := x.read(ctx, deliveryName(id), maxDelivery)
	if err != nil {
		return Delivery{}, err
	}
	r, err := x.bucket.Decrypt(ctx, bytes.NewReader(stored))
	if err != nil {
		return Delivery{}, err
	}
	text, err := io.ReadAll(io.LimitReader(r, maxDelivery))
	if err != nil {
		return Delivery{}, err
	}
	var out Delivery
	if out.Line, out.By, err = signature.OpenLine(DeliveryNamespace, text); err != nil {
		return out, err
	}
	out.Signature = text[len(out.Line)+1:]
	if out.Delivery, err = contract.Decode[inboxv1.Delivery](contractDelivery, out.Line); err != nil {
		return out, err
	}
	switch {
	case out.Bucket != x.Bucket:
		return out, broken("it belongs to another bucket")
	case out.ID != id:
		return out, broken("it has another one's name")
	}
	return out, oneLine(out.Line)
}

// Unpack takes over the objects of a delivery into a repository. The error is
// fault.Invalid where the pack is not the one that was signed, or not sound.
func (x *Box) Unpack(ctx context.Context, r *bucket.Repo, d Delivery) error {
	if d.Pack == nil {
		return nil
	}
	stored, err := x.Store.Open(ctx, packName(d.ID))
	if errors.Is(err, blob.ErrNotExist) {
		return broken("its pack is missing")
	}
	if err != nil {
		return err
	}
	defer stored.Close()
	signed := &signedPack{want: d.Pack.SHA256, h: sha256.New()}
	signed.tee = io.TeeReader(io.LimitReader(stored, d.Pack.Size+1), signed.h) // one byte more says that it is another
	if signed.plain, err = x.bucket.Decrypt(ctx, signed.tee); err != nil {
		return err
	}
	err = r.Unpack(ctx, signed)
	if errors.Is(err, blob.ErrNotExist) {
		return broken("its pack is missing")
	}
	return err
}

// signedPack is the content of a pack, whose end comes only where it is the one that
// was signed.
type signedPack struct {
	tee, plain io.Reader
	h          hash.Hash
	want       string
}

func (s *signedPack) Read(p []byte) (int, error) {
	n, err := s.plain.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if _, err := io.Copy(io.Discard, s.tee); err != nil {
		return n, err
	}
	if hex.EncodeToString(s.h.Sum(nil)) != s.want {
		return n, broken("its pack is not the one that was signed")
	}
	return n, io.EOF
}

// Remove removes what lies in the inbox under an id.
func (x *Box) Remove(ctx context.Context, id string) error {
	if !idForm.MatchString(id) {
		return fault.Newf(fault.Invalid, "not the id of a delivery: %.40q", id)
	}
	// Without the delivery the pack is nothing, and not the other way about.
	err := x.Store.Remove(ctx, deliveryName(id))
	if err == nil {
		err = x.Store.Remove(ctx, packName(id))
	}
	return fault.Wrap(fault.KindOf(err), "remove what was delivered to "+x.Store.URL(), err)
}
