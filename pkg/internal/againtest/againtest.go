// Package againtest runs a test again in a process that may do what its own may not.
package againtest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/require"
)

// marker is set in the environment of a test that runs again.
const marker = "VEXA_TEST_AGAIN"

// Mounting runs the test again as root of a user and a mount namespace, where any user
// may mount, with env added to its environment. It reports whether that is where it
// runs already: else the test is done. In VEXA_TEST_REQUIRE it is "userns".
func Mounting(t *testing.T, env ...string) bool {
	t.Helper()
	return As(t, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}, env...)
}

// Unprivileged runs the test again, where it runs as root, as who owns the same files
// and is bound by their permissions. It reports whether it runs so already.
func Unprivileged(t *testing.T) bool {
	t.Helper()
	if os.Getuid() != 0 {
		return true
	}
	return As(t, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}},
	})
}

// As runs the test again as a process with attributes. It reports whether it is that
// process already.
func As(t *testing.T, attr *syscall.SysProcAttr, env ...string) bool {
	t.Helper()
	if os.Getenv(marker) != "" {
		return true
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), marker+"=1"), env...)
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
