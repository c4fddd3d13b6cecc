package bucket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/keyringv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// A keyring holds the private key of each epoch, encrypted to every member's
// recipients. One is made for each change of the membership and never changed;
// the manifest that has the membership names it with its hash, so that an old
// one does not pass for the newest.

// unlock makes sure that the epochs' keys are at hand. b.mu is held.
func (b *Bucket) unlock(ctx context.Context) error {
	if len(b.epoch) > 0 {
		return nil
	}
	if name, stored, err := b.local.keyring(); err == nil {
		if b.take(ctx, name, stored) == nil {
			return nil
		}
	}
	return b.findKeyring(ctx)
}

// findKeyring looks for the newest keyring that opens. Whether it is the one
// that the newest manifest names is for checkKeyring to say: nothing of it is
// kept before.
func (b *Bucket) findKeyring(ctx context.Context) error {
	names, err := b.keyrings(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fault.New(fault.Invalid, "the bucket at "+b.store.URL()+" has no keyring below "+keyrings+": nothing of any generation can be read", restores)
	}
	var first error
	for _, name := range names {
		stored, err := b.readKeyring(ctx, name)
		if err == nil {
			err = b.take(ctx, name, stored)
		}
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// keyrings returns the names of the stored keyrings, the newest first.
func (b *Bucket) keyrings(ctx context.Context) ([]string, error) {
	var names []string
	err := b.store.List(ctx, keyrings, "", func(i blob.Info) error {
		names = append(names, i.Name)
		return nil
	})
	if err != nil {
		return nil, unreadable("list the keyrings of "+b.store.URL(), err)
	}
	slices.Reverse(names)
	return names, nil
}

// decodeWithAny opens a manifest with the keyrings, the newest first, and uses
// the one that does. found reports that one does, whatever is wrong besides. A
// keyring that somebody planted opens nothing that the members wrote.
func (b *Bucket) decodeWithAny(ctx context.Context, g int64, stored []byte) (s *signed, found bool, err error) {
	names, err := b.keyrings(ctx)
	if err != nil {
		return nil, false, err
	}
	kind, newest := fault.Invalid, "none, there is nothing below "+keyrings
	for i, name := range names {
		if i == 0 {
			newest = name
		}
		ring, err := b.readKeyring(ctx, name)
		var ids []*seal.Identity
		if err == nil {
			ids, err = b.openKeyring(ctx, name, ring)
		}
		switch {
		case err == nil:
		case fault.Is(err, fault.Denied):
			kind = fault.Denied
			continue
		case fault.Is(err, fault.Invalid):
			continue
		default:
			return nil, false, err
		}
		if s, err = decodeManifest(stored, ids); !errors.Is(err, errOtherKey) {
			b.epoch, b.ring, b.ringSum = ids, name, sum(ring)
			return s, true, err
		}
	}
	hint := repairs
	if kind == fault.Denied {
		return nil, false, &fault.Error{
			Kind: kind, Err: errOtherKey,
			Msg:  fmt.Sprintf("the manifest %s at %s is for others: no key here opens the newest keyring, %s; %s", manifestName(g), b.store.URL(), newest, b.upTo(ctx, g)),
			Hint: "this installation is no member any more: ask one who is; if they say that it is, the storage withholds the newest keyring: " + repairs,
		}
	}
	return nil, false, &fault.Error{
		Kind: kind, Hint: hint, Err: errOtherKey,
		Msg: fmt.Sprintf("the manifest %s at %s is damaged, or the keyring that opens it is missing (the newest is %s): %s", manifestName(g), b.store.URL(), newest, b.upTo(ctx, g)),
	}
}

// readKeyring reads the stored form of a keyring.
func (b *Bucket) readKeyring(ctx context.Context, name string) ([]byte, error) {
	stored, err := blob.ReadAll(ctx, b.store, name, maxKeyring)
	switch {
	case errors.Is(err, blob.ErrNotExist):
		return nil, b.missing(name, "the keyring", withoutKeyring)
	case fault.Is(err, fault.Invalid):
		return nil, b.damaged(name, "the keyring", withoutKeyring, err)
	case err != nil:
		return nil, unreadable("read the keyring "+name+" of "+b.store.URL(), err)
	}
	return stored, nil
}

// withoutKeyring says what the loss of a keyring leaves, and restores the
// commands that bring one back.
const (
	withoutKeyring = "with an older keyring older generations can be read, and nothing newer"
	restores       = "restore it from a backup: vexa workspace restore NAME --from BACKUP; or from another installation that has used the bucket: vexa workspace repair NAME"
)

// take opens a stored keyring and uses it.
func (b *Bucket) take(ctx context.Context, name string, stored []byte) error {
	ids, err := b.openKeyring(ctx, name, stored)
	if err != nil {
		return err
	}
	b.epoch, b.ring, b.ringSum = ids, name, sum(stored)
	return nil
}

// openKeyring opens a stored keyring and returns the keys in it, the newest
// first.
func (b *Bucket) openKeyring(ctx context.Context, name string, stored []byte) ([]*seal.Identity, error) {
	plain, err := b.opt.Keys.OpenKeyring(ctx, stored)
	switch {
	case fault.Is(err, fault.Denied):
		return nil, &fault.Error{
			Kind: fault.Denied, Msg: "no key of this installation opens the keyring " + name + " of " + b.store.URL() + ": nothing that needs it can be read", Err: err,
			Hint: "ask a member to add yours: vexa key show prints it; or take over the key that opens it: vexa init --key-file FILE; if it opened before, it is damaged: " + restores,
		}
	case fault.Is(err, fault.Invalid):
		return nil, b.damaged(name, "the keyring", withoutKeyring, err)
	case err != nil:
		return nil, err
	}
	k, err := contract.Decode[keyringv1.Keyring](contractKeyring, bytes.TrimSpace(plain))
	if err != nil {
		return nil, b.damaged(name, "the keyring", withoutKeyring, err)
	}
	if k.Bucket != b.id {
		return nil, fault.New(fault.Denied, "the keyring "+name+" at "+b.store.URL()+" belongs to another bucket: "+withoutKeyring, "somebody has mixed two buckets up: "+restores)
	}
	var ids []*seal.Identity
	for _, key := range k.Keys {
		id, err := seal.ParseIdentity(key.Secret)
		if err != nil {
			return nil, b.damaged(name, "the keyring", withoutKeyring, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// identities returns the keys that open objects.
func (b *Bucket) identities() []*seal.Identity {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.epoch)
}

// encodeKeyring returns the stored form of a keyring for the members: what they
// may read, no more.
func encodeKeyring(k keyringv1.Keyring, members []manifestv1.Member, parse func(string) (seal.Recipient, error)) ([]byte, error) {
	data, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	if err := contract.Validate(contractKeyring, data); err != nil {
		return nil, err
	}
	var to []seal.Recipient
	for _, m := range members {
		if m.Until != 0 {
			continue
		}
		for _, text := range m.Recipients {
			r, err := parse(text)
			if err != nil {
				return nil, fault.Wrap(fault.Invalid, "member "+m.Name, err)
			}
			to = append(to, r)
		}
	}
	if len(to) == 0 {
		return nil, fault.New(fault.Invalid, "nobody could read the bucket any more", "keep at least one member with a key")
	}
	return seal.EncryptBytes(append(data, '\n'), to...)
}

// checkKeyring makes sure that the keyring in use is the one that a membership
// names, byte for byte, and keeps a copy of it.
func (b *Bucket) checkKeyring(ctx context.Context, m *manifestv1.Membership) error {
	name, stored, err := b.local.keyring()
	if err == nil && name == m.Keyring.Name && sum(stored) == m.Keyring.SHA256 {
		if b.ring == name && b.ringSum == m.Keyring.SHA256 {
			return nil
		}
		if b.take(ctx, name, stored) == nil {
			return nil
		}
	}
	if stored, err = b.readKeyring(ctx, m.Keyring.Name); err != nil {
		return err
	}
	if sum(stored) != m.Keyring.SHA256 {
		return fault.New(fault.Denied, "the keyring "+m.Keyring.Name+" at "+b.store.URL()+" is not the one that the manifest names: it is damaged, or an old or foreign one was put in its place; "+withoutKeyring,
			"do not push; "+restores)
	}
	err = b.take(ctx, m.Keyring.Name, stored)
	if fault.Is(err, fault.Denied) {
		return nil // it is not for us any more: what we have opens what we may read, and what needs it says so
	}
	if err != nil {
		return err
	}
	return b.local.keepKeyring(m.Keyring.Name, stored)
}
