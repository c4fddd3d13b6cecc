package workspace

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/proposal"
)

// Proposal is a merge proposal as it stands.
type Proposal struct {
	proposalv1.Proposal
	Workspace string // id
	Body      string // what is said of it, untrusted
	Conflicts []proposalv1.Conflict
	Approvals []ProposalApproval
	Needed    int  // approvals, by the policy
	Approved  int  // members whose approval counts
	Stale     bool // the target or the branch moved since: it has to be merged again
	Updated   time.Time
	By        Signer // who made the newest event
	Problem   string // why it is not to be believed, or the rest is not known

	Opened Signer          // who opened it; filled by Proposal
	Events []ProposalEvent // oldest first; filled by Proposal
}

// Signer is who signed something.
type Signer struct {
	Name  string // of the member; empty: nobody who is or was one
	Key   string // fingerprint
	Until int64  // the last generation in which they were a member; 0: they are
}

// ProposalEvent is one event of a proposal's history.
type ProposalEvent struct {
	Kind   string // see package proposal
	Commit string
	By     Signer
	Time   time.Time // by the clock of who made it
	Text   string    // of a comment, and why it was rejected; untrusted
}

// ProposalApproval is one approval.
type ProposalApproval struct {
	By     Signer
	Time   string
	Counts bool
	Why    string // it does not count
}

// Proposals lists the proposals of a workspace, the newest first; without all
// those alone that are open.
func (s *Store) Proposals(ctx context.Context, nameOrID string, all bool) ([]Proposal, error) {
	r, err := s.open(ctx, nameOrID)
	if err != nil {
		return nil, err
	}
	st, err := r.head(ctx)
	if err != nil {
		return nil, err
	}
	refs, err := r.refsBelow(proposal.Space)
	if err != nil {
		return nil, err
	}
	out := []Proposal{}
	for name, tip := range refs {
		id := strings.TrimPrefix(name, proposal.Space)
		p, err := r.summary(ctx, st, id, tip)
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			p = Proposal{Proposal: proposalv1.Proposal{ID: id, Title: "?", Status: "?"}, Workspace: r.id, Problem: err.Error()}
		}
		if all || p.Status == proposalv1.StatusOpen || p.Problem != "" {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Proposal) int {
		if c := b.Updated.Compare(a.Updated); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	return out, nil
}

// Proposal returns one proposal with its history. A prefix of its id that no other
// one has will do.
func (s *Store) Proposal(ctx context.Context, nameOrID, id string) (Proposal, error) {
	r, f, st, err := s.openProposal(ctx, nameOrID, id)
	if err != nil {
		return Proposal{}, err
	}
	return r.detail(ctx, st, f)
}

// detail is summarise with the history.
func (r *repo) detail(ctx context.Context, st *bucket.State, f *proposal.Files) (Proposal, error) {
	p, err := r.summarise(ctx, st, f)
	if err != nil {
		return p, err
	}
	events, err := r.events(ctx, st.Membership, f)
	if err != nil {
		return p, err
	}
	p.Events, p.Opened = events, events[0].By
	if p.Problem == "" {
		p.Problem = unsigned(events)
	}
	return p, nil
}

// unsigned says which event of a proposal nobody has signed who is or was a
// member; "" is none.
func unsigned(events []ProposalEvent) string {
	for _, e := range events {
		if e.By.Name == "" {
			return "its event " + strconv.Quote(e.Kind) + " of commit " + e.Commit[:12] + " is signed by nobody who is or was a member"
		}
	}
	return ""
}

// openProposal opens a workspace and finds a proposal of it.
func (s *Store) openProposal(ctx context.Context, nameOrID, id string) (*repo, *proposal.Files, *bucket.State, error) {
	r, err := s.open(ctx, nameOrID)
	if err != nil {
		return nil, nil, nil, err
	}
	st, err := r.head(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	f, err := r.findProposal(ctx, id)
	return r, f, st, err
}

// findProposal reads the proposal of an id or of the beginning of one.
func (r *repo) findProposal(ctx context.Context, id string) (*proposal.Files, error) {
	hint := "vexa proposal list " + r.name + " --all shows them"
	if !unitForm.MatchString(id) {
		return nil, fault.New(fault.Invalid, "not the id of a proposal: "+strconv.Quote(id), hint)
	}
	refs, err := r.refsBelow(proposal.Space)
	if err != nil {
		return nil, err
	}
	var found []string
	if tip, ok := refs[proposal.Ref(id)]; ok {
		return r.readProposal(ctx, id, tip)
	}
	for name := range refs {
		rest, ok := strings.CutPrefix(name, proposal.Space)
		if ok && len(rest) >= len(id) && strings.EqualFold(rest[:len(id)], id) {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return nil, fault.New(fault.NotFound, r.name+" has no proposal "+strconv.Quote(id), hint)
	case 1:
		return r.readProposal(ctx, strings.TrimPrefix(found[0], proposal.Space), refs[found[0]])
	default:
		return nil, fault.Newf(fault.Invalid, "%d proposals of %s begin with %q", len(found), r.name, id).WithHint(hint)
	}
}

// readProposal reads the proposal of an id at a commit.
func (r *repo) readProposal(ctx context.Context, id string, tip object.ID) (*proposal.Files, error) {
	return proposal.Read(ctx, r.Repo, id, tip)
}

// events reads the history of a proposal, with who signed each.
func (r *repo) events(ctx context.Context, m manifestv1.Membership, f *proposal.Files) ([]ProposalEvent, error) {
	list, err := f.Events(ctx, r.Repo)
	out := make([]ProposalEvent, 0, len(list))
	for _, e := range list {
		out = append(out, ProposalEvent{Kind: e.Kind, Commit: e.Commit, By: signerOf(m, e.Raw), Time: e.Time, Text: e.Text})
	}
	return out, err
}

func (r *repo) summary(ctx context.Context, st *bucket.State, id string, tip object.ID) (Proposal, error) {
	f, err := r.readProposal(ctx, id, tip)
	if err != nil {
		return Proposal{}, err
	}
	return r.summarise(ctx, st, f)
}

// summarise says how a proposal stands in a state of the bucket.
func (r *repo) summarise(ctx context.Context, st *bucket.State, f *proposal.Files) (Proposal, error) {
	p := Proposal{Proposal: f.Proposal, Workspace: r.id, Body: f.Body, Conflicts: f.Conflicts, Updated: f.Commit.Committer.Time}
	p.By = signerOf(st.Membership, f.Raw)
	p.Needed = bucket.Threshold(st.Membership, f.Target)
	about := proposal.Subject{Bucket: r.bucket.ID(), Proposal: f.Proposal, Policy: st.Membership}
	p.Approved = len(about.Count(f.Approvals))
	for _, a := range f.Approvals {
		who, why := about.Why(a)
		p.Approvals = append(p.Approvals, ProposalApproval{By: Signer{Name: who.Name, Key: a.Key.Fingerprint(), Until: who.Until}, Time: a.Time, Counts: why == "", Why: why})
	}
	for name, why := range f.Broken {
		p.Approvals = append(p.Approvals, ProposalApproval{By: Signer{Key: name}, Why: why})
	}
	var err error
	switch f.Status {
	case proposalv1.StatusOpen:
		p.Stale, err = r.stale(ctx, f)
	case proposalv1.StatusAccepted:
		p.Problem, err = r.unaccepted(ctx, f)
	}
	if p.By.Name == "" {
		p.Problem = "its newest event, of commit " + f.Tip.String()[:12] + ", is signed by nobody who is or was a member"
	}
	return p, err
}

// stale reports whether the target or the branch of a proposal moved since it was
// merged.
func (r *repo) stale(ctx context.Context, f *proposal.Files) (bool, error) {
	target, err := r.ref(f.Target)
	if err != nil || target.String() != f.From || f.Branch == "" {
		return err == nil && target.String() != f.From, err
	}
	newer, err := r.newerSource(ctx, f)
	return !newer.IsZero(), err
}

// newerSource is what the branch of a proposal has in place of its source; zero where
// that is the source, or older, as on a machine that lags behind.
func (r *repo) newerSource(ctx context.Context, f *proposal.Files) (object.ID, error) {
	if f.Branch == "" {
		return object.ID{}, nil
	}
	branch, err := r.ref(f.Branch)
	if err != nil || branch.IsZero() || branch.String() == f.Source {
		return object.ID{}, err
	}
	source, err := parseID(f.Source)
	if err != nil {
		return object.ID{}, err
	}
	older, err := r.isAncestor(ctx, branch, source)
	if err != nil || older {
		return object.ID{}, err
	}
	return branch, nil
}

// unaccepted says what is wrong with a proposal that says it was accepted: its
// target has to hold the merge, of these sides and with this result.
func (r *repo) unaccepted(ctx context.Context, f *proposal.Files) (string, error) {
	const not = "it says that it was accepted, and "
	id, err := object.ParseID(f.Merge)
	if err != nil {
		return not + "does not say as what", nil //nolint:nilerr // that is what is wrong
	}
	c, err := r.readCommit(ctx, id)
	if err != nil || !f.IsMerge(c) {
		return not + "the commit that it names is no merge of its sides with its result", nil //nolint:nilerr // the same
	}
	target, err := r.ref(f.Target)
	if err != nil || target.IsZero() {
		return "", err
	}
	held, err := r.isAncestor(ctx, id, target)
	if err == nil && !held {
		return not + f.Target + " does not hold the merge", nil
	}
	return "", err
}

// whoSigned returns the key that signed a commit, by its signature, and who is or was
// the member with it; without a name it is nobody.
func whoSigned(m manifestv1.Membership, raw []byte) (fingerprint string, who manifestv1.Member) {
	key, err := proposal.SignedBy(raw)
	if err != nil {
		return "", who
	}
	who, _ = bucket.EverMemberWith(m, key)
	return key.Fingerprint(), who
}

// signerOf is whoSigned as it is shown.
func signerOf(m manifestv1.Membership, raw []byte) Signer {
	key, who := whoSigned(m, raw)
	return Signer{Name: who.Name, Key: key, Until: who.Until}
}
