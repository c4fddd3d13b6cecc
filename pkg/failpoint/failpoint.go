// Package failpoint names the instants between two durable steps at which a
// test may hold a process, to kill it there or to change the world around it. Each package that has such steps
// declares its points by the state they lie in; tests enumerate them, so that
// no state of a state machine is left without one.
//
// Points cost a nil check where they are off, which they are unless
// VEXA_FAILPOINTS names a directory. There a test arms a point with a file of
// its name ([Arm]); the first process that comes by takes it, once.
package failpoint

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Env names the directory in which points are armed.
const Env = "VEXA_FAILPOINTS"

// Point is an instant in the life of a process, such as dispatch.accepted.
type Point string

// What becomes of the file that arms a point.
const (
	reachedSuffix = ".reached" // a process took it
	goSuffix      = ".go"      // the process that holds may go on
)

const pollEvery = 2 * time.Millisecond

// Set knows where points are armed. A nil Set has none. Its methods may be
// called concurrently.
type Set struct{ dir string }

// New returns the points armed in dir, nil where dir is empty.
func New(dir string) *Set {
	if dir == "" {
		return nil
	}
	return &Set{dir: dir}
}

// At is called at an instant. Where the point is armed it returns after
// [Release]; its error is that ctx ended before.
func (s *Set) At(ctx context.Context, p Point) error {
	if s == nil {
		return nil
	}
	file := filepath.Join(s.dir, string(p))
	if err := os.Rename(file, file+reachedSuffix); err != nil {
		return nil //nolint:nilerr // it is not armed, or another process took it
	}
	return hold(ctx, file+goSuffix)
}

func hold(ctx context.Context, file string) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if _, err := os.Stat(file); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Arm has the next process that comes to p in dir stop there.
func Arm(dir string, p Point) error {
	for _, suffix := range []string{reachedSuffix, goSuffix} {
		if err := os.Remove(filepath.Join(dir, string(p)+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, string(p)), nil, 0o600)
}

// Reached reports whether a process has come to p since it was armed.
func Reached(dir string, p Point) bool {
	_, err := os.Stat(filepath.Join(dir, string(p)+reachedSuffix))
	return err == nil
}

// Release lets the process go on that is held at p.
func Release(dir string, p Point) error {
	return os.WriteFile(filepath.Join(dir, string(p)+goSuffix), nil, 0o600)
}
