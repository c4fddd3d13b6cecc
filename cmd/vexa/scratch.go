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
	"github.com/vexa-ai/vexa/pkg/runner"
)

// scratchPrefix begins the names of installations that are there for one command.
const scratchPrefix = "vexa-scratch-"

// scratch is the hook of commands that try something out in an installation of their
// own. Until that is dropped it changes this process's environment: everything that is
// opened meanwhile, the daemon that is started included, is the other installation's.
func scratch(f *factory.Factory) func(context.Context, string) (home.Home, func(context.Context) error, error) {
	return func(ctx context.Context, runnerName string) (home.Home, func(context.Context) error, error) {
		own, err := home.Open(os.Getenv, os.Getuid())
		if err != nil {
			return own, nil, err
		}
		files, err := ownFiles(own, runnerName)
		if err != nil {
			return own, nil, err
		}
		dir, err := os.MkdirTemp("", scratchPrefix)
		if err != nil {
			return own, nil, fault.Wrap(fault.Failed, "make an installation to try the runner in", err)
		}
		h, err := fillScratch(ctx, dir, runnerName, files)
		if err != nil {
			return h, nil, errors.Join(err, os.RemoveAll(dir))
		}
		return h, func(ctx context.Context) error { return dropScratch(ctx, f, dir) }, nil
	}
}

// ownFiles are the files of a person's own runner by their names; of one that ships
// there are none. The catalog knows names alone: a path that leads elsewhere is no
// runner, and nothing of what lies there is read.
func ownFiles(own home.Home, name string) (map[string][]byte, error) {
	catalog, _, err := loadRunners(own)
	if err != nil {
		return nil, err
	}
	if _, err := catalog.Get(name); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, file := range []string{runner.ManifestFile, runner.LockFile} {
		data, err := os.ReadFile(filepath.Join(own.Runners(), name, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fault.Newf(fault.Denied, "read %s of runner %s: %w", file, name, err).WithHint("make it readable, or add the runner again: vexa runner add DIR --replace")
		}
		files[file] = data
	}
	return files, nil
}

// fillScratch makes the installation, with a key that nothing protects.
func fillScratch(ctx context.Context, dir, runnerName string, files map[string][]byte) (home.Home, error) {
	if err := os.Setenv("VEXA_HOME", dir); err != nil {
		return home.Home{}, err
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
	at := filepath.Join(h.Runners(), runnerName)
	for name, data := range files {
		if err := os.MkdirAll(at, 0o700); err != nil {
			return h, err
		}
		if err := os.WriteFile(filepath.Join(at, name), data, 0o600); err != nil {
			return h, err
		}
	}
	return h, nil
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
