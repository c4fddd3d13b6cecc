package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// used notes that an input is needed, for Trim. A cache that cannot be written keeps what
// it has.
func (c Cache) used(d Digest) {
	now := time.Now()
	os.Chtimes(c.path(d), now, now) //nolint:errcheck // see above
}

// Trim removes the inputs that keep does not name and that no Fetcher was asked for
// since a time, and returns how many bytes they had. The caller holds the cache's lock.
func (c Cache) Trim(keep func(Digest) bool, since time.Time) (freed int64, err error) {
	paths, err := filepath.Glob(filepath.Join(c.Dir, "*", "*"))
	for _, path := range paths {
		d, bad := ParseDigest(filepath.Base(filepath.Dir(path)) + ":" + filepath.Base(path))
		if bad != nil || keep(d) {
			continue
		}
		info, lost := os.Lstat(path)
		if lost == nil && info.ModTime().After(since) {
			continue
		}
		if lost == nil {
			lost = os.Remove(path)
		}
		if lost == nil {
			freed += info.Size()
		} else if !errors.Is(lost, fs.ErrNotExist) {
			err = errors.Join(err, lost)
		}
	}
	return freed, err
}
