package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// What a fault befalls.
const (
	victimDaemon    = "daemon"
	victimKernel    = "kernel"
	victimWorker    = "worker"
	victimPodman    = "podman"
	victimContainer = "container"
)

// How long the parts of a fault may take.
const (
	reachWithin   = 40 * time.Second
	recoverWithin = 90 * time.Second
)

// inProcess are the points that no command leads to at will; tests of
// pkg/dispatch come by them.
func inProcess() []failpoint.Point {
	return []failpoint.Point{"dispatch.resealed", "dispatch.carried", "dispatch.removed"}
}

// points are the failpoints of daemon and kernel, by the state they lie in.
func points() (all []failpoint.Point) {
	for _, list := range dispatch.Failpoints() {
		all = append(all, list...)
	}
	for _, list := range runtime.Failpoints() {
		all = append(all, list...)
	}
	all = slices.DeleteFunc(all, func(p failpoint.Point) bool { return slices.Contains(inProcess(), p) })
	slices.Sort(all)
	return all
}

// cmdFaults has a dispatch come to each failpoint in turn, kills the victim
// there, and looks whether the installation comes to rest with nothing lost,
// orphaned or said twice: faults VICTIM [POINT...].
func (s *suite) cmdFaults(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 1, "faults daemon|kernel|worker|podman|container [POINT...]")
	c, _ := ts.Value(claimKey{}).(*claim)
	f := &faults{ts: ts, c: c, victim: args[0], dir: ts.Getenv(failpoint.Env), home: ts.Getenv("VEXA_HOME")}
	if f.dir == "" {
		ts.Fatalf("%s is not set", failpoint.Env)
	}
	list := points()
	if len(args) > 1 {
		list = nil
		for _, name := range args[1:] {
			list = append(list, failpoint.Point(name))
		}
	}
	f.healthy = f.doctor()
	for i, p := range list {
		f.one(i, p)
	}
}

// faults is one victim's run through the points.
type faults struct {
	ts        *testscript.TestScript
	c         *claim
	victim    string
	dir, home string
	healthy   string // what doctor said before
	commits   int    // of the workspace so far
}

// dispatched is what a client was told of its dispatch.
type dispatched struct {
	unit, turn string
	code       int
	acked      bool // it saw a good turn-done
	out        string
}

func (f *faults) one(i int, p failpoint.Point) {
	began := time.Now()
	text := fmt.Sprintf("fault %s %d", f.victim, i)
	started := f.lead(p, text)
	f.until(reachWithin, string(p)+" to be reached", func() bool { return failpoint.Reached(f.dir, p) })
	struck := f.strike(p)
	if struck == nobody && f.there(p) {
		f.ts.Fatalf("%s: there is no %s to strike", p, f.victim)
	}
	f.ts.Check(failpoint.Release(f.dir, p))
	if f.victim == victimKernel {
		f.vexa("daemon", "start")
	}
	d := f.outcome(started)
	f.rest(p)
	f.consistent(p, d, text)
	now := ""
	f.untilSaid(recoverWithin, func() string { return fmt.Sprintf("%s: doctor to be content; it says\n%s", p, now) }, func() bool {
		now = f.doctor()
		return now == f.healthy
	})
	fmt.Fprintf(f.ts.Stdout(), "%-22s %-12s exit %d  %.1fs\n", p, struck, d.code, time.Since(began).Seconds())
}

// lead arms the point and runs the command that leads to it.
func (f *faults) lead(p failpoint.Point, text string) *background {
	note := []string{"chat", "-p", "Write a note that says " + text, "--json"}
	switch p {
	case "dispatch.offered":
		first := f.vexa(append(note, "--idle", "15s")...)
		f.arm(p)
		return f.start(append(note, "--session", last(first).Session)...)
	case "runtime.stopping":
		unit := last(f.vexa(append(note, "--idle", "60s")...)).Unit
		f.arm(p)
		b := f.start("stop", unit)
		b.unit = unit
		return b
	default:
		f.arm(p)
		return f.start(note...)
	}
}

func (f *faults) arm(p failpoint.Point) { f.ts.Check(failpoint.Arm(f.dir, p)) }

// strike kills the victim, if there is one at this point.
func (f *faults) strike(p failpoint.Point) string {
	pid := 0
	switch f.victim {
	case victimDaemon, victimKernel:
		var status struct{ PID, RuntimePID int }
		field := "pid,runtimePid"
		f.until(recoverWithin, "the "+f.victim+" to answer", func() bool {
			f.ts.Check(json.Unmarshal([]byte(f.vexa("daemon", "status", "--json", field)), &status))
			pid = map[string]int{victimDaemon: status.PID, victimKernel: status.RuntimePID}[f.victim]
			return pid != 0
		})
	case victimPodman:
		f.until(recoverWithin, "a Podman service", func() bool {
			for _, candidate := range processes(f.home) {
				if strings.Contains(commandLine(candidate), "system service") {
					pid = candidate
				}
			}
			return pid != 0
		})
	case victimWorker, victimContainer:
		list := containers(installID(f.home))
		if len(list) == 0 {
			return nobody
		}
		name, _, _ := strings.Cut(list[0], " ")
		if f.victim == victimContainer {
			if out, err := removeContainer(name); err != nil {
				f.ts.Fatalf("%s: podman rm: %v: %s", p, err, out)
			}
			return "removed"
		}
		out, _ := exec.Command("podman", "inspect", "-f", "{{.State.Pid}}", name).Output()
		pid, _ = strconv.Atoi(strings.TrimSpace(string(out)))
	default:
		f.ts.Fatalf("no victim %q", f.victim)
	}
	if pid == 0 {
		return nobody
	}
	switch err := syscall.Kill(pid, syscall.SIGKILL); {
	case errors.Is(err, syscall.ESRCH): // it left between the question and the blow
		return nobody
	case err != nil:
		f.ts.Fatalf("%s: kill the %s, process %d: %v", p, f.victim, pid, err)
	}
	f.until(restWithin, "the victim to be gone", func() bool { return !alive(pid) })
	return "killed"
}

// nobody was struck.
const nobody = "nobody"

// there reports whether the victim must be there at a point: daemon, kernel and
// Podman always are, the container from its creation, and the worker from its
// start, until the end of its one turn is acknowledged: then it leaves.
func (f *faults) there(p failpoint.Point) bool {
	switch p {
	case "dispatch.accepted", "dispatch.begun", "dispatch.prepared",
		"dispatch.session", "dispatch.sealed", "dispatch.told", "dispatch.turn-done", "dispatch.releasing", "dispatch.released", "dispatch.ended",
		"runtime.entered", "runtime.stopped", "runtime.destroyed":
		return f.victim != victimWorker && f.victim != victimContainer
	case "runtime.created", "runtime.running", "runtime.ended": // before, after or without its end
		return f.victim != victimWorker
	default:
		return true
	}
}

// rest waits until nothing is live any more.
func (f *faults) rest(p failpoint.Point) {
	id := installID(f.home)
	var left []string
	f.untilSaid(recoverWithin, func() string { return fmt.Sprintf("%s: to come to rest: %s", p, strings.Join(left, "; ")) }, func() bool {
		left = nil
		if rows := strings.TrimSpace(f.try("ps", "--json", "id,state,detail")); rows != "[]" {
			left = append(left, "vexa ps "+rows)
		}
		for _, line := range containers(id) {
			left = append(left, "container "+line)
		}
		for _, dir := range plainDirs(id) {
			units, _ := filepath.Glob(filepath.Join(dir, "units", "*"))
			for _, unit := range units {
				left = append(left, "directory "+unit)
			}
		}
		return len(left) == 0
	})
	count := map[string]int{}
	for _, pid := range processes(f.home) {
		for _, kind := range []string{"daemon run", "runtime serve", "system service"} {
			if strings.Contains(commandLine(pid), kind) {
				count[kind]++
			}
		}
	}
	if count["daemon run"] != 1 || count["runtime serve"] > 1 || count["system service"] > 1 {
		f.ts.Fatalf("%s: processes at rest: %v", p, count)
	}
}

// consistent compares what the client was told, the topic, the table and the
// workspace.
func (f *faults) consistent(p failpoint.Point, d dispatched, text string) {
	var log []struct{ SHA, Unit string }
	f.ts.Check(json.Unmarshal([]byte(f.vexa("workspace", "log", "personal", "--limit", "100000", "--json", "sha,unit")), &log))
	if len(log) < f.commits {
		f.ts.Fatalf("%s: %d commits, there were %d", p, len(log), f.commits)
	}
	f.commits = len(log)
	if d.unit == "" {
		if d.code == 0 {
			f.ts.Fatalf("%s: exit 0 and no unit:\n%s", p, d.out)
		}
		return
	}
	t := read(f.vexa("logs", d.unit, "--json"))
	if what := t.wrong(d.turn); what != "" {
		f.ts.Fatalf("%s: %s", p, what)
	}
	commits := 0
	for _, c := range log {
		if c.Unit == d.unit {
			commits++
			if t.commits[c.SHA] != 1 {
				f.ts.Fatalf("%s: the topic has commit %s %d times", p, c.SHA, t.commits[c.SHA])
			}
		}
	}
	if commits != len(t.commits) {
		f.ts.Fatalf("%s: the topic has %d commits, the workspace %d", p, len(t.commits), commits)
	}
	if t.ok[d.turn] && !strings.Contains(f.vexa("workspace", "diff", "personal"), "+"+text) {
		f.ts.Fatalf("%s: the turn is said to be good, and main does not have %q", p, text)
	}
	if d.turn != "" && (d.code == 0) != (d.acked && t.ok[d.turn]) {
		f.ts.Fatalf("%s: exit %d, and the topic says of its turn: good %v\n%s", p, d.code, t.ok[d.turn], d.out)
	}
}

// doctor is the verdict of every check.
func (f *faults) doctor() string {
	var checks []struct{ Name, Status string }
	out := f.try("doctor", "--json", "name,status")
	if err := json.Unmarshal([]byte(out), &checks); err != nil {
		f.ts.Fatalf("vexa doctor: %v\n%s", err, out)
	}
	var lines []string
	for _, c := range checks {
		lines = append(lines, c.Name+" "+c.Status)
	}
	return strings.Join(lines, "\n")
}

// vexa runs a command that must succeed and returns its output.
func (f *faults) vexa(args ...string) string {
	out, errs, err := run(f.ts, append([]string{"vexa"}, args...))
	if err != nil {
		f.ts.Fatalf("vexa %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out
}

// try runs a command that may fail.
func (f *faults) try(args ...string) string {
	out, _, _ := run(f.ts, append([]string{"vexa"}, args...))
	return out
}

func (f *faults) until(within time.Duration, what string, ok func() bool) {
	f.untilSaid(within, func() string { return what }, ok)
}

func (f *faults) untilSaid(within time.Duration, what func() string, ok func() bool) {
	for end := time.Now().Add(within); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			f.ts.Fatalf("waited %s for %s", within, what())
		}
	}
}

// background is a command that runs on.
type background struct {
	cmd   *exec.Cmd
	out   string // file
	unit  string // what it stops; empty: it has its own
	ended chan error
}

func (f *faults) start(args ...string) *background {
	b := &background{out: filepath.Join(f.dir, ".out"), ended: make(chan error, 1)}
	file, err := os.Create(b.out)
	f.ts.Check(err)
	defer file.Close()
	b.cmd = exec.Command(filepath.Join(f.c.suite.bin, "vexa"), args...)
	b.cmd.Dir, b.cmd.Env = f.ts.MkAbs("."), f.c.environ(f.ts)
	b.cmd.Stdout, b.cmd.Stderr = file, file
	f.ts.Check(b.cmd.Start())
	go func() { b.ended <- b.cmd.Wait() }()
	return b
}

// outcome waits for the command's end and reads what it was told.
func (f *faults) outcome(b *background) dispatched {
	d := dispatched{unit: b.unit}
	select {
	case err := <-b.ended: // how it ended is judged later
		if b.cmd.ProcessState == nil {
			f.ts.Fatalf("%q: %v", b.cmd.Args, err)
		}
		d.code = b.cmd.ProcessState.ExitCode()
	case <-time.After(recoverWithin):
		_ = b.cmd.Process.Kill()
		f.ts.Fatalf("the client %q did not end", b.cmd.Args)
	}
	text, err := os.ReadFile(b.out)
	f.ts.Check(err)
	d.out = string(text)
	for line := range strings.Lines(d.out) {
		var frame struct {
			Unit, Turn, Type string
			OK               bool
		}
		if json.Unmarshal([]byte(line), &frame) != nil || frame.Unit == "" {
			continue
		}
		d.unit = frame.Unit
		if frame.Turn != "" {
			d.turn = frame.Turn
		}
		d.acked = d.acked || frame.Type == "turn-done" && frame.OK
	}
	return d
}

// removeContainer has Podman remove a container that may just be starting: then
// it says so instead of waiting, and is asked again.
func removeContainer(name string) (out []byte, err error) {
	for range 2 {
		out, err = exec.Command("podman", "rm", "-f", "-t", "0", name).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "container not running") {
			break
		}
	}
	return out, err
}
