package podman_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/image"
	"github.com/vexa-ai/vexa/pkg/runtime/podman"
)

// granter takes any token for the unit's own, over two workspaces.
type granter struct{}

func (granter) Verify(_, _, unit string) (identityv1.DispatchToken, error) {
	return identityv1.DispatchToken{Unit: unit, Details: []identityv1.Detail{
		{Type: "workspace", ID: "notes", Mode: "rw"}, {Type: "workspace", ID: "shared", Mode: "ro"},
	}}, nil
}

// stack is a kernel over Podman.
type stack struct {
	kernel *runtime.Kernel
	root   string
	binary string
	stop   func() // ends the kernel, not its containers
}

func newStack(tb testing.TB, d *podman.Driver, install string) stack {
	tb.Helper()
	binary, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return newStackAt(tb, d, install, stack{root: tb.TempDir(), binary: binary})
}

// newStackAt runs a kernel over what an earlier one left.
func newStackAt(tb testing.TB, d *podman.Driver, install string, s stack) stack {
	tb.Helper()
	var err error
	s.kernel, err = runtime.New(runtime.Options{
		Install: install, Root: s.root, Binary: s.binary, Driver: d, Verifier: granter{}, Images: image.Lookup, Grace: time.Second,
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan error, 1)
	go func() { done <- s.kernel.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("run: %v", err)
		}
	})
	tb.Cleanup(func() {
		s.stop()
		clean(tb, d, install)
	})
	return s
}

// clean removes what a test left. Its context has ended by then.
func clean(tb testing.TB, d *podman.Driver, install string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Minute)
	defer cancel()
	list, err := d.List(ctx, install)
	if err != nil {
		tb.Error(err)
	}
	for _, c := range list {
		if err := d.Remove(ctx, c.ID); err != nil {
			tb.Error(err)
		}
	}
}

func (s stack) spec(tb testing.TB, unit string, argv ...string) runtimev1.Spec {
	tb.Helper()
	dir := filepath.Join(s.root, unit)
	for _, sub := range []string{"ws/notes", "ws/shared", "session", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	return runtimev1.Spec{
		WorkloadID: unit, Profile: "agent", Image: "builtin:shell", Argv: argv, Env: map[string]string{"LANG": "C.UTF-8"},
		Limits: &runtimev1.Limits{Processes: 50, OpenFiles: 200, TmpMB: 8, HomeMB: 8},
		Mounts: []runtimev1.Mount{
			{Kind: runtimev1.MountWorkspace, Source: filepath.Join(dir, "ws/notes"), Target: "/workspace", Workspace: "notes"},
			{Kind: runtimev1.MountWorkspace, Source: filepath.Join(dir, "ws/shared"), Target: "/workspaces/shared", ReadOnly: true, Workspace: "shared"},
			{Kind: runtimev1.MountSession, Source: filepath.Join(dir, "session"), Target: "/.vexa/session"},
			{Kind: runtimev1.MountRun, Source: filepath.Join(dir, "run"), Target: "/.vexa/run", ReadOnly: true},
			{Kind: runtimev1.MountBin, Source: s.binary, Target: "/.vexa/bin/vexa", ReadOnly: true},
		},
	}
}

// ended waits for a workload's end.
func (s stack) ended(tb testing.TB, unit string) runtimev1.Status {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	for e := range s.kernel.Events(ctx, "") {
		if e.WorkloadID == unit && e.State == runtimev1.Stopped {
			st, err := s.kernel.Get(ctx, unit)
			if err != nil {
				tb.Fatal(err)
			}
			return st
		}
	}
	tb.Fatalf("%s did not end", unit)
	return runtimev1.Status{}
}

// look runs the probe in a container of its own and returns what it found.
func look(t *testing.T) (report, stack, string) {
	t.Helper()
	const install, unit = "b0b0b0b0b0b0", "01JDXKPR0BE0000000000000A"
	d := open(t)
	shellImage(t)
	clean(t, d, install)
	s := newStack(t, d, install)
	if _, err := s.kernel.Create(t.Context(), s.spec(t, unit, "/.vexa/bin/vexa", "worker"), "any"); err != nil {
		t.Fatal(err)
	}
	if st := s.ended(t, unit); st.StopReason != runtimev1.ReasonCompleted {
		t.Fatalf("the probe ended as %+v, exit code %v", st, *st.ExitCode)
	}
	dir := filepath.Join(s.root, unit)
	data, err := os.ReadFile(filepath.Join(dir, "ws/notes/report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r, s, dir
}

// TestTheBoundaryFromInside is the table of design: each line is something an
// agent would try first.
func TestTheBoundaryFromInside(t *testing.T) {
	t.Parallel()
	r, _, dir := look(t)
	for name, want := range map[string]string{
		"CapEff": "0000000000000000", "CapPrm": "0000000000000000", "CapInh": "0000000000000000", "CapBnd": "0000000000000000",
		"CapAmb": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2", "Uid": "1000\t1000\t1000\t1000", "Gid": "1000\t1000\t1000\t1000",
		"Groups": "1000", "NSpid": "1",
	} {
		if got := r.Status[name]; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if !slices.Equal(r.Interfaces, []string{"lo"}) {
		t.Errorf("interfaces: %v, want lo alone", r.Interfaces)
	}
	if r.Hostname != "vexa" || r.WorkDir != "/workspace" || strings.Count(r.Hosts, "\n") != 2 {
		t.Errorf("host name %q, working directory %q, hosts %q", r.Hostname, r.WorkDir, r.Hosts)
	}
	writable := []string{"/workspace", "/.vexa/session", "/tmp", "/home/agent", "/dev/shm"}
	for path, err := range r.Writes {
		if slices.Contains(writable, path) != (err == "") {
			t.Errorf("write %s: %q", path, err)
		}
	}
	for name, errno := range r.Calls {
		want := "EPERM"
		if name == "clone3" || strings.HasPrefix(name, "socket ") || name == "a call of the future" {
			want = "ENOSYS"
		}
		if errno != want {
			t.Errorf("%s: got %q, want %s", name, errno, want)
		}
	}
	if r.Limits["nproc"] != 50 || r.Limits["nofile"] != 200 || r.Limits["core"] != 0 {
		t.Errorf("limits: %v", r.Limits)
	}
	if r.Processes == 0 || r.Processes >= 50 {
		t.Errorf("%d processes could be started, want fewer than 50", r.Processes)
	}
	if r.HomeFiles == 0 || r.HomeFiles > 8*256 {
		t.Errorf("%d files fit in a home of 8 MB, want at most %d", r.HomeFiles, 8*256)
	}
	for _, kv := range r.Env {
		if name, _, _ := strings.Cut(kv, "="); strings.Contains(strings.ToLower(name), "proxy") || name == "XDG_RUNTIME_DIR" || name == "CONTAINER_HOST" {
			t.Errorf("the environment holds %s", name)
		}
	}
	for _, point := range []string{"/tmp", "/home/agent", "/dev/shm", "/workspace", "/workspaces/shared", "/.vexa/session", "/.vexa/run", "/.vexa/bin/vexa"} {
		if o := r.Mounts[point]; !strings.Contains(o, "nosuid") || !strings.Contains(o, "nodev") {
			t.Errorf("mount %s: %q, want nosuid and nodev", point, o)
		}
	}
	if o := r.Mounts["/.vexa/run"]; !strings.Contains(o, "noexec") {
		t.Errorf("mount /.vexa/run: %q, want noexec", o)
	}
	allowed := []string{"console", "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"}
	for _, dev := range r.Devices {
		if !slices.Contains(allowed, dev) {
			t.Errorf("there is a device %s", dev)
		}
	}
	for _, to := range r.Open {
		// Go's own runtime looks at the cpu control group.
		if strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "/dev/") && !strings.HasPrefix(to, "/proc/") && !strings.HasPrefix(to, "/sys/fs/cgroup/") {
			t.Errorf("a descriptor of %s is open", to)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "session/probe"))
	if err != nil {
		t.Fatal(err)
	}
	if !owned(info) {
		t.Error("what the container wrote is not this user's")
	}
}

// TestShellFromInside asks the same of the shell that an agent would use.
func TestShellFromInside(t *testing.T) {
	t.Parallel()
	const install = "5e115e115e11"
	d := open(t)
	shellImage(t)
	clean(t, d, install)
	s := newStack(t, d, install)
	for unit, script := range map[string]string{
		"01JDXKSHE11000000000000001": `test "$(id -u):$(id -g)" = 1000:1000`,
		"01JDXKSHE11000000000000002": `test "$(ls /sys/class/net)" = lo`,
		"01JDXKSHE11000000000000003": `! unshare -U true`,
		"01JDXKSHE11000000000000004": `! touch /etc/x && ! touch /x && ! touch /workspaces/shared/x && touch /workspace/x`,
		"01JDXKSHE11000000000000005": `test "$HOME" = /home/agent && cd && touch x && test "$(awk '$2=="/home/agent"{print $1}' /proc/mounts)" = tmpfs`,
		"01JDXKSHE11000000000000006": `! dd if=/dev/zero of=/tmp/big bs=1M count=9`,
		"01JDXKSHE11000000000000007": `echo '#!/bin/sh' > /workspace/s && chmod 4755 /workspace/s && /workspace/s`,
	} {
		if _, err := s.kernel.Create(t.Context(), s.spec(t, unit, "/bin/sh", "-c", script), "any"); err != nil {
			t.Fatal(err)
		}
		if st := s.ended(t, unit); st.StopReason != runtimev1.ReasonCompleted {
			t.Errorf("%s: %s, exit code %d", script, st.StopReason, *st.ExitCode)
		}
	}
}

// TestForeignContainersAreLeftAlone: two installations share one Podman.
func TestForeignContainersAreLeftAlone(t *testing.T) {
	t.Parallel()
	const mine, theirs = "aaaaaaaaaaaa", "dddddddddddd"
	d := open(t)
	shellImage(t)
	clean(t, d, mine)
	clean(t, d, theirs)
	a, b := newStack(t, d, mine), newStack(t, d, theirs)
	sleep := []string{"/bin/sleep", "600"}
	first, err := b.kernel.Create(t.Context(), b.spec(t, "01JDXKF0RE1GN0000000000001", sleep...), "any")
	if err != nil {
		t.Fatal(err)
	}
	// The same unit id in another installation is a conflict, not a takeover.
	_, err = a.kernel.Create(t.Context(), a.spec(t, "01JDXKF0RE1GN0000000000001", sleep...), "any")
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "taken") {
		t.Errorf("got %v, want the name to be taken", err)
	}
	if _, err := a.kernel.Create(t.Context(), a.spec(t, "01JDXKF0RE1GN0000000000002", sleep...), "any"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.kernel.Delete(t.Context(), "01JDXKF0RE1GN0000000000002"); err != nil {
		t.Fatal(err)
	}
	third := newStack(t, d, mine) // adopts and reaps
	if _, err := third.kernel.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := d.List(t.Context(), theirs)
	if err != nil || len(list) != 1 || list[0].ID != first.Container || list[0].Phase != runtime.PhaseRunning {
		t.Errorf("theirs: %+v, %v", list, err)
	}
}

// TestAKernelThatComesBackAdopts what runs, and knows how the rest ended.
func TestAKernelThatComesBackAdopts(t *testing.T) {
	t.Parallel()
	const install, lives, dies = "ad0b7ad0b7ad", "01JDXKAD0PT000000000000001", "01JDXKAD0PT000000000000002"
	d := open(t)
	shellImage(t)
	clean(t, d, install)
	first := newStack(t, d, install)
	before, err := first.kernel.Create(t.Context(), first.spec(t, lives, "/bin/sleep", "600"), "any")
	if err != nil {
		t.Fatal(err)
	}
	wait := `while [ ! -e /workspace/go ]; do sleep 0.05; done; exit 9`
	if _, err := first.kernel.Create(t.Context(), first.spec(t, dies, "/bin/sh", "-c", wait), "any"); err != nil {
		t.Fatal(err)
	}
	first.stop()
	if err := os.WriteFile(filepath.Join(first.root, dies, "ws/notes/go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has ended", func() bool {
		list, err := d.List(t.Context(), install)
		return err == nil && slices.ContainsFunc(list, func(c runtime.Instance) bool { return c.Phase == runtime.PhaseEnded })
	})
	second := newStackAt(t, d, install, first)
	if st, err := second.kernel.Get(t.Context(), lives); err != nil || st.State != runtimev1.Running || st.Container != before.Container {
		t.Errorf("what lives: %+v, %v", st, err)
	}
	if st, err := second.kernel.Get(t.Context(), dies); err != nil || st.State != runtimev1.Stopped || st.ExitCode == nil || *st.ExitCode != 9 {
		t.Errorf("what died: %+v, %v", st, err)
	}
	if st, err := second.kernel.Stop(t.Context(), lives, ""); err != nil || st.StopReason != runtimev1.ReasonStopped {
		t.Errorf("stop: %+v, %v", st, err)
	}
	if list, err := d.List(t.Context(), install); err != nil || len(list) != 0 {
		t.Errorf("containers left: %+v, %v", list, err)
	}
}
