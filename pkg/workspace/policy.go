package workspace

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// Policy is what a workspace asks for before some refs change.
type Policy struct {
	Version   int // of the membership: one more with each change of it or of this
	Approvals []manifestv1.Approval
}

// Policy returns how many approvals the refs of a workspace need.
func (s *Store) Policy(ctx context.Context, nameOrID string) (Policy, error) {
	_, r, err := s.bucketIn(ctx, nameOrID)
	if err != nil {
		return Policy{}, err
	}
	st, err := r.head(ctx)
	if err != nil {
		return Policy{}, err
	}
	return policyOf(st.Membership), nil
}

func policyOf(m manifestv1.Membership) Policy {
	out := Policy{Version: m.Version, Approvals: m.Approvals}
	if out.Approvals == nil {
		out.Approvals = []manifestv1.Approval{}
	}
	return out
}

// shortOf says for which branches fewer members may approve than would have to; ""
// is none.
func shortOf(m manifestv1.Membership) string {
	for _, a := range m.Approvals {
		may := 0
		for _, x := range m.Members {
			if x.Until == 0 && !x.Recovery && len(x.Signers) > 0 && bucket.Allows(x, bucket.RightApprove, a.Refs) {
				may++
			}
		}
		if may < a.Threshold {
			return fmt.Sprintf("%s takes what %d members approved, and %d may approve", strings.TrimPrefix(a.Refs, "refs/heads/"), a.Threshold, may)
		}
	}
	return ""
}

// maxThreshold is how many approvals a ref may need, by the manifest's contract.
const maxThreshold = 64

// SetApprovals has branches change by proposals alone that so many members have
// approved; 0 takes the rule back. The branches are one, or all that begin with a
// prefix: "refs/heads/main", "refs/heads/release/*". It is fault.Conflict where
// fewer members may approve than would have to.
func (s *Store) SetApprovals(ctx context.Context, nameOrID, refs string, threshold int) (Policy, error) {
	rec, r, err := s.bucketIn(ctx, nameOrID)
	if err != nil {
		return Policy{}, err
	}
	if err := checkRight(manifestv1.Right{Refs: refs, Allow: []string{bucket.RightApprove}}); err != nil {
		return Policy{}, err
	}
	switch {
	case !strings.HasPrefix(refs, "refs/heads/"):
		return Policy{}, fault.New(fault.Invalid, "approvals are for branches, and "+refs+" is none", "name a branch: main")
	case strings.HasPrefix(refs, refBranches) || refs == "refs/heads/*":
		return Policy{}, fault.New(fault.Invalid, "agents work on the branches below "+branchSpace+", which need no approval", "name the branches that they end up in: main")
	case threshold < 0 || threshold > maxThreshold:
		return Policy{}, fault.Newf(fault.Invalid, "a threshold of %d", threshold).WithHint("give one from 1 to 64, or 0 for no approvals")
	}
	st, err := r.setMembership(ctx, func(m *manifestv1.Membership, _ *bucket.State) (bool, error) {
		m.Approvals = slices.DeleteFunc(slices.Clone(m.Approvals), func(a manifestv1.Approval) bool { return a.Refs == refs })
		if threshold > 0 {
			m.Approvals = append(m.Approvals, manifestv1.Approval{Refs: refs, Threshold: threshold})
		}
		if len(m.Approvals) == 0 {
			m.Approvals = nil
		}
		if short := shortOf(*m); short != "" && threshold > 0 {
			return false, fault.New(fault.Conflict, short+": nothing could be merged any more", "let more approve first: vexa workspace member set "+rec.Name+" MEMBER --write main --approve main")
		}
		return false, nil
	})
	if err != nil {
		return Policy{}, err
	}
	return policyOf(st.Membership), nil
}
