package inbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Whom to encrypt to is a chain of notices, each signed by an administrator whom the one
// before it names. What this installation went by is kept: a storage that takes it away
// is found out, and so are two administrators who say different things.

// maxChain is how many notices are kept: where two administrators said different things
// within so many changes, it is noticed.
const maxChain = 16

// errFork: two administrators say different things of the same membership.
var errFork = errors.New("there are two notices of one membership")

const anew = "ask an administrator for an invitation, compare the fingerprint of who signed it on another way, and take it up with: vexa workspace join FILE --anew"

// Met is what an invitation leads to.
type Met struct {
	Notice
	box   *Box
	chain []Notice
	anew  bool
}

// Meet looks at the inbox by the word of an invitation: of whoever signed that a notice is
// believed, and from then on of those whom the newest one names. An installation that
// delivers already believes an administrator whom it knows, unless it is to begin anew.
// Nothing is changed before Keep. The error is fault.NotFound where there is no such
// notice for this installation, and fault.Denied where the inviter is not believed.
func (x *Box) Meet(ctx context.Context, id string, inviter signature.Key, begin bool) (*Met, error) {
	if x.Bucket != id {
		return nil, fault.New(fault.Denied, fmt.Sprintf("the bucket at %s is not the one of the invitation: its id is %s, and %s was to be there", x.Store.URL(), x.Bucket, id), "do not use it; ask who invited you where the bucket is")
	}
	chain, err := x.pinned(ctx)
	if errors.Is(err, fs.ErrNotExist) || err == nil && begin {
		chain, err = x.first(ctx, inviter)
	}
	if err != nil {
		return nil, err
	}
	if chain, err = x.advance(ctx, chain); err != nil {
		return nil, err
	}
	newest := chain[len(chain)-1]
	if !slices.Contains(newest.Administrators, inviter.String()) {
		return nil, fault.New(fault.Denied, "who signed the invitation, "+inviter.Fingerprint()+", is no administrator of the bucket at "+x.Store.URL()+", as far as this installation knows", anew)
	}
	return &Met{Notice: newest, box: x, chain: chain, anew: begin}, nil
}

// Keep has this installation deliver from now on, by what the invitation led to.
func (m *Met) Keep() error {
	if m.anew {
		if err := os.Remove(m.box.path(deliveredFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return m.box.pin(m.chain)
}

// first returns the newest notice that the inviter signed.
func (x *Box) first(ctx context.Context, inviter signature.Key) ([]Notice, error) {
	all, err := x.notices(ctx, 0, nil)
	if err != nil {
		return nil, err
	}
	newest := Notice{}
	for _, n := range all {
		if n.by == inviter.String() && n.Time >= newest.Time { // who invites makes one first
			newest = n
		}
	}
	if newest.name != "" {
		return []Notice{newest}, nil
	}
	return nil, fault.New(fault.NotFound, "the bucket at "+x.Store.URL()+" has no notice from who invited you that this installation can read", "ask for the invitation again: vexa workspace invite NAME --member MEMBER")
}

// Newest returns the notice that this installation goes by. It is fault.NotFound where
// the inbox is not in use, and fault.Denied where administrators contradict each other.
func (x *Box) Newest(ctx context.Context) (Notice, error) {
	known, err := x.pinned(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return Notice{}, fault.New(fault.NotFound, "this installation delivers nothing to the bucket at "+x.Store.URL(), "take up an invitation: vexa workspace join FILE")
	}
	if err != nil {
		return Notice{}, err
	}
	chain, err := x.advance(ctx, known)
	if err != nil {
		return Notice{}, err
	}
	newest := chain[len(chain)-1]
	if newest.name == known[len(known)-1].name {
		return newest, nil
	}
	return newest, x.pin(chain)
}

// advance goes from the oldest notice of a chain to the newest one, version by version:
// of each, what somebody signed whom the one before names. Those of the chain are among
// them, whatever the storage shows.
func (x *Box) advance(ctx context.Context, chain []Notice) ([]Notice, error) {
	root := chain[0]
	all, err := x.notices(ctx, root.Epoch, chain)
	if err != nil {
		return nil, err
	}
	at, out := root, []Notice{root}
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(n Notice) bool { return n.Version != all[0].Version })
		if n < 0 {
			n = len(all)
		}
		same := all[:n]
		all = all[n:]
		if same[0].Version <= root.Version {
			continue
		}
		next, err := successor(at, same)
		if err != nil {
			return nil, &fault.Error{Kind: fault.Denied, Err: err, Msg: fmt.Sprintf("two administrators of the bucket at %s say different things of version %d of its membership: nothing is delivered", x.Store.URL(), same[0].Version), Hint: anew}
		}
		if next.name != "" {
			at = next
			out = append(out, at)
		}
	}
	return out[max(0, len(out)-maxChain):], nil
}

// successor returns what comes after a notice, of those of one version; without a name
// where none does.
func successor(at Notice, same []Notice) (next Notice, err error) {
	for _, n := range same {
		if n.Epoch < at.Epoch || !slices.Contains(at.Administrators, n.by) {
			continue
		}
		if next.name != "" && (n.Epoch != next.Epoch || n.Recipient != next.Recipient || !sameSet(n.Administrators, next.Administrators)) {
			return next, errFork
		}
		if next.name == "" || !next.kept {
			next = n
		}
	}
	return next, nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// notices reads those that are for this installation, of an epoch and later, in the order
// of their versions, with those that are known.
func (x *Box) notices(ctx context.Context, epoch int, known []Notice) ([]Notice, error) {
	out := slices.Clone(known)
	have := map[string]bool{}
	var names []string
	err := x.Store.List(ctx, notices, fmt.Sprintf(notices+"%06d.", epoch), func(i blob.Info) error {
		if slices.ContainsFunc(known, func(n Notice) bool { return n.name == i.Name }) {
			have[i.Name] = true
		} else {
			names = append(names, i.Name)
		}
		return nil
	})
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), "look for what is new at "+x.Store.URL(), err)
	}
	if len(known) > 0 && known[len(known)-1].kept && !have[known[len(known)-1].name] {
		return nil, fault.New(fault.Denied, "the bucket at "+x.Store.URL()+" was set back: it does not show the notice that this installation goes by, of version "+strconv.Itoa(known[len(known)-1].Version)+" of its membership", "if an administrator restored a backup on purpose: "+anew)
	}
	for _, name := range names {
		stored, err := x.read(ctx, name, maxNotice)
		if errors.Is(err, blob.ErrNotExist) || fault.Is(err, fault.Invalid) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n, err := x.decode(ctx, name, stored)
		switch {
		case err == nil:
			out = append(out, n)
		case !fault.Is(err, fault.Denied) && !fault.Is(err, fault.Invalid): // else it is for others, or somebody left it there
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b Notice) int { return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.name, b.name)) })
	return out, nil
}

// kept is a notice as it rests: still encrypted.
type kept struct {
	Name   string `json:"name"`
	Sealed []byte `json:"sealed"`
}

// pinned reads the chain that this installation goes by, the newest last.
func (x *Box) pinned(ctx context.Context) ([]Notice, error) {
	data, err := os.ReadFile(x.path(noticeFile))
	if err != nil {
		return nil, err
	}
	var list []kept
	err = json.Unmarshal(data, &list)
	if err == nil && len(list) == 0 {
		err = errors.New("it is empty")
	}
	var out []Notice
	for _, k := range list {
		var n Notice
		if n, err = x.decode(ctx, k.Name, k.Sealed); err != nil {
			break
		}
		n.kept = true
		out = append(out, n)
	}
	if err != nil && !fault.Is(err, fault.Locked) && !fault.Is(err, fault.Unreachable) {
		err = &fault.Error{Kind: fault.Invalid, Err: err, Msg: x.path(noticeFile) + " is damaged: it says whom to encrypt to", Hint: anew}
	}
	return out, err
}

func (x *Box) pin(chain []Notice) error {
	list := make([]kept, 0, len(chain))
	for _, n := range chain {
		list = append(list, kept{n.name, n.stored})
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(x.path(noticeFile), append(data, '\n'), 0o600)
}
