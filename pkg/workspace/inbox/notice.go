package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
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

// Announce stores the notice of a membership, where it has anybody to tell, and notes
// that this installation did. Those who were members are told that they are none any
// more, and no more than that. Only an administrator's counts.
func (x *Box) Announce(ctx context.Context, st *bucket.State) error {
	if !Open(st.Membership) {
		return nil
	}
	for _, now := range []bool{true, false} {
		n, to, err := x.noticeOf(st, now)
		if err != nil {
			return err
		}
		if len(to) > 0 {
			if err := x.storeNotice(ctx, n, to); err != nil {
				return fault.Wrap(fault.KindOf(err), "tell those who write and do not read of the change, at "+x.Store.URL(), err)
			}
		}
	}
	return atomicfile.Replace(x.path(announcedFile), []byte(strconv.Itoa(st.Membership.Version)+"\n"), 0o600)
}

func (x *Box) storeNotice(ctx context.Context, n inboxv1.Notice, to []seal.Recipient) error {
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
	return x.Store.Create(ctx, noticeName(n, stored), stored)
}

// noticeOf makes the notice of a membership for those who are members now, or for those
// who were, and says to whom it goes.
func (x *Box) noticeOf(st *bucket.State, now bool) (n inboxv1.Notice, to []seal.Recipient, err error) {
	m := st.Membership
	n = inboxv1.Notice{
		Kind: inboxv1.KindNotice, Bucket: x.Bucket, Version: m.Version, Epoch: st.Epoch(), Recipient: m.Recipient, ObjectFormat: st.ObjectFormat,
		Administrators: []string{}, Depositors: []inboxv1.Depositor{}, Time: x.Now().UTC().Format(time.RFC3339),
	}
	for _, who := range m.Members {
		if who.Until == 0 && !who.Recovery && bucket.Allows(who, bucket.RightAdmin, bucket.Everything) {
			n.Administrators = append(n.Administrators, who.Signers...)
		}
		if !bucket.WriteOnly(who) || (who.Until == 0) != now {
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
			if now {
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

// Announced reports whether this installation told of a membership. What others say,
// or somebody left at the storage under such a name, nobody here can read.
func (x *Box) Announced(st *bucket.State) bool {
	text, err := os.ReadFile(x.path(announcedFile))
	return err == nil && strings.TrimSpace(string(text)) == strconv.Itoa(st.Membership.Version)
}

// Renew removes what was told of memberships, which a bucket that was set back has no
// more, and tells of the one that it has. Who went by what is gone notices, and has to be
// invited again.
func (x *Box) Renew(ctx context.Context, st *bucket.State) error {
	if !Open(st.Membership) {
		return nil
	}
	var names []string
	err := x.Store.List(ctx, notices, "", func(i blob.Info) error {
		names = append(names, i.Name)
		return nil
	})
	if err == nil {
		err = x.Store.Remove(ctx, names...)
	}
	if err != nil {
		return fault.Wrap(fault.KindOf(err), "remove what was told of the members before, at "+x.Store.URL(), err)
	}
	return x.Announce(ctx, st)
}

// Notice is what an installation that delivers goes by.
type Notice struct {
	inboxv1.Notice
	name   string
	stored []byte
	by     string // the key that signed it
	kept   bool   // this installation went by it before
}

// decode reads a stored notice. The error is fault.Denied where it is for others.
func (x *Box) decode(ctx context.Context, name string, stored []byte) (Notice, error) {
	out := Notice{name: name, stored: stored}
	text, err := x.Keys.OpenKeyring(ctx, stored)
	if err != nil {
		return out, err
	}
	line, by, err := signature.OpenLine(NoticeNamespace, text)
	if err != nil {
		return out, err
	}
	out.by = by.String()
	if out.Notice, err = contract.Decode[inboxv1.Notice](contractNotice, line); err != nil {
		return out, err
	}
	switch {
	case out.Bucket != x.Bucket:
		return out, broken("it belongs to another bucket")
	case noticeName(out.Notice, stored) != name:
		return out, broken("it has another one's name")
	}
	return out, oneLine(line)
}

// self returns the rights of this installation by a notice.
func (n Notice) self(key signature.Key, url string) (manifestv1.Member, error) {
	i := slices.IndexFunc(n.Depositors, func(d inboxv1.Depositor) bool { return d.Signer == key.Fingerprint() })
	if i < 0 {
		return manifestv1.Member{}, fault.New(fault.Denied, "this installation is no member any more that may deliver to the bucket at "+url, "ask an administrator: vexa workspace member list NAME")
	}
	return manifestv1.Member{Signers: []string{key.String()}, Rights: n.Depositors[i].Rights}, nil
}
