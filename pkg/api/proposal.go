package api

import "time"

// Proposal answers GET /v1/workspaces/{name}/proposals/{id}, and is one row of GET
// /v1/workspaces/{name}/proposals?all=, where opened and events are not filled in.
// Title, body and the texts of events are by whoever wrote them.
type Proposal struct {
	ID        string             `json:"id"`
	Title     string             `json:"title"`
	Status    string             `json:"status"` // open | accepted | rejected | obsolete
	Target    string             `json:"target"` // ref
	Branch    string             `json:"branch"` // ref that the source is from; empty: none
	From      string             `json:"from"`   // commit of the target that it was merged with
	Source    string             `json:"source"` // commit
	Result    string             `json:"result"` // tree
	Merge     string             `json:"merge"`  // commit that the target got; empty: it is not accepted
	Subject   string             `json:"subject"`
	Unit      string             `json:"unit"`   // the dispatch that made it; empty: none
	Undoes    []string           `json:"undoes"` // commits that it takes back
	Body      string             `json:"body"`
	Conflicts []ProposalConflict `json:"conflicts"`
	Open      int                `json:"open"`     // of them that nobody resolved
	Needed    int                `json:"needed"`   // approvals, by the policy
	Approved  int                `json:"approved"` // members whose approval counts
	Approvals []ProposalApproval `json:"approvals"`
	Stale     bool               `json:"stale"` // it has to be merged again
	Problem   string             `json:"problem"`
	UpdatedAt time.Time          `json:"updatedAt"`
	By        Signer             `json:"by"` // who made the newest event
	OpenedBy  Signer             `json:"openedBy"`
	Events    []ProposalEvent    `json:"events"` // oldest first
}

// ProposalConflict is one path that could not be merged.
type ProposalConflict struct {
	Path       string   `json:"path"`
	Why        []string `json:"why"`
	Base       bool     `json:"base"` // there is such a version
	Ours       bool     `json:"ours"`
	Theirs     bool     `json:"theirs"`
	Resolution string   `json:"resolution"` // ours | theirs | edited | removed; empty: it is open
}

// ProposalApproval is one approval.
type ProposalApproval struct {
	By     Signer `json:"by"`
	Time   string `json:"time"`
	Counts bool   `json:"counts"`
	Why    string `json:"why"` // it does not
}

// Signer is who signed something.
type Signer struct {
	Name  string `json:"name"`  // of the member; empty: nobody who is or was one
	Key   string `json:"key"`   // fingerprint
	Until int64  `json:"until"` // the last generation in which they were one; 0: they are
}

// ProposalEvent is one event of a proposal's history.
type ProposalEvent struct {
	Kind string    `json:"kind"` // opened | commented | resolved | approved | rejected | refreshed | accepted | obsolete | reopened
	SHA  string    `json:"sha"`  // of the commit that says so
	By   Signer    `json:"by"`
	Time time.Time `json:"time"`
	Text string    `json:"text"` // of a comment
}

// CreateProposal is the body of POST /v1/workspaces/{name}/proposals.
type CreateProposal struct {
	Branch string `json:"branch"`
	Target string `json:"target,omitempty"` // empty: main
	Title  string `json:"title,omitempty"`  // empty: the first line of its newest commit
	Body   string `json:"body,omitempty"`
}

// ProposalText is the body of POST /v1/workspaces/{name}/proposals/{id}/comment and
// …/reject.
type ProposalText struct {
	Text string `json:"text,omitempty"`
}

// ProposalResult is the body of POST /v1/workspaces/{name}/proposals/{id}/approve and
// …/accept.
type ProposalResult struct {
	// Result is the tree that was looked at, or the beginning of its id: where the
	// proposal has another one by now it is a conflict. Empty: whatever it is.
	Result string `json:"result,omitempty"`
}

// ResolveProposal is the body of POST /v1/workspaces/{name}/proposals/{id}/resolve.
type ResolveProposal struct {
	Paths   []string `json:"paths,omitempty"`   // none: all that are open
	How     string   `json:"how"`               // ours | theirs | edited | removed
	Content []byte   `json:"content,omitempty"` // of the one path that was edited
	// From and Source are the sides that were looked at: where the proposal merges
	// others by now it is a conflict. Empty: whatever they are.
	From   string `json:"from,omitempty"`
	Source string `json:"source,omitempty"`
}

// ProposalSides answers GET /v1/workspaces/{name}/proposals/{id}/sides?path=. A
// version that is null is not there.
type ProposalSides struct {
	From     string           `json:"from"`
	Source   string           `json:"source"`
	Conflict ProposalConflict `json:"conflict"`
	Base     []byte           `json:"base"`
	Ours     []byte           `json:"ours"`
	Theirs   []byte           `json:"theirs"`
	Merged   []byte           `json:"merged"` // with markers where they disagree; null: it is no text
}

// Policy answers GET /v1/workspaces/{name}/policy.
type Policy struct {
	Version   int             `json:"version"` // of the membership: one more with each change of it or of this
	Approvals []ApprovalsRule `json:"approvals"`
}

// ApprovalsRule is how many members have to approve a change of branches.
type ApprovalsRule struct {
	Refs      string `json:"refs"`      // a ref, or a prefix that ends in /*
	Threshold int    `json:"threshold"` // in the body of POST /v1/workspaces/{name}/policy 0: none any more
}
