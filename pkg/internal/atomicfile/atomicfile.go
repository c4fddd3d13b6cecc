// Package atomicfile replaces files so that a crash at any instant, kill -9 and
// power loss included, leaves the old bytes or the new ones, never a mixture.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile makes path a file of exactly these bytes and permissions. It
// writes a temporary file beside it, flushes it, renames it into place and
// flushes the directory. Where it fails the old file is untouched, unless only
// the last flush failed: then the new one is there and may not survive a crash.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(perm), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return SyncDir(dir)
}

// SyncDir flushes a directory: what was created, renamed or removed in it
// survives a crash from then on.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
