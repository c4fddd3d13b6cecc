package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
)

// command is one of the scripts' commands. README.md describes each.
type command = func(ts *testscript.TestScript, neg bool, args []string)

// commands are the scripts' commands beyond testscript's own.
func (s *suite) commands() map[string]command {
	return map[string]command{
		"alive":      cmdAlive,
		"answers":    s.cmdAnswers,
		"browser":    cmdBrowser,
		"capture":    cmdCapture,
		"connected":  cmdConnected,
		"containers": cmdContainers,
		"exits":      cmdExits,
		"faults":     s.cmdFaults,
		"jq":         cmdJQ,
		"kill9":      cmdKill9,
		"podman":     s.cmdPodman,
		"provider":   cmdProvider,
		"registries": cmdRegistries,
		"runner":     s.cmdRunner,
		"site":       cmdSite,
		"sound":      cmdSound,
		"suspend":    cmdSuspend,
		"terminal":   cmdTerminal,
		"tool":       cmdTool,
		"vexa":       cmdVexa,
		"waitfor":    cmdWaitFor,
	}
}

// cmdPodman says that the claim needs Podman: podman.
func (s *suite) cmdPodman(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "podman")
	if c, ok := ts.Value(claimKey{}).(*claim); ok {
		s.needsPodman(c.T)
	}
}

// cmdTool says that the claim needs a program of this machine: tool NAME.
func cmdTool(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "tool NAME")
	if c, ok := ts.Value(claimKey{}).(*claim); ok {
		needsTool(c.T, args[0])
	}
}

// cmdRegistries says that the claim needs the registries that packages come from:
// registries.
func cmdRegistries(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "registries")
	c, ok := ts.Value(claimKey{}).(*claim)
	switch {
	case os.Getenv(envNPM) != "" || !ok:
	case slices.Contains(strings.Split(os.Getenv(EnvNeeds), ","), "registries"):
		c.Fatalf("%s requires registries, and %s names none", EnvNeeds, envNPM)
	default:
		c.Skipf("needs registries: %s names none", envNPM)
	}
}

// vendor is the runner of a vendor whose image is made at reduced scale, too.
const vendor = "claude-code"

// cmdRunner says that the claim needs the image of a runner, and makes it where it is
// missing and there are registries: runner NAME.
func (s *suite) cmdRunner(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "runner NAME")
	c, ok := ts.Value(claimKey{}).(*claim)
	if !ok {
		return
	}
	s.needsPodman(c.T)
	ref, err := s.image(args[0])
	ts.Check(err)
	s.building.Lock() // two claims that need one make it once
	defer s.building.Unlock()
	if err := exec.Command("podman", "image", "exists", ref).Run(); err == nil {
		return
	}
	if os.Getenv(envNPM) != "" && (Full() || args[0] == vendor) {
		ts.Check(ts.Exec("vexa", "runner", "build", args[0]))
		return
	}
	if slices.Contains(strings.Split(os.Getenv(EnvNeeds), ","), "runners") {
		c.Fatalf("%s requires runners: make the image: vexa runner build %s", EnvNeeds, args[0])
	}
	c.Skipf("needs the image of runner %s: vexa runner build %[1]s", args[0])
}

// image is the name of the image of a runner that ships.
func (s *suite) image(runner string) (string, error) {
	data, err := os.ReadFile(filepath.Join(s.root, "runners", runner, "runner.json"))
	if err != nil {
		return "", err
	}
	var m runnerv2.Manifest
	err = json.Unmarshal(data, &m)
	return m.Image.Ref, err
}

// cmdVexa runs the binary under test: vexa ARG...
func cmdVexa(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("vexa", args...)
	if neg && err == nil {
		ts.Fatalf("it succeeded")
	}
	if !neg {
		ts.Check(err)
	}
}

// cmdExits runs a program that must end with a code: exits CODE PROG ARG...
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "exits CODE PROG ARG...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("it exited %d, not %d", got, want)
	}
}

// cmdCapture keeps a value of the last output in a variable:
// capture VAR [EXPR [FILE]], where EXPR is a jq expression with one result.
func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 1 && len(args) <= 3, "capture VAR [EXPR [FILE]]")
	file := "stdout"
	if len(args) == 3 {
		file = args[2]
	}
	value := strings.TrimSpace(ts.ReadFile(file))
	if len(args) > 1 {
		results, err := evaluate(args[1], value)
		ts.Check(err)
		if len(results) != 1 {
			ts.Fatalf("%s has %d results in %s, not one: %q", args[1], len(results), file, results)
		}
		value = results[0]
	}
	if value == "" {
		ts.Fatalf("%s is empty", args[0])
	}
	ts.Logf("%s=%s", args[0], value)
	ts.Setenv(args[0], value)
}

// cmdJQ compares what an expression finds with a pattern: jq EXPR FILE REGEXP.
// Results are one a line; FILE may be stdout or stderr.
func cmdJQ(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 3, "jq EXPR FILE REGEXP")
	results, err := evaluate(args[0], ts.ReadFile(args[1]))
	ts.Check(err)
	re, err := regexp.Compile("(?m)" + args[2])
	ts.Check(err)
	found := strings.Join(results, "\n")
	ts.Logf("[jq]\n%s", found)
	if re.MatchString(found) == neg {
		ts.Fatalf("%s in %s %s %q", args[0], args[1], map[bool]string{true: "matches", false: "does not match"}[neg], args[2])
	}
}

// cmdContainers counts the containers of this home: containers N.
// They are printed, one a line: name, id, state.
func cmdContainers(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "containers N")
	lines := containers(installID(ts.Getenv("VEXA_HOME")))
	fmt.Fprintln(ts.Stdout(), strings.Join(lines, "\n"))
	if strconv.Itoa(len(lines)) != args[0] {
		ts.Fatalf("there are %d containers, not %s: %q", len(lines), args[0], lines)
	}
}

// cmdAlive says whether a process runs: [!] alive PID.
func cmdAlive(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1, "alive PID")
	pid, err := strconv.Atoi(args[0])
	ts.Check(err)
	if alive(pid) == neg {
		ts.Fatalf("process %d: %q", pid, commandLine(pid))
	}
}

// cmdKill9 kills a process, which gets no word in: kill9 PID.
func cmdKill9(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "kill9 PID")
	pid, err := strconv.Atoi(args[0])
	ts.Check(err)
	usage(ts, pid > 1, "kill9 PID") // 0 is this process's group
	ts.Check(syscall.Kill(pid, syscall.SIGKILL))
	for end := time.Now().Add(restWithin); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("process %d lives on", pid)
		}
	}
}

// cmdConnected prints the paths of the Unix sockets that a process is connected
// to, one a line: connected PID.
func cmdConnected(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "connected PID")
	pid, err := strconv.Atoi(args[0])
	ts.Check(err)
	paths, err := connectedTo(pid)
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), strings.Join(paths, "\n"))
}

// cmdWaitFor repeats a program until it exits 0, or fails with !, and its output
// matches: [!] waitfor DURATION PROG ARG... [-- REGEXP].
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) >= 2, "waitfor DURATION PROG ARG... [-- REGEXP]")
	within, err := time.ParseDuration(args[0])
	ts.Check(err)
	argv, pattern := args[1:], "(?s).*"
	if i := len(argv) - 2; i > 0 && argv[i] == "--" {
		argv, pattern = argv[:i], "(?m)"+argv[i+1]
	}
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	end := time.Now().Add(within)
	for {
		stdout, stderr, err := run(ts, argv)
		if (err == nil && re.MatchString(stdout)) != neg {
			fmt.Fprint(ts.Stdout(), stdout)
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("not within %s: %q: %v\n%s%s", within, argv, err, stdout, stderr)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// run runs a program in the script's directory and environment, or one of the
// queries that are commands of the scripts, without logging it.
func run(ts *testscript.TestScript, argv []string) (stdout, stderr string, err error) {
	if argv[0] == "alive" && len(argv) == 2 {
		if pid, err := strconv.Atoi(argv[1]); err != nil || !alive(pid) {
			return "", "", fmt.Errorf("process %s does not run", argv[1])
		}
		return argv[1], "", nil
	}
	if argv[0] == "containers" && len(argv) == 2 {
		lines := containers(installID(ts.Getenv("VEXA_HOME")))
		if strconv.Itoa(len(lines)) != argv[1] {
			err = fmt.Errorf("there are %d containers", len(lines))
		}
		return strings.Join(lines, "\n"), "", err
	}
	c, _ := ts.Value(claimKey{}).(*claim)
	program := argv[0]
	if program == "vexa" {
		program = c.suite.bin + "/vexa"
	}
	cmd := exec.Command(program, argv[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = c.environ(ts)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// environ is the script's environment as it is now.
func (c *claim) environ(ts *testscript.TestScript) []string {
	var env []string
	for _, v := range c.vars {
		name, _, _ := strings.Cut(v, "=")
		if now := name + "=" + ts.Getenv(name); !slices.Contains(env, now) {
			env = append(env, now)
		}
	}
	return env
}

func usage(ts *testscript.TestScript, ok bool, text string) {
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}
