package harness

import (
	"context"
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

	"github.com/vexa-ai/vexa/pkg/failpoint"
)

// How long a home is given to come to rest.
const (
	stopWithin = 30 * time.Second
	restWithin = 15 * time.Second
)

// setup gives a script a home of its own. HOME and XDG_RUNTIME_DIR stay the
// user's: Podman keeps its storage and its user namespace by them, and Vexa's
// folders below them carry the install id.
func (s *suite) setup(env *testscript.Env) error {
	c, ok := env.T().(*claim)
	if !ok {
		return fmt.Errorf("the scripts run under %T", env.T())
	}
	env.Setenv("VEXA_HOME", filepath.Join(env.WorkDir, ".home"))
	env.Setenv("VEXA_NO_INPUT", "1")
	env.Setenv(failpoint.Env, "")
	env.Setenv("HOME", os.Getenv("HOME"))
	env.Setenv("USER", os.Getenv("USER"))
	env.Setenv("LANG", "C.UTF-8")
	env.Setenv("REPO", s.root)
	env.Setenv("PATH", s.path())
	for _, name := range []string{"XDG_RUNTIME_DIR", "VEXA_PLAINTEXT_DIR", "GOPATH", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", envNPM, "VEXA_DEBIAN_MIRROR"} {
		if value := os.Getenv(name); value != "" {
			env.Setenv(name, value)
		}
	}
	env.Values[claimKey{}] = c
	c.vars, c.begun = env.Vars, time.Now()
	env.Defer(func() {
		// A script may use several homes: $WORK/.home, $WORK/.home2 and so on.
		homes, _ := filepath.Glob(filepath.Join(env.WorkDir, ".home*"))
		for _, home := range homes {
			tenancy{home: home, vexa: filepath.Join(s.bin, "vexa"), vars: env.Vars}.leave(c)
		}
	})
	return nil
}

type claimKey struct{}

// path is the PATH of the scripts: the binary under test, then the user's, each
// directory once.
func (s *suite) path() string {
	dirs := []string{s.bin}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return strings.Join(dirs, string(os.PathListSeparator))
}

// tenancy is one VEXA_HOME of a script, to be left as it was found.
type tenancy struct {
	home string
	vexa string
	vars []string
}

// landlord is told what a home leaves behind.
type landlord interface {
	Failed() bool
	Errorf(format string, args ...any)
	note(text string)
}

// leave stops the daemon of the home and fails the claim if anything of it
// lives on.
func (h tenancy) leave(c landlord) {
	id := installID(h.home)
	if id == "" {
		return // it was never used
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	stop := exec.CommandContext(ctx, h.vexa, "daemon", "stop", "--force")
	stop.Env = append(h.vars, "VEXA_HOME="+h.home)
	out, err := stop.CombinedOutput()

	deadline := time.Now().Add(restWithin)
	left := h.remains(id)
	for len(left) > 0 && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
		left = h.remains(id)
	}
	if c.Failed() {
		c.note(tail(filepath.Join(h.home, "state", "daemon.log"), 4096))
	}
	if len(left) > 0 {
		c.Errorf("after `vexa daemon stop` (%v, %s) there remain:\n%s", err, out, strings.Join(left, "\n"))
	}
	h.evict(id)
}

// remains lists what of the home is still alive.
func (h tenancy) remains(id string) []string {
	var left []string
	for _, line := range containers(id) {
		left = append(left, "container "+line)
	}
	for _, pid := range processes(h.home) {
		left = append(left, fmt.Sprintf("process %d: %s", pid, commandLine(pid)))
	}
	for _, dir := range plainDirs(id) {
		if units, err := filepath.Glob(filepath.Join(dir, "units", "*")); err == nil {
			for _, unit := range units {
				left = append(left, "open workspace "+unit)
			}
		}
	}
	return left
}

// evict removes by force what should have left by itself, so that one failed
// claim does not fail the next.
func (h tenancy) evict(id string) {
	for _, line := range containers(id) {
		name, _, _ := strings.Cut(line, " ")
		_ = exec.Command("podman", "rm", "-f", "-t", "0", name).Run()
	}
	for _, pid := range processes(h.home) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, dir := range append(plainDirs(id), runDir(id)) {
		_ = os.RemoveAll(dir)
	}
}

// installID reads the id of a home, "" where it has none yet.
func installID(home string) string {
	data, err := os.ReadFile(filepath.Join(home, "data", "install-id"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// containers lists the containers of an installation, live or not: name, id,
// state.
func containers(id string) []string {
	if _, err := exec.LookPath("podman"); err != nil {
		return nil
	}
	out, err := exec.Command("podman", "ps", "-a", "--no-trunc", "--filter", "label=io.vexa.install="+id,
		"--format", "{{.Names}} {{.ID}} {{.State}}").Output()
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// runDir and plainDirs are where pkg/home puts sockets and open workspaces.
func runDir(id string) string {
	base := os.Getenv("XDG_RUNTIME_DIR")
	if base == "" {
		base = filepath.Join(os.TempDir(), "vexa-run-"+strconv.Itoa(os.Getuid()))
	}
	return filepath.Join(base, "vexa-"+id)
}

func plainDirs(id string) []string {
	return []string{
		filepath.Join(runDir(id), "plain"),
		filepath.Join("/dev/shm", "vexa-"+strconv.Itoa(os.Getuid()), id),
	}
}

// tail is the end of a file.
func tail(path string, n int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(data) > n {
		data = data[len(data)-n:]
	}
	return "-- " + filepath.Base(path) + " --\n" + string(data)
}
