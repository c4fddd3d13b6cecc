// Package require lets a test say what it needs of the machine.
//
// A test without it is skipped, unless the environment variable
// VEXA_TEST_REQUIRE (a comma separated list) names it: then it fails, so that
// nothing that matters can be skipped unseen in CI.
package require

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Env is the variable that turns skips into failures.
const Env = "VEXA_TEST_REQUIRE"

// Tool skips or fails the test unless the program name is in PATH. It returns
// the program's path.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(tb, name, err.Error())
	}
	return path
}

// Unprivileged skips or fails the test where it runs as root, whom permissions
// do not bind. In VEXA_TEST_REQUIRE it is "unprivileged".
func Unprivileged(tb testing.TB) {
	tb.Helper()
	if os.Getuid() == 0 {
		Missing(tb, "unprivileged", "root may do everything")
	}
}

// Missing ends the test because name, a program or a faculty of the machine, is
// not there: as failed where VEXA_TEST_REQUIRE names it, else as skipped.
func Missing(tb testing.TB, name, why string) {
	tb.Helper()
	if slices.Contains(strings.Split(os.Getenv(Env), ","), name) {
		tb.Fatalf("%s requires %s: %s", Env, name, why)
	}
	tb.Skipf("needs %s: %s", name, why)
}
