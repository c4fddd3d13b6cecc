// Package scratchdir makes directories for what a process needs while it runs.
// What a killed one left is told by a lock, which went with it, and is removed
// by the next.
package scratchdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is a directory that is locked until Remove or until its process ends.
type Dir struct {
	Path string
	held *os.File
}

// attempts is how many directories are made until one is held: between its
// making and its lock it looks like what a killed process left.
const attempts = 100

// Make makes a directory below parent whose name begins with prefix, and sweeps
// those of the prefix. Several processes may do so at once.
func Make(parent, prefix string) (*Dir, error) {
	Sweep(parent, prefix)
	for range attempts {
		path, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return nil, err
		}
		held, err := hold(path)
		if err != nil { // somebody takes it for stale
			continue
		}
		if _, err := os.Stat(path); err != nil { // and has removed it
			_ = held.Close()
			continue
		}
		return &Dir{Path: path, held: held}, nil
	}
	return nil, fmt.Errorf("others remove what is made in %s", parent)
}

// Remove removes the directory with all that is in it.
func (d *Dir) Remove() error {
	return errors.Join(os.RemoveAll(d.Path), d.held.Close())
}

// Sweep removes the directories below parent that begin with prefix and whose
// processes are gone. What cannot be removed stays for the next.
func Sweep(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		path := filepath.Join(parent, e.Name())
		if held, err := hold(path); err == nil {
			_ = os.RemoveAll(path)
			_ = held.Close()
		}
	}
}

// hold locks a directory for as long as the file is open.
func hold(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
