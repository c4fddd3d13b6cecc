package harness

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// soundWithin is how long an installation has to get over a fault.
const soundWithin = 30 * time.Second

// cmdSound keeps what vexa doctor says of the home the first time, and waits
// until it says the same again every later time: sound.
func cmdSound(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "sound")
	c, _ := ts.Value(claimKey{}).(*claim)
	home := ts.Getenv("VEXA_HOME")
	before, again := c.sound[home]
	for end := time.Now().Add(soundWithin); ; time.Sleep(200 * time.Millisecond) {
		now := verdicts(ts)
		if !again {
			if c.sound == nil {
				c.sound = map[string]string{}
			}
			c.sound[home] = now
			return
		}
		if now == before {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("doctor said\n%s\nand now it says\n%s", before, now)
		}
	}
}

// verdicts are the checks of vexa doctor, one a line.
func verdicts(ts *testscript.TestScript) string {
	var checks []struct{ Name, Status string }
	out, _, _ := run(ts, []string{"vexa", "doctor", "--json", "name,status"})
	if err := json.Unmarshal([]byte(out), &checks); err != nil {
		ts.Fatalf("vexa doctor: %v\n%s", err, out)
	}
	var lines []string
	for _, c := range checks {
		lines = append(lines, c.Name+" "+c.Status)
	}
	return strings.Join(lines, "\n")
}

// cmdSuspend stops every process of the home, and those in its containers, for
// a time, as the sleep of the machine would: suspend DURATION.
func cmdSuspend(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "suspend DURATION")
	pause, err := time.ParseDuration(args[0])
	ts.Check(err)
	home := ts.Getenv("VEXA_HOME")
	pids := processes(home)
	for _, line := range containers(installID(home)) {
		name, _, _ := strings.Cut(line, " ")
		out, err := exec.Command("podman", "inspect", "-f", "{{.State.Pid}}", name).Output()
		ts.Check(err)
		root, err := strconv.Atoi(strings.TrimSpace(string(out)))
		ts.Check(err)
		if root <= 1 {
			ts.Fatalf("container %s runs no more", name)
		}
		pids = append(pids, descendants(root)...)
	}
	pids = slices.DeleteFunc(pids, func(pid int) bool {
		err := syscall.Kill(pid, syscall.SIGSTOP)
		if err != nil && err != syscall.ESRCH {
			ts.Fatalf("stop process %d: %v", pid, err)
		}
		return err != nil
	})
	ts.Logf("%d processes stand still", len(pids))
	time.Sleep(pause) // nothing happens that could be waited for
	for _, pid := range slices.Backward(pids) {
		ts.Check(syscall.Kill(pid, syscall.SIGCONT))
	}
}

// descendants are a process and all below it.
func descendants(pid int) []int {
	pids := []int{pid}
	out, _ := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(pid)).Output()
	for field := range strings.FieldsSeq(string(out)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, descendants(child)...)
		}
	}
	return pids
}
