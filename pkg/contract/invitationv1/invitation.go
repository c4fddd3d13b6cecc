// Package invitationv1 holds the Go types of the contract invitation.v1: how
// somebody comes into a workspace of somebody else.
package invitationv1

// The values of Kind.
const (
	KindIntroduction = "introduction"
	KindInvitation   = "invitation"
)

// Introduction is who somebody is, by their own word.
type Introduction struct {
	Kind       string   `json:"kind"` // introduction
	Name       string   `json:"name"`
	Recipients []string `json:"recipients"`       // age or SSH public keys
	Signer     string   `json:"signer,omitempty"` // SSH public key; empty: they only read
}

// Invitation says where a workspace rests, and what to believe of it.
type Invitation struct {
	Kind       string   `json:"kind"`       // invitation
	Bucket     string   `json:"bucket"`     // id: 32 hexadecimal digits
	URL        string   `json:"url"`        // where the inviter reaches it
	Name       string   `json:"name"`       // as the inviter calls it
	Roots      []string `json:"roots"`      // fingerprints of the founders' signing keys, sorted
	Generation int64    `json:"generation"` // of the checkpoint
	SHA256     string   `json:"sha256"`     // of the manifest of that generation
	To         string   `json:"to"`         // as the workspace calls whom it is for
	Time       string   `json:"time"`       // RFC 3339, by the inviter's clock
}
