package api

// OpenSealed is the body of POST /v1/keys/open: what is encrypted to the
// installation, such as the keyring of a bucket.
type OpenSealed struct {
	Sealed []byte `json:"sealed"` // an age file
}

// Opened answers it.
type Opened struct {
	Plain []byte `json:"plain"`
}

// Sign is the body of POST /v1/keys/sign.
type Sign struct {
	Namespace string `json:"namespace"` // of the signature: that of a bucket's manifests, or of deliveries
	Data      []byte `json:"data"`      // the line that is signed
}

// Signed answers it.
type Signed struct {
	Key       string `json:"key"`       // the public key, as ssh-keygen prints it
	Signature []byte `json:"signature"` // armoured; of no data where none was given
}
