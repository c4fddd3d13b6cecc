package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/cli/conformance"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// scratchPrefix begins the names of installations that are there for one command.
const scratchPrefix = "vexa-scratch-"

const (
	startPatience = 25 * time.Second // more than a client gives a daemon for its start
	sweepPatience = 10 * time.Second
)

// scratch is the hook of commands that try something out in an installation of their
// own. Until that is dropped it changes this process's environment: everything that is
// opened meanwhile, the daemon that is started included, is the other installation's.
func scratch(f *factory.Factory) func(context.Context, string) (home.Home, func(context.Context) error, error) {
	return func(ctx context.Context, runnerName string) (home.Home, func(context.Context) error, error) {
		own, err := home.Open(os.Getenv, os.Getuid())
		if err != nil {
			return own, nil, err
		}
		m, files, err := ownFiles(own, runnerName)
		if err != nil {
			return own, nil, err
		}
		printed := conformance.AsPrinted(m)
		manifest, err := json.Marshal(printed)
		if err != nil {
			return own, nil, err
		}
		files[filepath.Join(printed.Name, runner.ManifestFile)] = manifest
		digest, err := runner.Builds{Dir: own.Images()}.Digest(m)
		if err != nil {
			return own, nil, err
		}
		s, err := newScratch(ctx, files)
		if err != nil {
			return own, nil, err
		}
		if digest != "" {
			builds := runner.Builds{Dir: s.home.Images()}
			if err := errors.Join(builds.Put(m, digest), builds.Put(printed, digest)); err != nil {
				return own, nil, errors.Join(err, s.remove(ctx), s.restore())
			}
		}
		s.follow(f)
		return s.home, func(ctx context.Context) error { return s.drop(ctx, f) }, nil
	}
}

// newScratch makes an installation, or leaves nothing behind.
func newScratch(ctx context.Context, files map[string][]byte) (*scratched, error) {
	dir, err := os.MkdirTemp("", scratchPrefix)
	if err != nil {
		return nil, fault.Wrap(fault.Failed, "make an installation to try the runner in", err)
	}
	s := &scratched{dir: dir, restore: restoring("VEXA_HOME")}
	s.home, err = fillScratch(ctx, dir, files)
	if err != nil {
		return nil, errors.Join(err, s.remove(ctx), s.restore())
	}
	return s, nil
}

// restoring returns what gives a variable the value, or the absence, that it has now.
func restoring(name string) func() error {
	value, set := os.LookupEnv(name)
	return func() error {
		if !set {
			return os.Unsetenv(name)
		}
		return os.Setenv(name, value)
	}
}

// ownFiles are a runner's manifest and the files of a person's own by their paths below the
// runners; of one that ships there are none. The catalog knows names alone: a path that leads elsewhere is no
// runner, and nothing of what lies there is read.
func ownFiles(own home.Home, name string) (runnerv2.Manifest, map[string][]byte, error) {
	catalog, err := loadRunners(own)
	if err != nil {
		return runnerv2.Manifest{}, nil, err
	}
	m, err := catalog.Get(name)
	if err != nil {
		return m, nil, err
	}
	files := map[string][]byte{}
	for _, file := range []string{runner.ManifestFile, runner.LockFile} {
		data, err := os.ReadFile(filepath.Join(own.Runners(), name, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return m, nil, fault.Newf(fault.Denied, "read %s of runner %s: %w", file, name, err).WithHint("make it readable, or add the runner again: vexa runner add DIR --replace")
		}
		files[filepath.Join(name, file)] = data
	}
	return m, files, nil
}

// fillScratch makes the installation, with a key that nothing protects.
func fillScratch(ctx context.Context, dir string, files map[string][]byte) (home.Home, error) {
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
	for path, data := range files {
		at := filepath.Join(h.Runners(), path)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			return h, err
		}
		if err := os.WriteFile(at, data, 0o600); err != nil {
			return h, err
		}
	}
	return h, nil
}

// scratched is an installation that is there for one command.
type scratched struct {
	dir     string
	home    home.Home
	restore func() error // of the environment

	mu   sync.Mutex
	over <-chan struct{} // closed when the daemon that was started last has ended; nil: none was
}

// follow has the daemons that are started be known: one that was started and does not
// answer yet would go on without its files.
func (s *scratched) follow(f *factory.Factory) {
	spawn, restore := f.Spawn, s.restore
	f.Spawn = func(ctx context.Context, h home.Home) (<-chan error, error) {
		ended, err := spawn(ctx, h)
		if err != nil {
			return nil, err
		}
		told, over := make(chan error, 1), make(chan struct{})
		s.mu.Lock()
		s.over = over
		s.mu.Unlock()
		go func() {
			told <- <-ended
			close(over)
		}()
		return told, nil
	}
	s.restore = func() error {
		f.Spawn = spawn
		return restore()
	}
}

// drop ends its daemon and removes it. Its key is protected by nothing, so that it goes
// even where its daemon does not.
func (s *scratched) drop(ctx context.Context, f *factory.Factory) error {
	stopping, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return errors.Join(s.stop(stopping, f), s.remove(ctx), s.restore())
}

// stop ends its daemon, which ends its runtime kernel before it has ended itself.
func (s *scratched) stop(ctx context.Context, f *factory.Factory) error {
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	if over == nil {
		return nil
	}
	c, err := f.Dial(false)
	if err != nil {
		return err
	}
	defer c.Close()
	pid, err := running(ctx, c, over)
	if err != nil || pid == 0 {
		return err
	}
	if err := c.Shutdown(ctx, true); err != nil {
		return err
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return fault.New(fault.Timeout, "the daemon of the installation that the runner was tried in does not end", "end it: kill "+strconv.Itoa(pid))
	}
}

// running waits until a daemon that was started answers, or has ended: pid 0.
func running(ctx context.Context, c *client.Client, over <-chan struct{}) (pid int, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, fault.New(fault.Timeout,
		"the daemon of the installation that the runner was tried in neither answers nor ends", "look for it: ps x | grep 'vexa daemon run'"))
	defer cancel()
	for {
		st, err := c.Status(ctx)
		if err == nil {
			return st.PID, nil
		}
		select {
		case <-over:
			return 0, nil
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// remove takes away all that opening it made: sockets and what is readable lie elsewhere.
func (s *scratched) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepPatience)
	defer cancel()
	var all error
	for _, dir := range []string{s.home.Plain, s.home.Run, s.dir} {
		if dir == "" { // it was not opened
			continue
		}
		all = errors.Join(all, sweep(ctx, dir))
	}
	return all
}

// sweep removes a directory into which something may still write a last time.
func sweep(ctx context.Context, dir string) error {
	for {
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
