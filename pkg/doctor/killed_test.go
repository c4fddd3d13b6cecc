package doctor_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/doctor"
	"github.com/vexa-ai/vexa/pkg/internal/require"
)

// TestPodmanWhoseProcessesWereKilled: a machine is stopped while a container
// runs, and comes back with its /run. Podman of this user's then refuses
// everything until it lets go of what was. The environment is the process's.
func TestPodmanWhoseProcessesWereKilled(t *testing.T) {
	require.Tool(t, "podman")
	require.Unprivileged(t)
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		require.Missing(t, "busybox", err.Error())
	}
	state := ownPodman(t)
	root := filepath.Join(t.TempDir(), "root")
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "busybox"), busybox, 0o700); err != nil {
		t.Fatal(err)
	}
	podmanDo(t, "run", "--detach", "--network=none", "--rootfs", root, "/busybox", "sleep", "600")
	kill(t, state)

	d := newDoctor(t, userDebian(t), func(o *doctor.Options) {
		o.System, o.UID, o.Env = doctor.Host{}, os.Getuid(), os.Getenv
	})
	f := examine(t, d)["podman"]
	if f.Status != doctor.Fail || !f.Blocking || len(f.Fix) != 1 || f.Fix[0] != "podman system migrate" {
		t.Fatalf("before: %+v", f)
	}
	podmanDo(t, strings.Fields(f.Fix[0])[1:]...)
	if f := examine(t, d)["podman"]; f.Status != doctor.OK {
		t.Errorf("after: %+v", f)
	}
}

// ownPodman gives this process's Podman state and storage of its own until the
// test ends, and returns where its state is.
func ownPodman(t *testing.T) string {
	t.Helper()
	state, err := os.MkdirTemp("", "vx") // a socket's path has 103 bytes
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", state)
	t.Setenv("XDG_DATA_HOME", data)
	t.Cleanup(func() { // before the variables and data go
		podmanDo(t, "rm", "--all", "--force", "--time=0")
		podmanDo(t, "unshare", "sh", "-c", `umount -l "$1/overlay" 2>/dev/null; rm -rf "$1"`, "sh", filepath.Join(data, "containers/storage"))
		kill(t, state)
		if err := os.RemoveAll(state); err != nil {
			t.Error(err)
		}
	})
	return state
}

func podmanDo(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("podman", args...).CombinedOutput(); err != nil {
		t.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// kill ends what Podman keeps running, as a machine that stops does, and waits
// for that.
func kill(t *testing.T, state string) {
	t.Helper()
	if err := filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != "pidfile" && filepath.Ext(path) != ".pid" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return err
		}
		if err := unix.Kill(pid, unix.SIGKILL); err == nil {
			for range 1000 {
				if unix.Kill(pid, 0) == unix.ESRCH {
					break
				}
				time.Sleep(time.Millisecond)
			}
		}
		if d.Name() == "pause.pid" {
			return os.Remove(path)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
