// Package keyringv1 holds the Go types of the contract bucket-keyring.v1: the
// private keys that open an encrypted bucket.
package keyringv1

// Keyring holds the private key of each epoch that its readers may read. It is
// stored encrypted to every member's recipients.
type Keyring struct {
	Bucket string `json:"bucket"` // id of the bucket: 32 hexadecimal digits
	Epoch  int    `json:"epoch"`  // the newest
	Keys   []Key  `json:"keys"`   // the newest first
}

// Key is the key of one epoch.
type Key struct {
	Epoch  int    `json:"epoch"`
	Secret string `json:"secret"` // AGE-SECRET-KEY-…
}
