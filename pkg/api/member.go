package api

// Members answers GET /v1/workspaces/{name}/members.
type Members struct {
	Generation  int64    `json:"generation"` // of the workspace's bucket
	Version     int      `json:"version"`    // of the membership: one more with each change
	Epoch       int      `json:"epoch"`      // of the key that new objects are encrypted to
	PostQuantum bool     `json:"postQuantum"`
	Members     []Member `json:"members"`
}

// Member is one member of a workspace, or somebody who was one.
type Member struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Recipients   []string `json:"recipients"` // what is encrypted to them; empty: they read nothing
	Signers      []string `json:"signers"`    // SSH public keys; empty: they write nothing
	Fingerprints []string `json:"fingerprints"`
	Rights       []Right  `json:"rights"` // what they may do besides reading
	Recovery     bool     `json:"recovery"`
	Until        int64    `json:"until"` // the last generation in which they were one; 0: they are
	Self         bool     `json:"self"`  // it is this installation
}

// Right allows something on refs.
type Right struct {
	Refs  string   `json:"refs"`  // a name, or a prefix that ends in /*
	Allow []string `json:"allow"` // write | approve | admin
}

// AddMember is the body of POST /v1/workspaces/{name}/members.
type AddMember struct {
	Introduction string  `json:"introduction"`   // what they say of themselves: invitation.v1#Introduction
	Name         string  `json:"name,omitempty"` // what they are called here; empty: as they call themselves
	Rights       []Right `json:"rights"`
	WriteOnly    bool    `json:"writeOnly,omitempty"` // they do not read: what they push is delivered
}

// SetRights is the body of POST /v1/workspaces/{name}/members/rights.
type SetRights struct {
	Member string  `json:"member"` // id, name, or the fingerprint of a signing key
	Rights []Right `json:"rights"` // in place of those they have
}

// AddKeys is the body of POST /v1/workspaces/{name}/members/keys.
type AddKeys struct {
	Member       string `json:"member"`       // id, name, or the fingerprint of a signing key
	Introduction string `json:"introduction"` // invitation.v1#Introduction; its name does not matter
}

// RemoveMember is the body of POST /v1/workspaces/{name}/members/remove.
type RemoveMember struct {
	Member string `json:"member"` // id, name, or the fingerprint of a signing key
}

// RemovedMember answers it.
type RemovedMember struct {
	Member     Member `json:"member"`
	Until      int64  `json:"until"`      // the last generation that their keys open
	Generation int64  `json:"generation"` // that shut them out
	Epoch      int    `json:"epoch"`      // that began with it
	Bucket     string `json:"bucket"`     // URL of where the workspace rests
	Short      string `json:"short"`      // which branch fewer may approve for than have to; empty: none
}

// Rotate is the body of POST /v1/workspaces/{name}/rotate.
type Rotate struct {
	Epoch     bool `json:"epoch"`     // begin a new one
	Reencrypt bool `json:"reencrypt"` // encrypt everything again that older keys open
}

// Rotated answers it.
type Rotated struct {
	Generation int64 `json:"generation"`
	Epoch      int   `json:"epoch"`
	Packs      int   `json:"packs"` // that were encrypted again
}

// Invite is the body of POST /v1/workspaces/{name}/invite.
type Invite struct {
	Member string `json:"member"` // id, name, or the fingerprint of a signing key
}

// Invitation answers it.
type Invitation struct {
	Text string `json:"text"` // invitation.v1#Invitation on one line, and its signature
}

// Join is the body of POST /v1/workspaces/join.
type Join struct {
	Invitation string `json:"invitation"`
	Name       string `json:"name,omitempty"`   // of the workspace here; empty: as the inviter calls it
	Bucket     string `json:"bucket,omitempty"` // URL; empty: the invitation's
	Anew       bool   `json:"anew,omitempty"`   // who writes and does not read forgets whom they believed, and what they delivered
}

// Joined answers it.
type Joined struct {
	Workspace Workspace `json:"workspace"`
	Inviter   string    `json:"inviter"` // name of the member who signed the invitation; empty where it is not for this installation to know
	Key       string    `json:"key"`     // fingerprint of the key that did
	Roots     []string  `json:"roots"`   // fingerprints of the founders' signing keys
}
