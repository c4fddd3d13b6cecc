package gitremote_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
)

// lockKey puts a passphrase on the key of a machine.
func lockKey(tb testing.TB, m *machine) {
	tb.Helper()
	h, err := home.Open(m.lookup, os.Getuid())
	must(tb, err)
	store := keys.New(keys.Options{Dir: h.Keys(), Install: h.InstallID, Now: time.Now, Cost: 10})
	must(tb, store.Protect(context.Background(), m.chain.Classic(), keys.With{Passphrase: []byte("otter")}))
}

// holding is a machine whose helpers stop at points.
type holding struct {
	*machine
	dir    string
	points []failpoint.Point
	at     failpoint.Point // where it stands
	cmd    *exec.Cmd
}

// hold arms points: the first helper that comes by the first of them stops.
func (m *machine) hold(points ...failpoint.Point) *holding {
	m.tb.Helper()
	h := &holding{dir: m.tb.TempDir(), points: points}
	h.machine = m.with(failpoint.Env + "=" + h.dir)
	for _, p := range points {
		must(m.tb, failpoint.Arm(h.dir, p))
	}
	return h
}

// start starts a program; the returned function waits for its end.
func (h *holding) start(at string, args ...string) (end func() ran) {
	h.tb.Helper()
	h.cmd = h.command(at, args...)
	var out, stderr bytes.Buffer
	h.cmd.Stdout, h.cmd.Stderr = &out, &stderr
	must(h.tb, h.cmd.Start())
	done := make(chan struct{})
	go func() { _ = h.cmd.Wait(); close(done) }()
	h.tb.Cleanup(func() {
		select {
		case <-done:
		default:
			_ = syscall.Kill(-h.cmd.Process.Pid, syscall.SIGKILL)
			<-done
		}
	})
	return func() ran {
		<-done
		return ran{out: out.String(), err: stderr.String(), code: h.cmd.ProcessState.ExitCode()}
	}
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// reached reports whether a process comes to one of the points before the
// program ends.
func (h *holding) reached(ended <-chan ran) bool {
	h.tb.Helper()
	for start := time.Now(); time.Since(start) < patience; {
		<-time.After(time.Millisecond)
		for _, p := range h.points {
			if failpoint.Reached(h.dir, p) {
				h.at = p
				return true
			}
		}
		select {
		case <-ended:
			return false
		default:
		}
	}
	h.tb.Fatalf("no process came to %v", h.points)
	return false
}

// wait waits until a process stands at one of the points.
func (h *holding) wait() {
	h.tb.Helper()
	h.reached(nil)
	for _, p := range h.points { // the others are not to hold it again
		if p != h.at {
			_ = os.Remove(filepath.Join(h.dir, string(p)))
		}
	}
}

// release lets it go on.
func (h *holding) release() {
	h.tb.Helper()
	must(h.tb, failpoint.Release(h.dir, h.at))
}

// helperOf returns the id of the helper that a git started, 0 where it runs none.
func helperOf(git int) int {
	for _, pid := range descendantsOf(git) {
		if isHelper(pid) {
			return pid
		}
	}
	return 0
}

func isHelper(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	name, _, _ := strings.Cut(string(line), "\x00")
	return err == nil && filepath.Base(name) == helperName
}

// descendantsOf returns what a process started, and what those started. Git starts
// the helper by way of another git.
func descendantsOf(pid int) []int {
	var out []int
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	for text := range strings.FieldsSeq(string(data)) {
		if n, err := strconv.Atoi(text); err == nil {
			out = append(append(out, n), descendantsOf(n)...)
		}
	}
	return out
}
