// Package workspacev1 holds the Go types of the contract workspace.v1: where a
// workspace rests and how it is encrypted. It says nothing about its content.
package workspacev1

// Workspace describes a workspace at rest.
type Workspace struct {
	ID         string     `json:"id"`     // opaque; not the name
	Bucket     string     `json:"bucket"` // URL of its storage
	Mode       string     `json:"mode"`   // ro | rw: the most that may be granted here
	Encryption Encryption `json:"encryption"`
}

// Encryption says how the bucket is encrypted.
type Encryption struct {
	Scheme        string   `json:"scheme"`        // age | none
	Recipients    []string `json:"recipients"`    // age recipients; empty for none
	KeyGeneration int      `json:"keyGeneration"` // counts from 1; 0 for none
}
