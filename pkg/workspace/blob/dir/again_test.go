package dir_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/require"
)

// envAgain is set in the environment of a test that runs again elsewhere.
const envAgain = "VEXA_TEST_AGAIN"

// mayMount runs the test again where it may mount. It reports whether that is
// where it runs already.
func mayMount(t *testing.T) bool {
	t.Helper()
	return again(t, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	})
}

// mayNothing runs the test again, where it runs as root, as who owns the same
// files and is bound by their permissions. It reports whether it runs so already.
func mayNothing(t *testing.T) bool {
	t.Helper()
	if os.Getuid() != 0 {
		return true
	}
	return again(t, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}},
	})
}

func again(t *testing.T, attr *syscall.SysProcAttr) bool {
	t.Helper()
	if os.Getenv(envAgain) != "" {
		return true
	}
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), envAgain+"=1")
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		require.Missing(t, "userns", "user namespaces are not allowed here")
	}
	if strings.Contains(string(out), "--- SKIP: "+t.Name()+" (") {
		t.Skipf("in namespaces of its own: %s", out)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("in namespaces of its own: %v\n%s", err, out)
	}
	return false
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func ctx() context.Context { return context.Background() }
