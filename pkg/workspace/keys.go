package workspace

import (
	"context"
	"slices"

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
	after, err := r.bucket.SetMembership(ctx, func(m *manifestv1.Membership, _ *bucket.State) (bool, error) {
		return replacesRecovery(*m, own), takeKeys(m, own)
	})
	if err != nil || after.Generation == before.Generation {
		return false, before.Generation, err
	}
	return true, after.Generation, writeContract(s.dir(rec.ID), contractOf(rec.ID, r.bucket.URL(), after))
}

// replacesRecovery reports whether the recovery key is another one than before.
func replacesRecovery(m manifestv1.Membership, own []manifestv1.Member) bool {
	was, now := recoveryOf(m.Members), recoveryOf(own)
	return was >= 0 && now >= 0 && !slices.Equal(m.Members[was].Recipients, own[now].Recipients)
}

func recoveryOf(members []manifestv1.Member) int {
	return slices.IndexFunc(members, func(m manifestv1.Member) bool { return m.Recovery && m.Until == 0 })
}

// takeKeys brings one's own keys into a membership. Those of other machines of
// the same person stay.
func takeKeys(m *manifestv1.Membership, own []manifestv1.Member) error {
	for _, mine := range own {
		if mine.Recovery {
			if i := recoveryOf(m.Members); i >= 0 {
				m.Members[i].Recipients, m.Members[i].Signers = mine.Recipients, mine.Signers
			} else {
				m.Members = append(m.Members, mine)
			}
			continue
		}
		i := slices.IndexFunc(m.Members, func(x manifestv1.Member) bool {
			return x.Until == 0 && len(mine.Signers) > 0 && slices.Contains(x.Signers, mine.Signers[0])
		})
		if i < 0 {
			return fault.New(fault.Denied, "this installation may read the workspace and not write it", "ask a member to add its keys")
		}
		for _, r := range mine.Recipients {
			if !slices.Contains(m.Members[i].Recipients, r) {
				m.Members[i].Recipients = append(m.Members[i].Recipients, r)
			}
		}
	}
	return nil
}
