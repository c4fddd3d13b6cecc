package bucket

import (
	"io"
	"time"

	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// Beside is what it takes to keep something in a bucket beside its generations,
// under names that are none of theirs. Readers pass over such blobs.
type Beside struct {
	Bucket     string // its id
	Store      blob.Store
	Keys       Keys
	Dir        string // of this installation, for what it knows of the bucket
	Now        func() time.Time
	Failpoints *failpoint.Set
}

// Beside returns it. The bucket stays the owner of the store.
func (b *Bucket) Beside() Beside {
	return Beside{Bucket: b.id, Store: b.store, Keys: b.opt.Keys, Dir: b.local.dir, Now: b.opt.Now, Failpoints: b.opt.Failpoints}
}

// Decrypt opens what is encrypted to an epoch of the bucket, see seal.Decrypt. It goes by
// the keys of the newest generation that was read.
func (b *Bucket) Decrypt(r io.Reader) (io.Reader, error) {
	return seal.Decrypt(r, b.identities()...)
}
