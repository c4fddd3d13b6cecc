package bucket

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/keyringv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// SetMembership changes who reads, writes and administers the bucket: edit gets a
// copy of the newest membership, again where others were faster, changes its
// members, and says whether to begin a new epoch: then who is no member any more
// reads nothing that comes later. The keyring for them and the manifest that names
// it are made together; nothing happens where edit changes nothing and no epoch
// begins. Only an administrator may.
func (b *Bucket) SetMembership(ctx context.Context, edit func(m *manifestv1.Membership, newest *State) (rotate bool, err error)) (*State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st, err := b.change(ctx, func(st *State) (change, bool, error) {
		m, err := clone(st.Membership)
		if err != nil {
			return change{}, false, err
		}
		rotate, err := edit(&m, st)
		if err != nil {
			return change{}, false, err
		}
		if reflect.DeepEqual(m, st.Membership) && !rotate {
			return change{}, false, nil
		}
		who, err := b.self(ctx, st)
		if err != nil {
			return change{}, false, err
		}
		if !Allows(who, RightAdmin, Everything) {
			return change{}, false, fault.New(fault.Denied, "you may not change who the members of the bucket at "+b.store.URL()+" are", "ask an administrator")
		}
		if !slices.ContainsFunc(m.Members, isAdministrator) {
			return change{}, false, fault.New(fault.Conflict, "that would leave the bucket at "+b.store.URL()+" without an administrator: nobody could change its members any more", "make somebody else one first: vexa workspace member set NAME MEMBER --admin")
		}
		return b.renew(ctx, st, m, rotate)
	})
	if err != nil || st.Membership.Keyring.Name == b.ring {
		return st, err
	}
	err = b.takeNewest(ctx, st) // it is in use from here on
	if fault.Is(err, fault.Denied) {
		return st, nil // it is not for us any more, on our own wish
	}
	return st, err
}

// takeNewest uses the keyring that a membership names.
func (b *Bucket) takeNewest(ctx context.Context, st *State) error {
	name := st.Membership.Keyring.Name
	stored, err := b.readKeyring(ctx, name)
	if err != nil {
		return err
	}
	if sum(stored) != st.Membership.Keyring.SHA256 {
		return b.damaged(name, "the keyring", withoutKeyring, errChanged)
	}
	return b.take(ctx, name, stored)
}

func isAdministrator(m manifestv1.Member) bool {
	return m.Until == 0 && !m.Recovery && len(m.Signers) > 0 && Allows(m, RightAdmin, Everything)
}

// renew stores the keyring of a membership and returns the change that names it.
func (b *Bucket) renew(ctx context.Context, st *State, m manifestv1.Membership, rotate bool) (change, bool, error) {
	// The new keyring is made of the one in use, which has to be the newest: else
	// a key would be lost for good.
	if b.ring != st.Membership.Keyring.Name {
		if err := b.takeNewest(ctx, st); err != nil {
			return change{}, false, err
		}
	}
	ring := keyringv1.Keyring{Bucket: b.id, Epoch: st.Epoch()}
	for i, id := range b.epoch {
		ring.Keys = append(ring.Keys, keyringv1.Key{Epoch: st.Epoch() - i, Secret: id.String()})
	}
	c := change{membership: &m}
	if rotate {
		key, err := newEpochKey(b.epoch[0].Public().PostQuantum())
		if err != nil {
			return c, false, err
		}
		ring.Epoch++
		ring.Keys = slices.Insert(ring.Keys, 0, keyringv1.Key{Epoch: ring.Epoch, Secret: key.String()})
		m.Recipient, c.epoch = key.Recipient(), ring.Epoch
	}
	m.Version = st.Membership.Version + 1
	name, err := b.storeKeyring(ctx, ring, &m)
	if err != nil {
		return c, false, err
	}
	m.Keyring = name
	return c, true, nil
}

func clone(m manifestv1.Membership) (out manifestv1.Membership, err error) {
	data, err := json.Marshal(m)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(data, &out)
}

// PostQuantum reports whether the members' keys are post-quantum: then those of
// new ones have to be, too.
func (s *State) PostQuantum() bool {
	return len(s.Membership.Recipient) > len("age1pq1") && s.Membership.Recipient[:len("age1pq1")] == "age1pq1"
}
