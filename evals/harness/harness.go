// Package harness runs the evals: testscript files that each prove one claim
// against the live stack, the built binary with a home of its own, real Podman
// and real containers.
//
// A script begins with a comment that states its claim. Beyond testscript's own
// commands it has those of [commands]. When it ends, however it ends, its daemon
// is stopped, and it fails if a container, a process or an open workspace of
// its home is left behind. What every script did goes into a report.
package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Environment variables that change a run.
const (
	EnvOut   = "VEXA_EVAL_OUT"     // where the report goes; default evals/out
	EnvScale = "VEXA_SCALE"        // "full": the stated scale
	EnvModel = "VEXA_EVAL_MODEL"   // a model to use instead of the rehearsal
	EnvNeeds = "VEXA_TEST_REQUIRE" // what must not be missing; see pkg/internal/require

	EnvPictures = "VEXA_EVAL_PICTURES" // write the pictures that the repository keeps anew

	envNPM = "VEXA_NPM_REGISTRY" // where the vendors' agents come from
)

// Run runs every script of the directory dir as one claim of the stage.
func Run(t *testing.T, stage, dir string) {
	t.Helper()
	scripts, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in %s: %v", dir, err)
	}
	if err := checkOut(outDir(repository(t))); err != nil {
		t.Fatal(err)
	}
	s := &suite{
		stage:  stage,
		root:   repository(t),
		podman: podmanWorks(),
	}
	s.bin = build(t, s.root)
	s.report = newReport(stage, s.root, len(scripts))
	t.Cleanup(func() {
		if err := s.report.write(outDir(s.root)); err != nil {
			t.Errorf("the report: %v", err)
		}
	})
	testscript.RunT(&claim{T: t, suite: s}, testscript.Params{
		Files:               scripts,
		Setup:               s.setup,
		Cmds:                s.commands(),
		Condition:           s.condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            deadline(t),
	})
}

// suite is what the scripts of one run share. It is not written to after Run
// has made it, but for the report, which locks itself.
type suite struct {
	stage  string
	root   string // of the repository
	bin    string // directory that holds the built vexa
	podman error  // why Podman does not work here; nil: it does
	report *report

	building sync.Mutex // of an image of a runner
}

// condition answers [podman], [full] and [model].
func (s *suite) condition(cond string) (bool, error) {
	switch cond {
	case "podman":
		return s.podman == nil, nil
	case "full":
		return Full(), nil
	case "model":
		return os.Getenv(EnvModel) != "", nil
	default:
		return false, fmt.Errorf("unknown condition %q", cond)
	}
}

// Full reports whether the claims run at their stated scale.
func Full() bool { return os.Getenv(EnvScale) == "full" }

// Scale is n at the stated scale and reduced otherwise.
func Scale(n, reduced int) int {
	if Full() {
		return n
	}
	return reduced
}

// podmanWorks says why there is no rootless Podman, or nil.
func podmanWorks() error {
	if os.Getuid() == 0 {
		return fmt.Errorf("running as root, whose containers are not rootless")
	}
	cmd := exec.Command("podman", "info", "--format", "{{.Host.Security.Rootless}}")
	var warnings strings.Builder
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("podman info: %w: %s", err, &warnings)
	}
	if strings.TrimSpace(string(out)) != "true" {
		return fmt.Errorf("podman is not rootless")
	}
	return nil
}

// needsPodman ends a claim that cannot be tried: skipped, or failed where
// VEXA_TEST_REQUIRE names podman.
func (s *suite) needsPodman(t *testing.T) {
	t.Helper()
	switch {
	case s.podman == nil:
	case slices.Contains(strings.Split(os.Getenv(EnvNeeds), ","), "podman"):
		t.Fatalf("%s requires podman: %v", EnvNeeds, s.podman)
	default:
		t.Skipf("needs podman: %v", s.podman)
	}
}

// repository is the top of the repository that the test runs in.
func repository(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d
		}
	}
	tb.Fatalf("%s is in no repository", dir)
	return ""
}

// build makes the binary that the scripts run and returns its directory, which
// the agent's container must be able to read.
func build(tb testing.TB, root string) string {
	tb.Helper()
	dir := tb.TempDir()
	cmd := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", filepath.Join(dir, "vexa"), "./cmd/vexa")
	cmd.Dir = root
	cmd.Env = append(slices.Clone(os.Environ()), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go build ./cmd/vexa: %v\n%s", err, out)
	}
	// As vexa git install does.
	if err := os.Symlink("vexa", filepath.Join(dir, "git-remote-vexa")); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// outDir is where the report goes.
func outDir(root string) string {
	if dir := os.Getenv(EnvOut); dir != "" {
		return dir
	}
	return filepath.Join(root, "evals", "out")
}
