package inbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/inboxv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// Open reports whether a bucket has an inbox: whether a member may write it and not
// read it, or did.
func Open(m manifestv1.Membership) bool { return slices.ContainsFunc(m.Members, bucket.WriteOnly) }

// Announce stores the notice of a membership, where it has anybody to tell. Those who
// were members are told, too, that they are none any more. Only an administrator's
// counts.
func (x *Box) Announce(ctx context.Context, st *bucket.State) error {
	if !Open(st.Membership) {
		return nil
	}
	n, to, err := x.noticeOf(st)
	if err != nil {
		return err
	}
	line, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := contract.Validate(contractNotice, line); err != nil {
		return err
	}
	signer, err := x.Keys.Signer(ctx)
	if err != nil {
		return err
	}
	text, err := signature.SignLine(signer, NoticeNamespace, line)
	if err != nil {
		return err
	}
	stored, err := seal.EncryptBytes(text, to...)
	if err != nil {
		return err
	}
	if err := x.Store.Create(ctx, noticeName(n, stored), stored); err != nil {
		return fault.Wrap(fault.KindOf(err), "tell those who write and do not read of the change, at "+x.Store.URL(), err)
	}
	return nil
}

// noticeOf makes the notice of a membership, and says to whom it goes.
func (x *Box) noticeOf(st *bucket.State) (n inboxv1.Notice, to []seal.Recipient, err error) {
	m := st.Membership
	n = inboxv1.Notice{
		Kind: inboxv1.KindNotice, Bucket: x.Bucket, Version: m.Version, Epoch: st.Epoch(), Recipient: m.Recipient, ObjectFormat: st.ObjectFormat,
		Administrators: []string{}, Depositors: []inboxv1.Depositor{}, Time: x.Now().UTC().Format(time.RFC3339),
	}
	for _, who := range m.Members {
		if who.Until == 0 && !who.Recovery && bucket.Allows(who, bucket.RightAdmin, bucket.Everything) {
			n.Administrators = append(n.Administrators, who.Signers...)
		}
		if !bucket.WriteOnly(who) {
			continue
		}
		for _, text := range who.Signers {
			r, err := seal.ParseRecipient(text)
			if err != nil {
				return n, nil, fault.Wrap(fault.Invalid, "member "+who.Name, err)
			}
			to = append(to, r)
			key, err := signature.ParseKey(text)
			if err != nil {
				return n, nil, err
			}
			if who.Until == 0 {
				n.Depositors = append(n.Depositors, inboxv1.Depositor{Signer: key.Fingerprint(), Rights: who.Rights})
			}
		}
	}
	return n, to, nil
}

func noticeName(n inboxv1.Notice, stored []byte) string {
	sum := sha256.Sum256(stored)
	return fmt.Sprintf(noticeForm, n.Epoch, n.Version, hex.EncodeToString(sum[:]))
}

// Announced reports whether a notice of a membership is stored.
func (x *Box) Announced(ctx context.Context, st *bucket.State) (bool, error) {
	found := errors.New("there is one")
	err := x.Store.List(ctx, fmt.Sprintf(noticeForm, st.Epoch(), st.Membership.Version, ""), "", func(blob.Info) error { return found })
	if errors.Is(err, found) {
		return true, nil
	}
	return false, err
}

// Notice is what an installation that delivers goes by.
type Notice struct {
	inboxv1.Notice
	name   string
	stored []byte
}

// decode reads a stored notice and returns the key that signed it. The error is
// fault.Denied where it is for others.
func (x *Box) decode(ctx context.Context, name string, stored []byte) (Notice, signature.Key, error) {
	out := Notice{name: name, stored: stored}
	text, err := x.Keys.OpenKeyring(ctx, stored)
	if err != nil {
		return out, signature.Key{}, err
	}
	line, by, err := signature.OpenLine(NoticeNamespace, text)
	if err != nil {
		return out, by, err
	}
	if out.Notice, err = contract.Decode[inboxv1.Notice](contractNotice, line); err != nil {
		return out, by, err
	}
	switch {
	case out.Bucket != x.Bucket:
		return out, by, broken("it belongs to another bucket")
	case noticeName(out.Notice, stored) != name:
		return out, by, broken("it has another one's name")
	}
	return out, by, oneLine(line)
}

// Meet takes the inbox into use, by the word of an invitation: of whoever signed that
// a notice is believed, and from then on of those whom the newest one names. It is
// fault.NotFound where there is no such notice for this installation.
func (x *Box) Meet(ctx context.Context, id string, inviter signature.Key) (Notice, error) {
	if x.Bucket != id {
		return Notice{}, fault.New(fault.Denied, fmt.Sprintf("the bucket at %s is not the one of the invitation: its id is %s, and %s was to be there", x.Store.URL(), x.Bucket, id), "do not use it; ask who invited you where the bucket is")
	}
	known, err := x.pinned(ctx)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Notice{}, err
	}
	first := Notice{Notice: inboxv1.Notice{Administrators: append(slices.Clone(known.Administrators), inviter.String())}}
	got, err := x.advance(ctx, first)
	if err != nil {
		return Notice{}, err
	}
	if got.name == "" {
		return Notice{}, fault.New(fault.NotFound, "the bucket at "+x.Store.URL()+" has no notice from who invited you that this installation can read", "ask for the invitation again: vexa workspace invite NAME --member MEMBER")
	}
	if known.name > got.name { // the storage withholds what was there
		got = known
	}
	return got, x.pin(got)
}

// Newest returns the notice that this installation goes by, the newest that
// an administrator signed. It is fault.NotFound where the inbox is not in use, and
// fault.Denied where this installation is no member any more that delivers.
func (x *Box) Newest(ctx context.Context) (Notice, error) {
	known, err := x.pinned(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return Notice{}, fault.New(fault.NotFound, "this installation delivers nothing to the bucket at "+x.Store.URL(), "take up an invitation: vexa workspace join FILE")
	}
	if err != nil {
		return Notice{}, err
	}
	got, err := x.advance(ctx, known)
	if err != nil || got.name == known.name {
		return got, err
	}
	return got, x.pin(got)
}

// advance goes from a notice to the newest one, by those whom each names.
func (x *Box) advance(ctx context.Context, at Notice) (Notice, error) {
	var names []string
	err := x.Store.List(ctx, notices, at.name, func(i blob.Info) error {
		names = append(names, i.Name)
		return nil
	})
	if err != nil {
		return at, fault.Wrap(fault.KindOf(err), "look for what is new at "+x.Store.URL(), err)
	}
	for _, name := range names {
		stored, err := x.read(ctx, name, maxNotice)
		if errors.Is(err, blob.ErrNotExist) || fault.Is(err, fault.Invalid) {
			continue
		}
		if err != nil {
			return at, err
		}
		next, by, err := x.decode(ctx, name, stored)
		switch {
		case fault.Is(err, fault.Denied) || fault.Is(err, fault.Invalid):
			// It is for others, or somebody left it there.
		case err != nil:
			return at, err
		case next.Version >= at.Version && next.Epoch >= at.Epoch && slices.Contains(at.Administrators, by.String()):
			at = next
		}
	}
	return at, nil
}

// pinned reads the notice that this installation goes by.
func (x *Box) pinned(ctx context.Context) (Notice, error) {
	data, err := os.ReadFile(x.path(noticeFile))
	if err != nil {
		return Notice{}, err
	}
	name, stored, _ := bytes.Cut(data, []byte("\n"))
	n, _, err := x.decode(ctx, string(name), stored)
	if fault.Is(err, fault.Invalid) {
		return n, &fault.Error{Kind: fault.Invalid, Err: err, Msg: x.path(noticeFile) + " is damaged: it says whom to encrypt to", Hint: "take up the invitation again: vexa workspace join FILE"}
	}
	return n, err
}

func (x *Box) pin(n Notice) error {
	if !strings.HasPrefix(n.name, notices) {
		return fault.New(fault.Internal, "a notice without a name", "")
	}
	return atomicfile.WriteFile(x.path(noticeFile), append([]byte(n.name+"\n"), n.stored...), 0o600)
}

// self returns the rights of this installation by a notice.
func (n Notice) self(key signature.Key, url string) (manifestv1.Member, error) {
	i := slices.IndexFunc(n.Depositors, func(d inboxv1.Depositor) bool { return d.Signer == key.Fingerprint() })
	if i < 0 {
		return manifestv1.Member{}, fault.New(fault.Denied, "this installation is no member any more that may deliver to the bucket at "+url, "ask an administrator: vexa workspace member list NAME")
	}
	return manifestv1.Member{Signers: []string{key.String()}, Rights: n.Depositors[i].Rights}, nil
}
