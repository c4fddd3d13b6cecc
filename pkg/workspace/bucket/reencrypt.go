package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// Reencrypt encrypts every pack again that the key of the newest epoch does not
// open, so that who was shut out since reads none of them in the bucket any more
// once they are collected; copies that were made before are out of reach. It
// streams: no pack is unpacked. Each pack is a generation of its own, so that it
// goes on where it was stopped. It returns how many packs it encrypted.
func (b *Bucket) Reencrypt(ctx context.Context) (int, error) {
	for done := 0; ; done++ {
		st, err := b.Head(ctx)
		if err != nil {
			return done, err
		}
		old, err := b.oldestEpoch(ctx, st)
		if err != nil || old == nil {
			return done, err
		}
		if err := b.reencryptPack(ctx, st, *old); err != nil {
			return done, err
		}
	}
}

// oldestEpoch returns a pack that the newest key does not open, or nil.
func (b *Bucket) oldestEpoch(ctx context.Context, st *State) (*manifestv1.Pack, error) {
	newest := b.identities()[:1]
	for i, p := range st.Packs {
		for _, o := range objectsOf(p) {
			stored, err := b.store.Open(ctx, objectName(o.SHA256))
			if err != nil {
				return nil, unreadable("read "+objectName(o.SHA256)+" of "+b.store.URL(), err)
			}
			_, err = seal.Decrypt(stored, newest...)
			stored.Close()
			switch {
			case fault.Is(err, fault.Denied):
				return &st.Packs[i], nil
			case err != nil:
				return nil, b.damaged(objectName(o.SHA256), fmt.Sprintf("the pack of generation %d", p.Generation), readableWithout(p), err)
			}
		}
	}
	return nil, nil //nolint:nilnil // all of them are of the newest epoch
}

func objectsOf(p manifestv1.Pack) []manifestv1.Object {
	out := []manifestv1.Object{{SHA256: p.SHA256, Size: p.Size}}
	if p.Index != nil {
		out = append(out, *p.Index)
	}
	return out
}

// errGonePack: the pack is not in the bucket's newest generation any more.
var errGonePack = errors.New("the pack was joined with others")

// reencryptPack stores a pack again and names it in place of the old one.
func (b *Bucket) reencryptPack(ctx context.Context, st *State, p manifestv1.Pack) error {
	to, err := seal.ParseRecipient(st.Membership.Recipient)
	if err != nil {
		return err
	}
	next := p
	o, err := b.recode(ctx, to, manifestv1.Object{SHA256: p.SHA256, Size: p.Size}, p)
	if err != nil {
		return err
	}
	next.SHA256, next.Size = o.SHA256, o.Size
	if p.Index != nil {
		if o, err = b.recode(ctx, to, *p.Index, p); err != nil {
			return err
		}
		next.Index = &o
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err = b.change(ctx, func(now *State) (change, bool, error) {
		if now.Epoch() != st.Epoch() {
			return change{}, false, errGonePack // begin again, with the key of the newest epoch
		}
		for _, have := range now.Packs {
			if have.SHA256 == p.SHA256 {
				return change{add: []manifestv1.Pack{next}, drop: []string{p.SHA256}}, true, nil
			}
		}
		return change{}, false, errGonePack
	})
	if errors.Is(err, errGonePack) {
		return nil
	}
	return err
}

// recode stores what an object holds, encrypted to another key.
func (b *Bucket) recode(ctx context.Context, to seal.Recipient, o manifestv1.Object, p manifestv1.Pack) (manifestv1.Object, error) {
	in, err := b.openObject(ctx, o, b.identities(), fmt.Sprintf("the pack of generation %d", p.Generation), readableWithout(p))
	if err != nil {
		return manifestv1.Object{}, err
	}
	defer in.Close()
	return b.storeObject(ctx, to, func(w io.Writer) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{in}, make([]byte, 1<<20))
		return err
	})
}
