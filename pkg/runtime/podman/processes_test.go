package podman_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/podman"
)

// TestRemovedFilesCountInAContainer: the owner of the user namespace sees what
// a container holds without a name, also where its processes close themselves.
func TestRemovedFilesCountInAContainer(t *testing.T) {
	t.Parallel()
	d := open(t)
	shellImage(t)
	for name, c := range map[string]struct{ unit, install, script string }{
		"by a descriptor": {
			"01JDXKPR0BE0000000000000B1", "d15c00000001",
			`exec 3>held; rm held; dd if=/dev/zero bs=1M count=6 >&3 2>/dev/null; sleep 600`,
		},
		"by a program that may not be read": {
			"01JDXKPR0BE0000000000000B2", "d15c00000002",
			`cd /tmp; cp /bin/busybox sh; cp sh sleep; chmod 0111 sh sleep
exec ./sh -c "exec 3>/workspace/held; rm /workspace/held; dd if=/dev/zero bs=1M count=6 >&3 2>/dev/null; ./sleep 600"`,
		},
		"by a child of a child that ended": {
			"01JDXKPR0BE0000000000000B3", "d15c00000003",
			`(exec 3>held; rm held; dd if=/dev/zero bs=1M count=6 >&3 2>/dev/null; sleep 600 & ) & sleep 600`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clean(t, d, c.install)
			s := newStack(t, d, c.install)
			spec := s.spec(t, c.unit, "/bin/sh", "-c", c.script)
			spec.Limits.DiskMB = 4
			began := time.Now()
			if _, err := s.kernel.Create(t.Context(), spec, "any"); err != nil {
				t.Fatal(err)
			}
			if st := s.ended(t, c.unit); st.StopReason != runtimev1.ReasonQuota || !strings.Contains(st.Detail, "diskMb") {
				t.Errorf("got %+v, want stopped for its quota", st)
			}
			t.Logf("ended %v after it was asked for", time.Since(began).Round(time.Millisecond))
			if left, err := os.ReadDir(filepath.Join(s.root, c.unit, "ws/notes")); err != nil || len(left) > 1 {
				t.Errorf("got %v, %v: the file had a name", left, err)
			}
		})
	}
}

// TestProcessesOfAContainer: all of it, and nothing of another's.
func TestProcessesOfAContainer(t *testing.T) {
	t.Parallel()
	const install = "d15c00000004"
	d := open(t)
	img := shellImage(t)
	clean(t, d, install)
	t.Cleanup(func() { clean(t, d, install) })
	if err := d.EnsureImage(t.Context(), img); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, 3)
	for i := range ids {
		id, err := d.Create(t.Context(), container(t, install, img, string(rune('a'+i))))
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = id
	}
	for _, id := range ids[:2] { // the third is only made
		if err := d.Start(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	found := find(t, d, ids)
	seen := map[int]bool{os.Getpid(): true}
	for i, id := range ids {
		if want := []int{3, 3, 0}[i]; len(found[id]) != want {
			t.Errorf("container %d: got processes %v, want %d", i, found[id], want)
		}
		for _, pid := range found[id] {
			if seen[pid] {
				t.Errorf("container %d: process %d is another's", i, pid)
			}
			seen[pid] = true
		}
	}
	if err := d.Remove(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	// The kernel gives the lowest free number to the next namespace.
	if err := d.Start(t.Context(), ids[2]); err != nil {
		t.Fatal(err)
	}
	if found, err := d.Processes(t.Context(), ids); err != nil || len(found[ids[0]]) != 0 || len(found[ids[1]]) != 3 {
		t.Errorf("one was removed: got %v, %v", found, err)
	}
}

// find repeats until the shells have started what they start.
func find(t *testing.T, d *podman.Driver, ids []string) map[string][]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		found, err := d.Processes(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		if len(found[ids[0]]) >= 3 && len(found[ids[1]]) >= 3 || ctx.Err() != nil {
			return found
		}
	}
}

// container is a shell with two children.
func container(t *testing.T, install string, img runtime.Image, unit string) runtime.Container {
	t.Helper()
	work := filepath.Join(t.TempDir(), "ws")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	return runtime.Container{
		Name: "vexa-test-" + install + unit, Image: img.Ref, Argv: []string{"/bin/sh", "-c", "sleep 600 & sleep 601 & wait"},
		Labels: map[string]string{runtime.LabelInstall: install, runtime.LabelUnit: unit},
		Mounts: []runtime.Bind{{Source: work, Target: runtime.TargetWorkspace}},
		Limits: runtime.Limits{Processes: 64, OpenFiles: 256, TmpMB: 8, HomeMB: 8},
	}
}
