package bucket

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// Which bucket is where is remembered, too. Whoever keeps the storage could
// else put another one of a person's buckets in the place of this one, which
// more people read: the first FORMAT that comes along would choose the pin.

// placeFile is the file that holds the id of the bucket at a URL.
func placeFile(state, url string) string { return filepath.Join(state, "at-"+sum([]byte(url))[:32]) }

// idAt returns the id that the bucket at a URL had when it was last used; empty
// where none was.
func idAt(state, url string) (string, error) {
	data, err := os.ReadFile(placeFile(state, url))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fault.Wrap(fault.Internal, "read which bucket is at "+url, err)
	}
	id := strings.TrimSpace(string(data))
	if !isHex(id, 2*idBytes) {
		return "", nil // it can be had again
	}
	return id, nil
}

// samePlace refuses a bucket where there was another one.
func samePlace(state, url, id string) error {
	before, err := idAt(state, url)
	if err != nil || before == "" || before == id {
		return err
	}
	return fault.New(fault.Denied, "the bucket at "+url+" is another one than before: its FORMAT says "+id+", and said "+before+"; nothing of it was read",
		"do not push: somebody has swapped it, or FORMAT is damaged, which vexa workspace repair NAME puts right; if you made another bucket there yourself: rm "+placeFile(state, url))
}

// remember notes that the bucket is where it is.
func (b *Bucket) remember() error {
	if b.placed {
		return nil
	}
	if before, err := idAt(b.opt.State, b.store.URL()); err != nil || before == b.id {
		b.placed = err == nil
		return err
	}
	err := atomicfile.WriteFile(placeFile(b.opt.State, b.store.URL()), []byte(b.id+"\n"), 0o600)
	b.placed = err == nil
	return fault.Wrap(fault.Internal, "remember which bucket is at "+b.store.URL(), err)
}

// Forget forgets which bucket is at a URL, so that another one may come into its
// place; what is known of the bucket itself stays. state is Options.State.
func Forget(state, url string) error {
	if err := os.Remove(placeFile(state, url)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Internal, "forget which bucket is at "+url, err)
	}
	return nil
}
