// Package proposalv1 holds the Go types of the contract proposal.v1: a merge that
// waits for people.
package proposalv1

// The values of Kind.
const (
	KindProposal  = "proposal"
	KindConflicts = "conflicts"
	KindApproval  = "approval"
)

// The values of Proposal.Status.
const (
	StatusOpen     = "open"
	StatusAccepted = "accepted"
	StatusRejected = "rejected"
	StatusObsolete = "obsolete" // the target came to hold the source in another way
)

// The values of Conflict.Resolution; empty: it is open.
const (
	ResolutionOurs    = "ours"
	ResolutionTheirs  = "theirs"
	ResolutionEdited  = "edited"
	ResolutionRemoved = "removed"
)

// Proposal says what is to be merged into what. Object ids are hexadecimal.
type Proposal struct {
	Kind    string   `json:"kind"` // proposal
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Status  string   `json:"status"`
	Target  string   `json:"target"`            // ref
	From    string   `json:"from"`              // the commit of the target that it was merged with
	Branch  string   `json:"branch,omitempty"`  // ref that the source comes from
	Source  string   `json:"source"`            // commit
	Result  string   `json:"result"`            // tree
	Subject string   `json:"subject,omitempty"` // on whose behalf the source was made
	Unit    string   `json:"unit,omitempty"`    // the dispatch that made it
	Undoes  []string `json:"undoes,omitempty"`  // commits that it takes back
	Merge   string   `json:"merge,omitempty"`   // the commit that the target got
}

// Conflicts are the paths that could not be merged.
type Conflicts struct {
	Kind  string     `json:"kind"` // conflicts
	Paths []Conflict `json:"paths"`
}

// Conflict is one of them.
type Conflict struct {
	Path       string   `json:"path"`
	Why        []string `json:"why"`
	Base       *File    `json:"base,omitempty"`
	Ours       *File    `json:"ours,omitempty"`   // of the target
	Theirs     *File    `json:"theirs,omitempty"` // of the source
	Resolution string   `json:"resolution,omitempty"`
}

// File is one version of a file.
type File struct {
	Mode string `json:"mode"` // 100644 | 100755 | 120000 | 160000
	ID   string `json:"id"`
}

// Approval is what somebody signs: that a target may get a result.
type Approval struct {
	Kind     string `json:"kind"`   // approval
	Bucket   string `json:"bucket"` // id
	Proposal string `json:"proposal"`
	Target   string `json:"target"`
	From     string `json:"from"`
	Source   string `json:"source"`
	Result   string `json:"result"`
	Content  string `json:"content"` // SHA-256 of the result's files
	Policy   int64  `json:"policy"`  // version of the membership
	Time     string `json:"time"`    // RFC 3339
}
