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
	"github.com/vexa-ai/vexa/pkg/internal/tap"
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

// Read reads a delivery. The error is a RefusedError where it is not one that can be taken
// up, and blob.ErrNotExist where there is none of the id.
func (x *Box) Read(ctx context.Context, id string) (Delivery, error) {
	stored, err := blob.ReadAll(ctx, x.Store, deliveryName(id), maxDelivery)
	if err != nil {
		if fault.Is(err, fault.Invalid) { // it is too large
			return Delivery{}, refused(err)
		}
		return Delivery{}, fault.Wrap(fault.KindOf(err), "read "+deliveryName(id)+" of "+x.Store.URL(), err)
	}
	if _, err := x.bucket.Head(ctx); err != nil {
		return Delivery{}, err
	}
	r, err := x.bucket.Decrypt(bytes.NewReader(stored))
	if err != nil {
		return Delivery{}, refused(err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxDelivery))
	if err != nil {
		return Delivery{}, refused(err)
	}
	out, err := x.decodeDelivery(id, text)
	return out, refused(err)
}

func (x *Box) decodeDelivery(id string, text []byte) (out Delivery, err error) {
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

// ErrNoPack says that the pack of a delivery is not there, or not yet.
var ErrNoPack = errors.New("its pack is missing")

// The time that a pack may take to be unpacked: what takes longer was made to.
const (
	unpackBase  = 10 * time.Second
	unpackBytes = 1 << 20 // for each of so many bytes, as stored, a second more
)

// errSlow ends the unpacking of a pack.
var errSlow = errors.New("its pack takes too long to unpack for its size")

// Unpack takes over the objects of a delivery into a repository; all of its deltas have
// their bases in the pack itself. The error is a RefusedError where the pack is not the one
// that was signed, or not sound, and ErrNoPack where there is none.
func (x *Box) Unpack(ctx context.Context, r *bucket.Repo, d Delivery) (ids map[string]bool, err error) {
	if d.Pack == nil {
		return nil, nil
	}
	stored, err := x.Store.Open(ctx, packName(d.ID))
	if errors.Is(err, blob.ErrNotExist) {
		return nil, ErrNoPack
	}
	if err != nil {
		return nil, err
	}
	defer stored.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, unpackBase+time.Duration(d.Pack.Size/unpackBytes)*time.Second, errSlow)
	defer cancel()
	src := &tap.Source{R: io.LimitReader(stored, d.Pack.Size+1)} // one byte more says that it is another
	signed := &signedPack{want: d.Pack.SHA256, h: sha256.New()}
	signed.tee = io.TeeReader(src, signed.h)
	if signed.plain, err = x.bucket.Decrypt(signed.tee); err == nil {
		ids, err = r.Unpack(ctx, signed)
	}
	switch {
	case errors.Is(src.Err, blob.ErrNotExist):
		return nil, ErrNoPack
	case src.Err != nil:
		return nil, fault.Wrap(fault.KindOf(src.Err), "read "+packName(d.ID)+" of "+x.Store.URL(), src.Err)
	case errors.Is(context.Cause(ctx), errSlow):
		return nil, refused(errSlow)
	case fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied):
		return nil, refused(err)
	case err == nil && int64(len(ids)) != d.Pack.Objects:
		return nil, refused(broken("its pack has another number of objects than was signed"))
	}
	return ids, err
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
	// Without the delivery the pack is nothing; the other way about it would be one that
	// waits for ever.
	err := x.Store.Remove(ctx, deliveryName(id))
	if err == nil {
		err = x.Store.Remove(ctx, packName(id))
	}
	return fault.Wrap(fault.KindOf(err), "remove what was delivered to "+x.Store.URL(), err)
}

// RemoveAbandoned removes a pack that no delivery names.
func (x *Box) RemoveAbandoned(ctx context.Context, id string) error {
	if _, err := x.Store.Stat(ctx, deliveryName(id)); !errors.Is(err, blob.ErrNotExist) {
		return err // it is named now
	}
	return fault.Wrap(fault.Internal, "remove what was delivered in part to "+x.Store.URL(), x.Store.Remove(ctx, packName(id)))
}
