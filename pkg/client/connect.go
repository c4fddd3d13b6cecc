package client

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
	"github.com/vexa-ai/vexa/pkg/internal/sleep"
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
	ended, err := c.o.Start(ctx)
	if err != nil {
		return api.Status{}, &fault.Error{Kind: fault.Unreachable, Msg: "cannot start the daemon", Hint: "see: vexa daemon logs", Err: err}
	}
	return c.await(ctx, ended)
}

// await polls until a daemon answers or ctx ends. It does not wait where the
// one that was started has ended, unless another was there first.
func (c *Client) await(ctx context.Context, ended <-chan error) (api.Status, error) {
	var cause error
	for pause := c.retry.first; ; pause = min(2*pause, c.retry.most) {
		st, err := c.Status(ctx)
		switch {
		case !fault.Is(err, fault.Unreachable):
			return st, err
		case cause != nil && (ctx.Err() != nil || !fault.Is(cause, fault.Conflict)):
			return st, endedAtStart(cause)
		case ctx.Err() != nil:
			return st, err
		}
		select {
		case <-ctx.Done():
		case cause = <-ended:
			ended = nil // and look once more
		case <-time.After(pause):
		}
	}
}

func endedAtStart(cause error) error {
	const log = "vexa daemon logs"
	hint := fault.HintOf(cause)
	switch {
	case hint == "":
		hint = "its log: " + log
	case !strings.Contains(hint, log):
		hint += " (its log: " + log + ")"
	}
	return &fault.Error{Kind: fault.Unreachable, Msg: "the daemon was started and has ended", Hint: hint, Err: cause}
}

// lock takes the start lock, waiting for whoever has it.
func (c *Client) lock(ctx context.Context) (unlock func(), err error) {
	for pause := c.retry.first; ; pause = min(2*pause, c.retry.most) {
		l, err := filelock.Acquire(c.o.Lock, "the start of the daemon")
		if err == nil {
			return l.Release, nil
		}
		if !fault.Is(err, fault.Conflict) {
			return nil, &fault.Error{Kind: fault.Unreachable, Msg: "no daemon runs, and none can be started", Err: err}
		}
		if err := rest(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// crashed reports whether err says that a socket is there and nobody listens:
// the daemon was killed. One that was stopped took its socket along.
func crashed(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

func rest(ctx context.Context, d time.Duration) error {
	if sleep.For(ctx, d) != nil {
		return interrupted(ctx)
	}
	return nil
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
			return nil //nolint:nilerr // it no longer answers: that was waited for
		}
		if err := rest(ctx, pause); err != nil {
			return err
		}
	}
}
