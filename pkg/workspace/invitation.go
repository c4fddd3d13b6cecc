package workspace

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/invitationv1"
	"github.com/vexa-ai/vexa/pkg/contract/workspacev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
)

// invitationNamespace is that of an invitation's signature (PROTOCOL.sshsig).
const invitationNamespace = "vexa-invitation@v1"

// The contracts of what people hand each other.
const (
	contractInvitation   = "invitation.v1#Invitation"
	contractIntroduction = "invitation.v1#Introduction"
)

// maxInvitation is more than an invitation with its signature has, in bytes.
const maxInvitation = 64 << 10

// encodeInvitation writes an invitation, one line of JSON, and a signature of that
// line as ssh-keygen makes it.
func encodeInvitation(inv invitationv1.Invitation, by signature.Signer) ([]byte, error) {
	line, err := json.Marshal(inv)
	if err != nil {
		return nil, err
	}
	if err := contract.Validate(contractInvitation, line); err != nil {
		return nil, err
	}
	line = append(line, '\n')
	sig, err := by.Sign(invitationNamespace, line)
	return append(line, sig...), err
}

// decodeInvitation reads an invitation and returns the key that signed it. Blank
// lines around it, as mail makes them, do not matter.
func decodeInvitation(text []byte) (invitationv1.Invitation, signature.Key, error) {
	const hint = "ask for it again: vexa workspace invite makes one"
	bad := func(err error) (invitationv1.Invitation, signature.Key, error) {
		return invitationv1.Invitation{}, signature.Key{}, &fault.Error{Kind: fault.Invalid, Msg: "that is not an invitation, or it was changed on the way", Hint: hint, Err: err}
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	line, sig, ok := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	if !ok || len(text) > maxInvitation {
		return bad(nil)
	}
	sig = append(bytes.TrimSpace(sig), '\n')
	key, err := signature.KeyOf(sig)
	if err != nil {
		return bad(err)
	}
	line = append(bytes.Clone(line), '\n')
	if err := key.Verify(invitationNamespace, line, sig); err != nil {
		return bad(err)
	}
	inv, err := contract.Decode[invitationv1.Invitation](contractInvitation, line)
	if err != nil {
		return bad(err)
	}
	return inv, key, nil
}

// ParseIntroduction reads what somebody says of themselves.
func ParseIntroduction(text []byte) (invitationv1.Introduction, error) {
	in, err := contract.Decode[invitationv1.Introduction](contractIntroduction, bytes.TrimSpace(text))
	if err != nil {
		return in, &fault.Error{Kind: fault.Invalid, Msg: "that is not how a member introduces themselves", Hint: "have them send what 'vexa key introduce' prints", Err: err}
	}
	return in, nil
}

// Invite returns an invitation for a member, signed by this installation: where
// the workspace rests, who founded it, and a checkpoint. It is not secret.
func (s *Store) Invite(ctx context.Context, nameOrID, who string) ([]byte, error) {
	rec, r, err := s.bucketIn(ctx, nameOrID)
	if err != nil {
		return nil, err
	}
	c, st, err := r.bucket.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	i, err := findMember(st.Membership.Members, rec.Name, who)
	if err != nil {
		return nil, err
	}
	signer, err := r.bucket.Signer(ctx)
	if err != nil {
		return nil, err
	}
	if bucket.WriteOnly(st.Membership.Members[i]) { // they believe a notice from who invites them
		if me, ok := bucket.MemberWith(st.Membership, signer.Key()); !ok || !bucket.Allows(me, bucket.RightAdmin, bucket.Everything) {
			return nil, fault.New(fault.Denied, "whoever writes and does not read is invited by an administrator, whom they believe what to encrypt to", "ask one: vexa workspace member list "+rec.Name)
		}
		if err := inbox.Of(r.bucket).Announce(ctx, st); err != nil {
			return nil, err
		}
	}
	return encodeInvitation(invitationv1.Invitation{
		Kind: invitationv1.KindInvitation, Bucket: c.Bucket, URL: r.bucket.URL(), Name: rec.Name, Roots: c.Roots, Generation: c.Generation, SHA256: c.SHA256,
		To: st.Membership.Members[i].Name, Time: s.opt.Now().UTC().Format(time.RFC3339),
	}, signer)
}

// Joined says what an invitation led to.
type Joined struct {
	Info    Info
	Inviter string   // name of the member who signed the invitation; empty where it is not for this installation to know
	Key     string   // its fingerprint
	Roots   []string // fingerprints of the founders' signing keys
}

// JoinRequest takes up an invitation.
type JoinRequest struct {
	Invitation []byte
	Name       string // of the workspace here; empty: as the inviter calls it
	Bucket     string // URL at which it is reached; empty: the invitation's
	Anew       bool   // who writes and does not read forgets whom they believed, and what they delivered
}

// Join registers the workspace of an invitation. Nothing of the storage is believed that the invitation does
// not bear out; whoever signed it has to be a member. Where the workspace is there
// as one that this installation does not read, it becomes what the invitation is for.
func (s *Store) Join(ctx context.Context, req JoinRequest) (Joined, error) {
	inv, key, err := decodeInvitation(req.Invitation)
	if err != nil {
		return Joined{}, err
	}
	name, url := cmp.Or(req.Name, inv.Name), cmp.Or(req.Bucket, inv.URL)
	rec, unlock, err := s.reserveFor(ctx, name, inv.Bucket)
	if err != nil {
		return Joined{}, err
	}
	defer unlock()
	b, st, err := s.opt.Buckets.Join(ctx, url, bucket.Checkpoint{Bucket: inv.Bucket, Roots: inv.Roots, Generation: inv.Generation, SHA256: inv.SHA256, By: key.String()})
	if fault.Is(err, fault.Denied) {
		out, blind := s.joinBlind(ctx, rec, blindInvitation{Invitation: inv, by: key, url: url, anew: req.Anew})
		if !fault.Is(blind, fault.NotFound) {
			return out, blind
		}
	}
	if err != nil {
		return Joined{}, err
	}
	defer b.Close()
	out := Joined{Key: key.Fingerprint(), Roots: inv.Roots}
	i, err := findMember(st.Membership.Members, name, key.Fingerprint())
	if err != nil {
		return out, err
	}
	out.Inviter = st.Membership.Members[i].Name
	// Killed in between it neither reads nor delivers, and may be joined again.
	if rec.WriteOnly {
		if err := inbox.Of(b).Forget(); err != nil {
			return out, err
		}
	}
	rec.WriteOnly = false
	if err := s.takeIn(rec, b, contractOf(rec.ID, b.URL(), st)); err != nil {
		return out, err
	}
	out.Info, err = s.info(ctx, rec)
	return out, err
}

// blindInvitation is an invitation to write and not read.
type blindInvitation struct {
	invitationv1.Invitation
	by   signature.Key
	url  string
	anew bool
}

// joinBlind is Join for who writes and does not read. It is fault.NotFound where the
// bucket has no notice for this installation from who invites it. A bucket that this
// installation reads stays one that it reads.
func (s *Store) joinBlind(ctx context.Context, rec record, inv blindInvitation) (Joined, error) {
	b, err := s.opt.Buckets.Open(ctx, inv.url)
	if err != nil {
		return Joined{}, err
	}
	defer b.Close()
	if !rec.WriteOnly {
		if err := s.unreadBefore(inv.Bucket); err != nil {
			return Joined{}, err
		}
	}
	met, err := inbox.Of(b).Meet(ctx, inv.Bucket, inv.by, inv.anew)
	if err != nil {
		return Joined{}, err
	}
	out := Joined{Key: inv.by.Fingerprint(), Roots: inv.Roots}
	rec.WriteOnly = true
	if err := s.takeIn(rec, b, encryptedTo(rec.ID, b.URL(), met.Recipient, met.Epoch)); err != nil {
		return out, err
	}
	if err := met.Keep(); err != nil { // killed before, it may be joined again
		return out, err
	}
	out.Info, err = s.info(ctx, rec)
	return out, err
}

// unreadBefore refuses to write and not read a bucket that this installation reads, or
// did: by an invitation alone it would give that up.
func (s *Store) unreadBefore(id string) error {
	records, err := s.records()
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Bucket == id && !r.WriteOnly {
			return fault.New(fault.Conflict, "workspace "+r.Name+" is that bucket, and this installation reads it: it does not become one that writes alone", "use an installation of its own for that: VEXA_HOME=DIR vexa workspace join FILE")
		}
	}
	return nil
}

// reserveFor is reserve, or where this installation has the bucket as one that it does
// not read, the record of that.
func (s *Store) reserveFor(ctx context.Context, name, bucketID string) (record, func(), error) {
	records, err := s.records()
	if err != nil {
		return record{}, nil, err
	}
	for _, rec := range records {
		if rec.WriteOnly && rec.Bucket == bucketID {
			unlock, err := s.lock(ctx, filepath.Join(s.opt.Root, ".lock"))
			return rec, unlock, err
		}
	}
	return s.reserve(ctx, name)
}

// takeIn registers a workspace, or writes anew what it is.
func (s *Store) takeIn(rec record, b *bucket.Bucket, ws workspacev1.Workspace) error {
	if rec.Bucket == b.ID() {
		return errors.Join(writeContract(s.dir(rec.ID), ws), s.writeRecord(s.dir(rec.ID), rec))
	}
	if err := s.unknownBucket(b); err != nil {
		return err
	}
	return s.register(rec, b, ws)
}
