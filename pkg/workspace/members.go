package workspace

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/invitationv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// Members are those of a workspace at one generation.
type Members struct {
	Generation  int64
	Version     int // of the membership
	Epoch       int
	PostQuantum bool
	Self        string // id of the member that this installation is; empty: none
	All         []manifestv1.Member
}

// Members returns who reads, writes and administers a workspace, and who did.
func (s *Store) Members(ctx context.Context, nameOrID string) (Members, error) {
	_, r, err := s.bucketIn(ctx, nameOrID)
	if err != nil {
		return Members{}, err
	}
	st, err := r.head(ctx)
	if err != nil {
		return Members{}, err
	}
	return s.membersOf(st)
}

func (s *Store) membersOf(st *bucket.State) (Members, error) {
	out := Members{
		Generation: st.Generation, Version: st.Membership.Version, Epoch: st.Epoch(), PostQuantum: st.PostQuantum(), All: st.Membership.Members,
	}
	own, err := s.opt.Buckets.Members(st.PostQuantum())
	if err != nil {
		return out, err
	}
	for _, m := range out.All {
		if m.Until == 0 && len(own) > 0 && len(own[0].Signers) > 0 && slices.Contains(m.Signers, own[0].Signers[0]) {
			out.Self = m.ID
		}
	}
	return out, nil
}

// bucketIn finds a workspace and its bucket; its repository may not be open.
func (s *Store) bucketIn(ctx context.Context, nameOrID string) (record, *repo, error) {
	rec, err := s.find(ctx, nameOrID)
	if err != nil {
		return record{}, nil, err
	}
	r, err := s.handle(ctx, rec)
	return rec, r, err
}

// NewMember is somebody who is to become a member.
type NewMember struct {
	invitationv1.Introduction
	Rights    []manifestv1.Right // what they may do besides reading
	WriteOnly bool               // they do not read: what they write is delivered, see package inbox
}

// AddMember lets somebody in: from now on they read the workspace, its past
// included, and write what their rights say. It is fault.Conflict where somebody
// of that name or key is a member, and fault.Invalid where none of their keys is
// of the kind that the workspace is encrypted to.
func (s *Store) AddMember(ctx context.Context, nameOrID string, who NewMember) (manifestv1.Member, Members, error) {
	rec, r, err := s.bucketIn(ctx, nameOrID)
	if err != nil {
		return manifestv1.Member{}, Members{}, err
	}
	var added manifestv1.Member
	st, err := r.setMembership(ctx, func(m *manifestv1.Membership, now *bucket.State) (bool, error) {
		var err error
		if added, err = admit(m, now, rec.Name, who); err != nil {
			return false, err
		}
		m.Members = append(m.Members, added)
		return false, nil
	})
	if err != nil {
		return added, Members{}, err
	}
	s.describe(ctx, rec, r, st)
	all, err := s.membersOf(st)
	return added, all, err
}

// admit makes a member of who introduced themselves.
func admit(m *manifestv1.Membership, now *bucket.State, workspace string, who NewMember) (manifestv1.Member, error) {
	if err := checkName(who.Name); err != nil {
		return manifestv1.Member{}, err
	}
	out := manifestv1.Member{Name: who.Name, Signers: []string{}, Rights: slices.Clone(who.Rights)}
	if out.Rights == nil {
		out.Rights = []manifestv1.Right{}
	}
	if who.Signer != "" {
		key, err := signature.ParseKey(who.Signer)
		if err != nil {
			return out, fault.Wrap(fault.Invalid, "read the signing key of "+who.Name, err)
		}
		out.Signers = []string{key.String()}
	} else if len(out.Rights) > 0 {
		return out, fault.New(fault.Invalid, who.Name+" has no signing key, and whoever writes needs one", "have them introduce themselves with it: vexa key introduce; or add them with --read-only")
	}
	for _, x := range m.Members {
		switch {
		case x.Until != 0:
		case x.Name == who.Name:
			return out, fault.New(fault.Conflict, workspace+" has a member called "+who.Name+" already", "choose another name for them, or see: vexa workspace member list "+workspace)
		case len(out.Signers) > 0 && slices.Contains(x.Signers, out.Signers[0]):
			return out, fault.New(fault.Conflict, "that signing key is "+x.Name+"'s already", "vexa workspace member list "+workspace)
		}
	}
	if err := checkRights(out.Rights); err != nil {
		return out, err
	}
	var err error
	if who.WriteOnly {
		out.Recipients, err = []string{}, mayBeBlind(out)
	} else {
		out.Recipients, err = fitting(who, workspace, now.PostQuantum())
	}
	if err != nil {
		return out, err
	}
	out.ID = memberID(m.Members, who.Name)
	return out, nil
}

// fitting returns those of a member's keys that a workspace can be encrypted to:
// age takes no mixture of post-quantum and other ones, since that would be as
// weak as the weakest.
func fitting(who NewMember, workspace string, postQuantum bool) ([]string, error) {
	out := []string{}
	for _, text := range who.Recipients {
		r, err := seal.ParseRecipient(text) // the programs of plugins are asked when it is encrypted to
		if (err == nil && r.PostQuantum()) == postQuantum {
			out = append(out, text)
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case postQuantum:
		return nil, fault.New(fault.Invalid, workspace+" is encrypted so that a quantum computer does not open it, and "+who.Name+" has no post-quantum key: one member without would open it for everybody",
			"have them make one and introduce themselves again: vexa key introduce --post-quantum")
	default:
		return nil, fault.New(fault.Invalid, workspace+" is not a post-quantum workspace, and "+who.Name+" has post-quantum keys alone: age does not mix the two",
			"have them introduce themselves with an ordinary key, too; or make a workspace with --post-quantum and move what is in this one")
	}
}

// SetRights gives a member other rights in place of those they have.
func (s *Store) SetRights(ctx context.Context, nameOrID, who string, rights []manifestv1.Right) (manifestv1.Member, Members, error) {
	rec, r, err := s.bucketIn(ctx, nameOrID)
	if err != nil {
		return manifestv1.Member{}, Members{}, err
	}
	if err := checkRights(rights); err != nil {
		return manifestv1.Member{}, Members{}, err
	}
	var set manifestv1.Member
	st, err := r.setMembership(ctx, func(m *manifestv1.Membership, now *bucket.State) (bool, error) {
		i, err := findMember(m.Members, rec.Name, who)
		if err != nil {
			return false, err
		}
		if len(m.Members[i].Signers) == 0 && len(rights) > 0 {
			return false, fault.New(fault.Invalid, m.Members[i].Name+" has no signing key, and whoever writes needs one", "vexa workspace member set NAME MEMBER --introduction FILE, with what vexa key introduce prints for them")
		}
		if m.Members[i].Recovery {
			return false, notByHand(m.Members[i].Name)
		}
		for _, k := range append(recoveriesOf(m.Members, i), i) {
			m.Members[k].Rights = append([]manifestv1.Right{}, rights...)
		}
		set = m.Members[i]
		if bucket.WriteOnly(set) {
			if err := mayBeBlind(set); err != nil {
				return false, err
			}
		}
		if short := shortOf(*m); short != "" && shortOf(now.Membership) == "" {
			return false, fault.New(fault.Conflict, short+": nothing could be merged any more", "ask for fewer first: vexa workspace policy set "+rec.Name+" BRANCH --approvals NUMBER")
		}
		return false, nil
	})
	if err != nil {
		return set, Members{}, err
	}
	all, err := s.membersOf(st)
	return set, all, err
}

// AddKeys lets a member use the keys of an introduction, too: those of another
// machine, or ones that were added since. It is fault.Conflict where the signing
// key is another member's.
func (s *Store) AddKeys(ctx context.Context, nameOrID, who string, keys invitationv1.Introduction) (manifestv1.Member, Members, error) {
	rec, r, err := s.bucketIn(ctx, nameOrID)
	if err != nil {
		return manifestv1.Member{}, Members{}, err
	}
	var set manifestv1.Member
	st, err := r.setMembership(ctx, func(m *manifestv1.Membership, now *bucket.State) (bool, error) {
		i, err := findMember(m.Members, rec.Name, who)
		if err != nil {
			return false, err
		}
		if m.Members[i].Recovery {
			return false, notByHand(m.Members[i].Name)
		}
		if err := addKeys(m.Members, i, rec.Name, keys, now.PostQuantum()); err != nil {
			return false, err
		}
		set = m.Members[i]
		return false, nil
	})
	if err != nil {
		return set, Members{}, err
	}
	all, err := s.membersOf(st)
	return set, all, err
}

func addKeys(all []manifestv1.Member, to int, workspace string, keys invitationv1.Introduction, postQuantum bool) error {
	who := &all[to]
	var fit []string // who does not read goes on so
	if !bucket.WriteOnly(*who) {
		var err error
		if fit, err = fitting(NewMember{Introduction: keys}, workspace, postQuantum); err != nil {
			return err
		}
	}
	for _, r := range fit {
		if !slices.Contains(who.Recipients, r) {
			who.Recipients = append(slices.Clone(who.Recipients), r)
		}
	}
	if keys.Signer == "" {
		return nil
	}
	key, err := signature.ParseKey(keys.Signer)
	if err != nil {
		return fault.Wrap(fault.Invalid, "read the signing key of "+who.Name, err)
	}
	for i, x := range all {
		if x.Until == 0 && slices.Contains(x.Signers, key.String()) {
			if i == to {
				return nil
			}
			return fault.New(fault.Conflict, "that signing key is "+x.Name+"'s", "vexa workspace member list "+workspace)
		}
	}
	who.Signers = append(slices.Clone(who.Signers), key.String())
	if bucket.WriteOnly(*who) {
		return mayBeBlind(*who)
	}
	return nil
}

func checkRights(list []manifestv1.Right) error {
	for _, r := range list {
		if err := checkRight(r); err != nil {
			return err
		}
	}
	return nil
}

func checkRight(r manifestv1.Right) error {
	base := strings.TrimSuffix(r.Refs, "/*")
	if base != "refs" {
		if err := bucket.CheckRef(base); err != nil {
			return fault.Wrap(fault.Invalid, "not the refs of a right", err)
		}
	}
	for _, what := range r.Allow {
		switch what {
		case bucket.RightWrite, bucket.RightApprove:
		case bucket.RightAdmin:
			if r.Refs != bucket.Everything {
				return fault.New(fault.Invalid, "who administers a workspace administers all of it", "")
			}
		default:
			return fault.New(fault.Invalid, "not a right: "+strconv.Quote(what), "write, approve or admin")
		}
	}
	return nil
}

// Removed says what the removal of a member means.
type Removed struct {
	Member     manifestv1.Member
	Until      int64 // the last generation that they can read with the keys they have
	Generation int64 // the one that shut them out
	Epoch      int   // that began with it, where they read anything
	URL        string
	Short      string // which branch needs more approvals now than there are members who may approve; empty: none
}

// RemoveMember shuts somebody out, by id, name or the fingerprint of their signing
// key: a new epoch begins, whose key they do not get, and what they sign does not
// count any more. What they signed before stays valid.
func (s *Store) RemoveMember(ctx context.Context, nameOrID, who string) (Removed, error) {
	rec, r, err := s.bucketIn(ctx, nameOrID)
	if err != nil {
		return Removed{}, err
	}
	out := Removed{URL: r.bucket.URL()}
	st, err := r.setMembership(ctx, func(m *manifestv1.Membership, now *bucket.State) (bool, error) {
		i, err := findMember(m.Members, rec.Name, who)
		if err != nil {
			return false, err
		}
		if m.Members[i].Recovery {
			return false, notByHand(m.Members[i].Name)
		}
		out.Until, out.Member = now.Generation, m.Members[i]
		for _, k := range append(recoveriesOf(m.Members, i), i) {
			m.Members[k].Until = now.Generation
		}
		out.Short = shortOf(*m)
		return !bucket.WriteOnly(out.Member), nil // who had no key needs no other one
	})
	if err != nil {
		return out, err
	}
	out.Generation, out.Epoch = st.Generation, st.Epoch()
	if all, err := s.membersOf(st); err == nil && all.Self == "" {
		s.retire(rec.ID, nil) // what is open would be read on, until something changes
	}
	s.describe(ctx, rec, r, st)
	return out, nil
}

// notByHand is the answer to who would remove or change a recovery key.
func notByHand(name string) error {
	return fault.New(fault.Invalid, name+" is a recovery key: it comes, may what its owner may, and goes with them", "its owner replaces it with: vexa key recovery --replace")
}
