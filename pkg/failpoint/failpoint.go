// Package failpoint names the instants between two durable steps at which a
// test may kill, hold or fail a process. Each package that has such steps
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
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Env names the directory in which points are armed.
const Env = "VEXA_FAILPOINTS"

// Point is an instant in the life of a process, such as dispatch.accepted.
type Point string

// Action is what happens to the process that comes to a point.
type Action string

// The actions.
const (
	Kill   Action = "kill"   // SIGKILL to itself
	Hold   Action = "hold"   // waits until Release, or until its context ends
	NoRoom Action = "enospc" // the step fails as on a full disk
)

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

// At is called at an instant. It returns nil unless the point is armed to make
// the step fail, or ctx ended while it was held.
func (s *Set) At(ctx context.Context, p Point) error {
	if s == nil {
		return nil
	}
	file := filepath.Join(s.dir, string(p))
	reached := file + reachedSuffix
	if err := os.Rename(file, reached); err != nil {
		return nil //nolint:nilerr // it is not armed, or another process took it
	}
	text, err := os.ReadFile(reached)
	if err != nil {
		return fmt.Errorf("failpoint %s: %w", p, err)
	}
	switch a := Action(strings.TrimSpace(string(text))); a {
	case Kill:
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return fmt.Errorf("failpoint %s: %w", p, err)
		}
		select {} // until the signal takes effect
	case Hold:
		return hold(ctx, file+goSuffix)
	case NoRoom:
		return fmt.Errorf("failpoint %s: %w", p, syscall.ENOSPC)
	default:
		return fmt.Errorf("failpoint %s: no action %q", p, a)
	}
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

// Arm has the next process that comes to p in dir do a.
func Arm(dir string, p Point, a Action) error {
	for _, suffix := range []string{reachedSuffix, goSuffix} {
		if err := os.Remove(filepath.Join(dir, string(p)+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// Whole before it is seen.
	whole := filepath.Join(dir, "."+string(p))
	if err := os.WriteFile(whole, []byte(a), 0o600); err != nil {
		return err
	}
	return os.Rename(whole, filepath.Join(dir, string(p)))
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
