package proposal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/ijson"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// ApprovalNamespace is that of an approval's signature (PROTOCOL.sshsig).
const ApprovalNamespace = "vexa-approval@v1"

// Signed is an approval with the key that signed it.
type Signed struct {
	proposalv1.Approval
	Key signature.Key
}

// ApprovalName is the name of an approval's file, without its ending.
func ApprovalName(key signature.Key) string {
	sum := sha256.Sum256([]byte(key.String()))
	return hex.EncodeToString(sum[:])
}

// Sign writes an approval in canonical form and signs it.
func Sign(a proposalv1.Approval, by signature.Signer) (text, armoured []byte, err error) {
	data, err := json.Marshal(a)
	if err != nil {
		return nil, nil, err
	}
	if err := contract.Validate("proposal.v1#Approval", data); err != nil {
		return nil, nil, err
	}
	if text, err = ijson.Canonical(data); err != nil {
		return nil, nil, err
	}
	armoured, err = by.Sign(ApprovalNamespace, text)
	return text, armoured, err
}

// Verify reads an approval from the file of a name. It is fault.Denied where its
// signature does not verify, or is another's than the name says.
func Verify(name string, text, armoured []byte) (Signed, error) {
	key, err := signature.KeyOf(armoured)
	if err != nil {
		return Signed{}, err
	}
	if ApprovalName(key) != name {
		return Signed{}, fault.New(fault.Denied, "the approval of one key lies under the name of another", "")
	}
	if err := key.Verify(ApprovalNamespace, text, armoured); err != nil {
		return Signed{}, err
	}
	a, err := contract.Decode[proposalv1.Approval]("proposal.v1#Approval", text)
	return Signed{a, key}, err
}

// Subject is what is approved: what an approval has to say, less its time.
type Subject struct {
	Bucket  string
	Content string // digest of the result's files; empty: it is not known, and is not compared
	proposalv1.Proposal
	Policy manifestv1.Membership
}

// approval is what somebody who approves it signs.
func (s Subject) approval() proposalv1.Approval {
	return proposalv1.Approval{
		Kind: proposalv1.KindApproval, Bucket: s.Bucket, Proposal: s.ID, Target: s.Target, From: s.From, Source: s.Source, Result: s.Result,
		Content: s.Content, Policy: int64(s.Policy.Version),
	}
}

// Approval returns what somebody who approves it at a time, in RFC 3339, signs.
func (s Subject) Approval(time string) proposalv1.Approval {
	a := s.approval()
	a.Time = time
	return a
}

// Why says why an approval does not count, and whose it is; "" means that it
// counts.
func (s Subject) Why(a Signed) (who manifestv1.Member, why string) {
	want := s.approval()
	want.Time = a.Time
	if want.Content == "" {
		want.Content = a.Content
	}
	who, ok := bucket.EverMemberWith(s.Policy, a.Key)
	switch {
	case !ok:
		return who, "who gave it is no member"
	case who.Until != 0:
		return who, "who gave it is no member any more"
	case who.Recovery:
		return who, "it is by a recovery key, which approves nothing"
	case !bucket.Allows(who, bucket.RightApprove, s.Target):
		return who, who.Name + " has no right to approve for " + s.Target
	case a.Bucket != want.Bucket:
		return who, "it is for another workspace"
	case a.Proposal != want.Proposal:
		return who, "it is for another proposal"
	case a.Target != want.Target:
		return who, "it is for " + strconv.Quote(a.Target)
	case a.From != want.From, a.Source != want.Source, a.Result != want.Result:
		return who, "it is for another result: it was merged again since"
	case a.Content != want.Content:
		return who, "its files have another digest than was signed"
	case a.Policy != want.Policy:
		return who, fmt.Sprintf("it was given under policy %d, which is %d now", a.Policy, want.Policy)
	case a.Approval != want:
		return who, "it says something else"
	}
	return who, ""
}

// Approvers names those whose approval counts, each once, with the key that signed.
func (s Subject) Approvers(all []Signed) []string {
	var out []string
	seen := map[string]bool{}
	for _, a := range all {
		if who, why := s.Why(a); why == "" && !seen[who.ID] {
			seen[who.ID] = true
			out = append(out, who.Name+" "+a.Key.Fingerprint())
		}
	}
	return out
}

// Uncounted says why the approvals that do not count do not, as the end of a
// sentence; "" where there is none.
func (s Subject) Uncounted(all []Signed) string {
	var b strings.Builder
	for _, a := range all {
		if who, why := s.Why(a); why != "" {
			name := who.Name
			if name == "" {
				name = a.Key.Fingerprint()
			}
			b.WriteString("; that of " + name + " does not count: " + why)
		}
	}
	return b.String()
}

// Count returns the ids of the members whose approval counts, each once.
func (s Subject) Count(all []Signed) map[string]bool {
	out := map[string]bool{}
	for _, a := range all {
		if who, why := s.Why(a); why == "" {
			out[who.ID] = true
		}
	}
	return out
}
