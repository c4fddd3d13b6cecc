package bucket

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// OpenDamaged is Open for a verification or a repair: it opens a bucket whose
// FORMAT is damaged, missing, or that of another one, too. id is the bucket's;
// empty: the one that was at the URL before, or the only one that this
// installation knows of. Nothing is written; a repair writes the file again.
func OpenDamaged(ctx context.Context, opt Options, id string) (*Bucket, error) {
	b, err := Open(ctx, opt)
	if err == nil && (id == "" || b.id == id) {
		return b, nil
	}
	if cerr := opt.complete(); cerr != nil {
		return nil, cerr
	}
	if err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Denied) {
		return nil, err // there is none, or the storage does not answer
	}
	if id == "" {
		var kerr error
		if id, kerr = onlyID(opt); kerr != nil {
			return nil, kerr
		}
	}
	if !isHex(id, 2*idBytes) {
		return nil, fault.Wrap(fault.KindOf(err), "the bucket's id is not known here: give it, 32 hexadecimal digits", err)
	}
	return newBucket(opt, id)
}

// onlyID returns the id of the bucket that was at the URL before, or of the only
// one that is known; empty where that says nothing.
func onlyID(opt Options) (string, error) {
	id, err := idAt(opt.State, opt.Store.URL())
	if err != nil || id != "" {
		return id, err
	}
	entries, err := os.ReadDir(opt.State)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fault.Wrap(fault.Internal, "look for buckets that are known", err)
	}
	for _, e := range entries {
		if _, serr := os.Stat(filepath.Join(opt.State, e.Name(), pinFile)); serr != nil || !isHex(e.Name(), 2*idBytes) {
			continue
		}
		if id != "" {
			return "", nil // which one?
		}
		id = e.Name()
	}
	return id, nil
}
