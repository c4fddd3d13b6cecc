package bucket

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// hold locks a directory for as long as its maker lives, so that others can
// tell what a killed process left.
func hold(dir string) (release func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// heldDir makes a directory below parent that is held, whose name begins with
// prefix. Those of the prefix that killed processes left are removed. drop
// removes the directory.
func heldDir(parent, prefix string) (dir string, drop func(), err error) {
	clearStale(parent, prefix)
	for range maxHolds {
		dir, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return "", nil, fmt.Errorf("make room for packs: %w", err)
		}
		release, err := hold(dir)
		if err != nil { // somebody takes it for stale
			continue
		}
		if _, err := os.Stat(dir); err != nil { // and has removed it
			release()
			continue
		}
		return dir, func() { _ = os.RemoveAll(dir); release() }, nil
	}
	return "", nil, fmt.Errorf("make room for packs: others remove what is made in %s", parent)
}

// maxHolds is how many directories are made until one is held: between its
// making and its lock it looks like what a killed process left.
const maxHolds = 100

// clearStale removes the directories below parent that begin with prefix and
// whose makers are gone.
func clearStale(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		dir := filepath.Join(parent, e.Name())
		if release, err := hold(dir); err == nil {
			_ = os.RemoveAll(dir)
			release()
		}
	}
}
