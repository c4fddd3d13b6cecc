package workspace

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// Rekeyed says what became of the keyring of one workspace.
type Rekeyed struct {
	Workspace  string // name
	Changed    bool
	Generation int64
	Err        error
}

// Rekey brings the keys of the person of this installation into every bucket:
// keys that were added open the keyring from then on, and another recovery key
// takes the place of the one before, which reads nothing that comes later. It
// goes on where a workspace fails.
func (s *Store) Rekey(ctx context.Context) ([]Rekeyed, error) {
	records, err := s.records()
	if err != nil {
		return nil, err
	}
	out := make([]Rekeyed, 0, len(records))
	for _, rec := range records {
		if rec.WriteOnly {
			continue // what is told to it is encrypted to its signing key
		}
		one := Rekeyed{Workspace: rec.Name}
		one.Changed, one.Generation, one.Err = s.rekey(ctx, rec)
		out = append(out, one)
	}
	return out, ctx.Err()
}

func (s *Store) rekey(ctx context.Context, rec record) (changed bool, generation int64, err error) {
	r, err := s.handle(ctx, rec)
	if err != nil {
		return false, 0, err
	}
	before, err := r.head(ctx)
	if err != nil {
		return false, 0, err
	}
	own, err := s.opt.Buckets.Members(before.PostQuantum())
	if err != nil {
		return false, 0, err
	}
	after, err := r.setMembership(ctx, func(m *manifestv1.Membership, now *bucket.State) (bool, error) {
		return takeKeys(m, own, now.Generation)
	})
	if err != nil || after.Generation == before.Generation {
		return false, before.Generation, err
	}
	s.describe(ctx, rec, r, after)
	return true, after.Generation, nil
}

// takeKeys brings one's own keys into a membership, and reports whether a key was
// replaced, so that a new epoch has to begin. Keys of other machines of the same
// person stay.
func takeKeys(m *manifestv1.Membership, own []manifestv1.Member, generation int64) (rotate bool, err error) {
	me := -1
	for _, mine := range own {
		if mine.Recovery {
			continue
		}
		me = slices.IndexFunc(m.Members, func(x manifestv1.Member) bool {
			return x.Until == 0 && len(mine.Signers) > 0 && slices.Contains(x.Signers, mine.Signers[0])
		})
		if me < 0 {
			return false, fault.New(fault.Denied, "this installation may read the workspace and not write it", "introduce yourself: vexa key introduce; and ask an administrator: vexa workspace member set NAME MEMBER --introduction FILE")
		}
		for _, r := range mine.Recipients {
			if !slices.Contains(m.Members[me].Recipients, r) {
				m.Members[me].Recipients = append(m.Members[me].Recipients, r)
			}
		}
	}
	for _, mine := range own {
		if mine.Recovery && me >= 0 {
			rotate = takeRecovery(m, me, mine, generation) || rotate
		}
	}
	return rotate, nil
}

// takeRecovery brings the recovery key of a member into a membership, with what the
// member may do, and shuts the one before out. It reports whether there was one.
func takeRecovery(m *manifestv1.Membership, owner int, key manifestv1.Member, generation int64) (replaced bool) {
	for _, i := range recoveriesOf(m.Members, owner) {
		if slices.Equal(m.Members[i].Recipients, key.Recipients) && slices.Equal(m.Members[i].Signers, key.Signers) {
			return false
		}
		m.Members[i].Until, replaced = generation, true
	}
	who := m.Members[owner]
	key.ID = recoveryPrefix + who.ID
	for n := 2; slices.ContainsFunc(m.Members, func(x manifestv1.Member) bool { return x.ID == key.ID }); n++ {
		key.ID = recoveryPrefix + who.ID + ":" + strconv.Itoa(n)
	}
	key.Name, key.Rights = "recovery key of "+who.Name, slices.Clone(who.Rights)
	m.Members = append(m.Members, key)
	return replaced
}

// recoveryPrefix begins the ids of recovery keys, before that of whose it is. The
// founder's own, from the time the bucket was made, has the id "recovery".
const recoveryPrefix = "recovery:"

// recoveriesOf are the recovery keys of a member that are members.
func recoveriesOf(all []manifestv1.Member, owner int) []int {
	var out []int
	for i, x := range all {
		id, has := strings.CutPrefix(x.ID, recoveryPrefix)
		id, _, _ = strings.Cut(id, ":")
		if x.Recovery && x.Until == 0 && (has && id == all[owner].ID || !has && owner == 0) {
			out = append(out, i)
		}
	}
	return out
}
