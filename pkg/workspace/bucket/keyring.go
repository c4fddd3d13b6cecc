package bucket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

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

// findKeyring looks for the newest keyring that opens.
func (b *Bucket) findKeyring(ctx context.Context) error {
	var names []string
	err := b.store.List(ctx, keyrings, "", func(i blob.Info) error {
		names = append(names, i.Name)
		return nil
	})
	if err != nil {
		return unreadable("list the keyrings of "+b.store.URL(), err)
	}
	if len(names) == 0 {
		return fault.New(fault.Invalid, "the bucket at "+b.store.URL()+" has no keyring: nothing in it can be read", b.hint("restore it from a backup: vexa workspace restore"))
	}
	var first error
	for _, name := range slices.Backward(names) {
		err := b.loadKeyring(ctx, name)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// loadKeyring reads and opens one keyring.
func (b *Bucket) loadKeyring(ctx context.Context, name string) error {
	stored, err := blob.ReadAll(ctx, b.store, name, maxKeyring)
	if errors.Is(err, blob.ErrNotExist) {
		return b.missing(name, "the keyring", "without it nothing newer than the keyring before can be read")
	}
	if err != nil {
		return unreadable("read the keyring "+name+" of "+b.store.URL(), err)
	}
	if err := b.take(ctx, name, stored); err != nil {
		return err
	}
	return b.local.keepKeyring(name, stored)
}

// take opens a stored keyring and uses it.
func (b *Bucket) take(ctx context.Context, name string, stored []byte) error {
	plain, err := b.opt.Keys.OpenKeyring(ctx, stored)
	switch {
	case fault.Is(err, fault.Denied):
		return &fault.Error{
			Kind: fault.Denied, Msg: "no key of this installation opens the keyring " + name + " of " + b.store.URL(), Err: err,
			Hint: "ask a member to add yours: vexa key show prints it; or take over the key that opens it: vexa init --key FILE",
		}
	case fault.Is(err, fault.Invalid):
		return b.damaged(name, "the keyring", "with an older keyring older generations can be read", err)
	case err != nil:
		return err
	}
	k, err := contract.Decode[keyringv1.Keyring]("bucket-keyring.v1", bytes.TrimSpace(plain))
	if err != nil {
		return b.damaged(name, "the keyring", "with an older keyring older generations can be read", err)
	}
	if k.Bucket != b.id {
		return fault.New(fault.Denied, "the keyring "+name+" at "+b.store.URL()+" belongs to another bucket", b.hint("somebody has mixed two buckets up: restore it from a backup"))
	}
	var ids []*seal.Identity
	for _, key := range k.Keys {
		id, err := seal.ParseIdentity(key.Secret)
		if err != nil {
			return b.damaged(name, "the keyring", "with an older keyring older generations can be read", err)
		}
		ids = append(ids, id)
	}
	b.epoch, b.ring = ids, name
	return nil
}

// identities returns the keys that open objects.
func (b *Bucket) identities() []*seal.Identity {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.epoch)
}

// encodeKeyring returns the stored form of a keyring for the members: what they
// may read, no more.
func encodeKeyring(k keyringv1.Keyring, members []manifestv1.Member) ([]byte, error) {
	data, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	if err := contract.Validate("bucket-keyring.v1", data); err != nil {
		return nil, err
	}
	var to []seal.Recipient
	for _, m := range members {
		if m.Until != 0 {
			continue
		}
		for _, text := range m.Recipients {
			r, err := seal.ParseRecipient(text)
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

// checkKeyring holds the keyring in use to what a membership says. Another one
// is loaded where the membership names it.
func (b *Bucket) checkKeyring(ctx context.Context, m *manifestv1.Membership) error {
	if b.ring != m.Keyring.Name {
		err := b.loadKeyring(ctx, m.Keyring.Name)
		if err != nil && !fault.Is(err, fault.Denied) {
			return err
		}
		if err != nil { // it is not for us any more; what we have opens what we may read
			return nil //nolint:nilerr // what needs the newer key says so
		}
	}
	name, stored, err := b.local.keyring()
	if err != nil || name != m.Keyring.Name {
		return err
	}
	if sum(stored) != m.Keyring.SHA256 {
		// What was kept here may be stale; the storage has the last word.
		if err := b.loadKeyring(ctx, m.Keyring.Name); err != nil {
			return err
		}
		if _, stored, err = b.local.keyring(); err != nil {
			return err
		}
	}
	if got := sum(stored); got != m.Keyring.SHA256 {
		return fault.New(fault.Denied, "the keyring "+name+" at "+b.store.URL()+" is not the one that the manifest names: an old or foreign one was put in its place",
			b.hint("do not push; restore the keyring from a backup: vexa workspace restore"))
	}
	return nil
}

// hint names the next command; where the caller knows the workspace's name it
// reads well with it.
func (b *Bucket) hint(text string) string { return strings.TrimSpace(text) }
