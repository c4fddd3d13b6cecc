// Package filelock lets one at a time hold a directory or what else a file
// stands for. The lock goes with its holder, however that ends.
package filelock

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Lock is held until Release. It is bound to the open file, so that a second
// Acquire within one process is refused like one from another.
type Lock struct{ file *os.File }

// Acquire takes the lock kept in the file path, which it makes (0600) where it
// is missing, and notes its process there. It does not wait: where the lock is held the error is
// fault.Conflict and names what and by which process.
func Acquire(path, what string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "lock "+what, err)
	}
	err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 32)) // only to say who
		f.Close()
		return nil, fault.New(fault.Conflict, what+" is held by process "+strings.TrimSpace(string(holder)), "stop that process first")
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), note(f))
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "lock "+what, errors.Join(err, f.Close()))
	}
	return &Lock{file: f}, nil
}

// poll is how often Wait looks: flock(2) waits by itself, but for no context.
const poll = 2 * time.Millisecond

// Wait takes the lock kept in the file path, which it makes (0600) where it is
// missing, once it is free. The error is the context's cause, or that of the
// system as it is, for the caller to say what was to be locked.
func Wait(ctx context.Context, path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return &Lock{file: f}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		}
	}
}

// Release gives the lock up. The file stays: removing it would let two
// processes hold locks on two files of one name. Closing alone would not do: a
// child that this process is about to start holds the file too until it runs.
func (l *Lock) Release() {
	_ = flock(l.file, unix.LOCK_UN) // Close is the second way to the same end
	l.file.Close()
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func note(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
