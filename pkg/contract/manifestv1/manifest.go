// Package manifestv1 holds the Go types of the contract bucket-manifest.v1: one
// generation of an encrypted bucket.
package manifestv1

// Manifest is one generation of a bucket: what changed since a snapshot, signed
// and bound to the generation before.
type Manifest struct {
	Bucket       string      `json:"bucket"`               // id of the bucket: 32 hexadecimal digits
	Generation   int64       `json:"generation"`           // counts from 1
	Previous     string      `json:"previous,omitempty"`   // SHA-256 of the manifest of the generation before, as it is stored
	Anchor       *Anchor     `json:"anchor,omitempty"`     // the newest earlier manifest with a membership; absent in generation 1
	Membership   *Membership `json:"membership,omitempty"` // where this manifest sets it
	Epoch        int         `json:"epoch"`                // whose key this manifest and its new objects are encrypted to
	ObjectFormat string      `json:"objectFormat"`         // sha1 | sha256
	Head         string      `json:"head"`                 // the ref that HEAD means; need not exist
	Snapshot     *Object     `json:"snapshot,omitempty"`   // a Snapshot; what follows changes it
	Refs         []Ref       `json:"refs"`                 // set since the snapshot, by name
	Deleted      []string    `json:"deleted,omitempty"`    // refs deleted since the snapshot, by name
	Packs        []Pack      `json:"packs"`                // added since the snapshot
	Dropped      []string    `json:"dropped,omitempty"`    // packs of the snapshot that are no longer used
	Retired      []Retired   `json:"retired,omitempty"`    // since the snapshot: objects that are not used any more and not removed yet
	Log          *Log        `json:"log,omitempty"`        // the hashes of manifests that were removed
	Repairs      *Anchor     `json:"repairs,omitempty"`    // the newest generation that could be read when this one repaired the bucket
	Time         string      `json:"time"`                 // RFC 3339, UTC: the writer's clock, which proves nothing
}

// Anchor names one manifest.
type Anchor struct {
	Generation int64  `json:"generation"`
	SHA256     string `json:"sha256"` // of the manifest as it is stored
}

// Object names one stored object.
type Object struct {
	SHA256 string `json:"sha256"` // of the object as it is stored
	Size   int64  `json:"size"`   // in bytes, as it is stored
}

// Ref is one ref.
type Ref struct {
	Name string `json:"name"`
	ID   string `json:"id"` // object id, hexadecimal
}

// Pack is one pack of Git objects.
type Pack struct {
	SHA256     string  `json:"sha256"`
	Size       int64   `json:"size"`
	Kind       string  `json:"kind"`            // base: whole by itself; segment: thin
	Index      *Object `json:"index,omitempty"` // of a base
	Objects    int64   `json:"objects"`         // how many Git objects it holds
	Generation int64   `json:"generation"`      // the newest generation whose objects it holds
}

// Retired is an object that is not used any more.
type Retired struct {
	SHA256     string `json:"sha256"`
	Generation int64  `json:"generation"` // that stopped using it
}

// Log is where the hashes of removed manifests are.
type Log struct {
	SHA256     string `json:"sha256"`
	Size       int64  `json:"size"`
	Generation int64  `json:"generation"` // the newest that it lists
}

// Snapshot is everything that refs and packs were at one generation.
type Snapshot struct {
	Bucket     string `json:"bucket"`
	Generation int64  `json:"generation"`
	Refs       []Ref  `json:"refs"`
	Packs      []Pack `json:"packs"`

	Retired []Retired `json:"retired,omitempty"`
}

// Membership says who reads, writes and changes a bucket.
type Membership struct {
	Version   int        `json:"version"` // counts from 1, one for each change
	Recipient string     `json:"recipient"`
	Keyring   Keyring    `json:"keyring"`
	Members   []Member   `json:"members"`
	Approvals []Approval `json:"approvals,omitempty"`
}

// Keyring names the keyring of a membership.
type Keyring struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Member is one person or device.
type Member struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Recipients []string `json:"recipients"`      // age or SSH public keys; of a write-only member none
	Signers    []string `json:"signers"`         // SSH public keys
	Rights     []Right  `json:"rights"`          // none: reads only
	Recovery   bool     `json:"recovery"`        // the key in the safe
	Until      int64    `json:"until,omitempty"` // the last generation in which it was a member
}

// Right allows something on refs.
type Right struct {
	Refs  string   `json:"refs"`  // a ref's name, or a prefix that ends in /*
	Allow []string `json:"allow"` // write | approve | admin
}

// Approval is how many approvals a change of refs needs.
type Approval struct {
	Refs      string `json:"refs"`
	Threshold int    `json:"threshold"`
}
