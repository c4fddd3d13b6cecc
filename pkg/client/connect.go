package client

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// retry holds the times of waiting for a daemon.
type retry struct {
	first, most time.Duration // pause between attempts, doubling from first to most
	ready       time.Duration // how long a started daemon may take to answer
	back        time.Duration // how long a broken stream waits for the daemon to be there again
}

func defaultRetry() retry {
	return retry{
		first: 10 * time.Millisecond,
		most:  time.Second,
		ready: 20 * time.Second, // adopting and sealing what a crash left behind comes first
		back:  60 * time.Second,
	}
}

// Connect makes sure that a daemon answers, starting one where none does and
// the options allow it. It returns the daemon's status.
func (c *Client) Connect(ctx context.Context) (api.Status, error) {
	st, err := c.Status(ctx)
	if !fault.Is(err, fault.Unreachable) {
		return st, err
	}
	if c.o.Start == nil {
		return st, fault.New(fault.Unreachable, "no daemon is running for this installation", "start it with: vexa daemon start")
	}
	return c.start(ctx)
}

// start starts a daemon under the lock and waits until it answers. Whoever
// gets the lock second finds the first one's daemon.
func (c *Client) start(ctx context.Context) (api.Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.retry.ready, fault.New(fault.Unreachable,
		"the daemon was started but does not answer on "+c.o.Socket, "see: vexa daemon logs"))
	defer cancel()
	unlock, err := c.lock(ctx)
	if err != nil {
		return api.Status{}, err
	}
	defer unlock()
	if st, err := c.Status(ctx); !fault.Is(err, fault.Unreachable) {
		return st, err
	}
	if err := c.o.Start(ctx); err != nil {
		return api.Status{}, &fault.Error{Kind: fault.Unreachable, Msg: "cannot start the daemon", Hint: "see: vexa daemon logs", Err: err}
	}
	return c.await(ctx)
}

// await polls until the daemon answers or ctx ends.
func (c *Client) await(ctx context.Context) (api.Status, error) {
	for pause := c.retry.first; ; pause = min(2*pause, c.retry.most) {
		st, err := c.Status(ctx)
		if !fault.Is(err, fault.Unreachable) || ctx.Err() != nil {
			return st, err
		}
		if err := sleep(ctx, pause); err != nil {
			return api.Status{}, err
		}
	}
}

// lock takes the start lock. The file is never removed: a lock belongs to an
// inode, and a second file of the name would be a second lock.
func (c *Client) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(c.o.Lock, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fault.Newf(fault.Unreachable, "lock the start of the daemon: %w", err)
	}
	for pause := c.retry.first; ; pause = min(2*pause, c.retry.most) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // a descriptor fits an int
		if err == nil {
			return func() { _ = f.Close() }, nil // closing releases the lock
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = f.Close() // the lock's error says more
			return nil, fault.Newf(fault.Unreachable, "lock %s: %w", c.o.Lock, err)
		}
		if err := sleep(ctx, pause); err != nil {
			_ = f.Close() // never locked
			return nil, err
		}
	}
}

// crashed reports whether err says that a socket is there and nobody listens:
// the daemon was killed. One that was stopped took its socket along.
func crashed(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return interrupted(ctx)
	case <-t.C:
		return nil
	}
}

// WaitStopped waits until the daemon with the given process id no longer
// answers, or another one does.
func (c *Client) WaitStopped(ctx context.Context, pid int) error {
	for pause := c.retry.first; ; pause = min(2*pause, c.retry.most/4) {
		st, err := c.Status(ctx)
		switch {
		case ctx.Err() != nil:
			return interrupted(ctx)
		case err != nil || st.PID != pid:
			return nil
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}
