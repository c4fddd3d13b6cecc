// Package atomicfile replaces files so that a crash at any instant, kill -9 and
// but for [Replace] power loss included, leaves the old bytes or the new ones, never a mixture.
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
	if err := replace(path, data, perm, (*os.File).Sync); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Replace is WriteFile for what can be had again: nothing is flushed. kill -9
// leaves the old bytes or the new ones; what a power loss leaves may be damaged,
// and its reader has to see that.
func Replace(path string, data []byte, perm fs.FileMode) error {
	return replace(path, data, perm, func(*os.File) error { return nil })
}

func replace(path string, data []byte, perm fs.FileMode, flush func(*os.File) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(perm), flush(tmp), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
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
