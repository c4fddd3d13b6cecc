package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
)

// scratchPrefix begins the names of installations that are there for one command.
const scratchPrefix = "vexa-scratch-"

// scratch is the hook of commands that try something out in an installation of their
// own. It changes this process's environment: everything that is opened later, the
// daemon that is started included, is the other installation's.
func scratch(f *factory.Factory) func(context.Context, string) (home.Home, func(context.Context) error, error) {
	return func(ctx context.Context, runnerName string) (home.Home, func(context.Context) error, error) {
		own, err := home.Open(os.Getenv, os.Getuid())
		if err != nil {
			return own, nil, err
		}
		dir, err := os.MkdirTemp("", scratchPrefix)
		if err != nil {
			return own, nil, fault.Wrap(fault.Failed, "make an installation to try the runner in", err)
		}
		h, err := fillScratch(ctx, own, dir, runnerName)
		if err != nil {
			return h, nil, errors.Join(err, os.RemoveAll(dir))
		}
		return h, func(ctx context.Context) error { return dropScratch(ctx, f, dir) }, nil
	}
}

// fillScratch makes the installation, with a key that nothing protects.
func fillScratch(ctx context.Context, own home.Home, dir, runnerName string) (home.Home, error) {
	if err := os.Setenv("VEXA_HOME", dir); err != nil {
		return own, err
	}
	h, err := home.Open(os.Getenv, os.Getuid())
	if err != nil {
		return h, err
	}
	store, err := keyStore(h)
	if err != nil {
		return h, err
	}
	if _, err := store.Create(ctx, keys.With{}); err != nil {
		return h, err
	}
	theirs := filepath.Join(own.Runners(), runnerName)
	if _, err := os.Stat(theirs); errors.Is(err, fs.ErrNotExist) {
		return h, nil // one that ships
	}
	if err := os.MkdirAll(h.Runners(), 0o700); err != nil {
		return h, err
	}
	return h, os.CopyFS(filepath.Join(h.Runners(), runnerName), os.DirFS(theirs))
}

// dropScratch ends its daemon and removes it.
func dropScratch(ctx context.Context, f *factory.Factory, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if c, err := f.Dial(false); err == nil {
		defer c.Close()
		if err := stopScratch(ctx, c); err != nil {
			return err
		}
	}
	for { // its runtime kernel ends after the daemon, and writes a last time
		err := os.RemoveAll(dir)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func stopScratch(ctx context.Context, c *client.Client) error {
	st, err := c.Status(ctx)
	if err != nil {
		return nil //nolint:nilerr // none runs
	}
	if err := c.Shutdown(ctx, true); err != nil {
		return err
	}
	return c.WaitStopped(ctx, st.PID)
}
