package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/runners"
)

func newFactory() *factory.Factory {
	f := &factory.Factory{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTTY: isTTY(os.Stdin), OutTTY: isTTY(os.Stdout), ErrTTY: isTTY(os.Stderr),
		Env: os.Getenv, Now: time.Now,
		Terminal:   factory.OpenTerminal,
		Interrupts: interrupts,
		Version:    version(),
		Home:       func() (home.Home, error) { return home.Open(os.Getenv, os.Getuid()) },
		Spawn:      spawnDaemon,
		OpenURL:    openURL,
		Keys:       keyStore,
		Contracts:  contracts{},
		FindModels: findModels, StoredModels: storedModels, BuildRunner: buildRunner,
		Rehearsal: writeCassette, CheckCassette: inference.CheckCassette,
	}
	f.CheckLock = checkLock
	f.Golden = runners.Golden
	f.Scratch = scratch(f)
	f.Extra = func() map[string][]*cobra.Command {
		return map[string][]*cobra.Command{
			"daemon":  {daemonRunCmd()},
			"runtime": {runtimeServeCmd()},
			"git":     {gitMaintainCmd(f), gitMergeCmd(f)},
		}
	}
	return f
}

func isTTY(f *os.File) func() bool {
	return func() bool { return term.IsTerminal(int(f.Fd())) }
}

// interrupts turns Ctrl-C into values while somebody listens.
func interrupts() (ch <-chan struct{}, stop func()) {
	sig := make(chan os.Signal, 2)
	out := make(chan struct{}, 2)
	done := make(chan struct{})
	signal.Notify(sig, os.Interrupt)
	go func() {
		for {
			select {
			case <-sig:
				select {
				case out <- struct{}{}:
				default:
				}
			case <-done:
				return
			}
		}
	}()
	return out, func() { signal.Stop(sig); close(done) }
}

// detached is this program with other arguments, outliving its parent and
// writing to the daemon's log.
func detached(h home.Home, args ...string) (cmd *exec.Cmd, closeLog func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	log, err := openLog(h.DaemonLog())
	if err != nil {
		return nil, nil, err
	}
	cmd = exec.Command(self, args...) //nolint:gosec,noctx // our own program, which outlives this one
	cmd.Dir = "/"
	cmd.Env = daemonEnv(os.Environ())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, func() { _ = log.Close() }, nil
}

const (
	logLimit = 8 << 20      // bytes; a log that has them is set aside
	logName  = "daemon.log" // as home.Home.DaemonLog has it
)

func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if st, err := os.Stat(path); err == nil && st.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// daemonEnv keeps what the daemon needs of an environment.
func daemonEnv(environ []string) []string {
	keep := []string{"HOME", "PATH", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "DBUS_SESSION_BUS_ADDRESS"}
	var out []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains(keep, name) || strings.HasPrefix(name, "XDG_") || strings.HasPrefix(name, "VEXA_") {
			out = append(out, kv)
		}
	}
	return out
}
