package podman_test

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// within runs a probe in a container of its own, and reads what it reports.
func within(t *testing.T, s stack, spec runtimev1.Spec, report any) {
	t.Helper()
	if _, err := s.kernel.Create(t.Context(), spec, "any"); err != nil {
		t.Fatal(err)
	}
	if st := s.ended(t, spec.WorkloadID); st.StopReason != runtimev1.ReasonCompleted {
		t.Fatalf("the probe ended as %+v, exit code %v", st, *st.ExitCode)
	}
	data, err := os.ReadFile(filepath.Join(s.root, spec.WorkloadID, "ws/notes/report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, report); err != nil {
		t.Fatal(err)
	}
}

// listening is a host that can be reached, if anybody can.
func listening(t *testing.T) (host outside, heard func() int64) {
	t.Helper()
	host.Abstract = "vexa-outside-" + rand.Text()
	var n atomic.Int64
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": "@" + host.Abstract} {
		l, err := new(net.ListenConfig).Listen(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if at, ok := l.Addr().(*net.TCPAddr); ok {
			host.Port = at.Port
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				n.Add(1)
				conn.Close()
			}
		}()
	}
	return host, n.Load
}

// TestNothingIsReachableFromInside: no address, no name, no socket, no process
// and no file of the host, and nothing of the kernel that can be written.
func TestNothingIsReachableFromInside(t *testing.T) {
	t.Parallel()
	const install, unit, other = "4eac44eac44e", "01JDXKREACH000000000000001", "01JDXKREACH000000000000002"
	d := open(t)
	shellImage(t)
	clean(t, d, install)
	s := newStack(t, d, install)
	if _, err := s.kernel.Create(t.Context(), s.spec(t, other, "/bin/sleep", "600"), "any"); err != nil {
		t.Fatal(err)
	}
	host, heard := listening(t)
	spec := s.spec(t, unit, "/.vexa/bin/vexa", "reach")
	data, err := json.Marshal(host)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.root, unit, "run/outside.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	var r reached
	within(t, s, spec, &r)
	checkNetwork(t, r)
	if n := heard(); n != 0 {
		t.Errorf("the host was reached %d times", n)
	}
	if want := []string{"/.vexa/bin/vexa reach "}; !slices.Equal(r.Processes, want) || len(r.Roots) != 0 {
		t.Errorf("processes %q, of which %q have another root", r.Processes, r.Roots)
	}
	for file, err := range r.Files {
		if err == "" {
			t.Errorf("%s can be read", file)
		}
	}
	if len(r.Writable) != 0 {
		t.Errorf("%d files of the kernel can be written: %q", len(r.Writable), r.Writable)
	}
	if len(r.Setuid) != 0 {
		t.Errorf("these gain privileges: %q", r.Setuid)
	}
	if r.OOMScore != "500" {
		t.Errorf("score %q where memory runs out, want 500", r.OOMScore)
	}
	checkMounts(t, r, other)
}

func checkNetwork(t *testing.T, r reached) {
	t.Helper()
	for name, want := range map[string]string{
		"the internet": "ENETUNREACH", "a resolver": "ENETUNREACH", "the metadata service": "ENETUNREACH", "the host, by slirp": "ENETUNREACH",
		"version 6": "ENETUNREACH", "a broadcast": "ENETUNREACH", "the host's loopback": "ECONNREFUSED", "an abstract socket": "ECONNREFUSED",
	} {
		if got := r.Dials[name]; got != want {
			t.Errorf("%s: got %q, want %s", name, got, want)
		}
	}
	if r.Dials["a host name"] == "" {
		t.Error("a host name has an address")
	}
	if len(r.Links) > 1 || len(r.Links) == 1 && r.Links[0] != "lo" {
		t.Errorf("routes go to %v", r.Links)
	}
	for _, a := range r.Addresses {
		if a != "127.0.0.1/8" && a != "::1/128" {
			t.Errorf("it has the address %s", a)
		}
	}
	if len(r.Sockets) != 0 {
		t.Errorf("sockets with a name: %q", r.Sockets)
	}
}

// checkMounts: what is mounted is what was asked for, and the table of mounts,
// which names where on the host each comes from, names nothing of anybody else.
func checkMounts(t *testing.T, r reached, other string) {
	t.Helper()
	allowed := []string{
		"/", "/proc", "/sys", "/sys/fs/cgroup", "/dev", "/dev/pts", "/dev/mqueue", "/dev/shm", "/tmp", "/home/agent", "/etc/hosts", "/etc/hostname",
		"/etc/resolv.conf", "/run/.containerenv", "/workspace", "/workspaces/shared", "/.vexa/session", "/.vexa/run", "/.vexa/bin/vexa",
	}
	for _, point := range r.Mounts {
		within := func(top string) bool { return strings.HasPrefix(point, top) } // masked, or a device of ours
		if !slices.Contains(allowed, point) && !within("/proc/") && !within("/sys/") && !within("/dev/") {
			t.Errorf("%s is mounted", point)
		}
	}
	if strings.Contains(r.MountInfo, other) {
		t.Error("the table of mounts names another dispatch")
	}
}

// TestMemoryHog: what a process may hold of memory is bounded where a manifest
// says so, and what is kept in memory for it always.
func TestMemoryHog(t *testing.T) {
	t.Parallel()
	const install, unit = "409409409409", "01JDXKH0G00000000000000001"
	d := open(t)
	shellImage(t)
	clean(t, d, install)
	s := newStack(t, d, install)
	spec := s.spec(t, unit, "/.vexa/bin/vexa", "hog")
	spec.Limits.DataMB = 128
	var h hogged
	within(t, s, spec, &h)
	if h.Memory == 0 || h.Memory > 128 || h.MemoryError != "ENOMEM" {
		t.Errorf("%d MB of memory, then %q; want fewer than 128", h.Memory, h.MemoryError)
	}
	for dir, most := range map[string]int{"/tmp": 8, "/home/agent": 8, "/dev/shm": 64} {
		if got := h.Tmpfs[dir]; got == 0 || got > most {
			t.Errorf("%s holds %d MB, want at most %d", dir, got, most)
		}
	}
}

// TestMemoryLimit: where control groups are delegated, a container that holds
// more than its limit ends, whatever kind of memory it is.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	const install, unit = "41m1t41m1t41", "01JDXKH0G00000000000000002"
	d := open(t)
	if info, err := d.Info(t.Context()); err != nil {
		t.Fatal(err)
	} else if !slices.Contains(info.Enforced, runtime.LimitMemory) {
		require.Missing(t, "cgroup2", "the memory of a container cannot be limited here")
	}
	shellImage(t)
	clean(t, d, install)
	s := newStack(t, d, install)
	spec := s.spec(t, unit, "/bin/sh", "-c", `dd if=/dev/zero of=/tmp/big bs=1M count=200`)
	spec.Limits.TmpMB, spec.Resources = 256, &runtimev1.Resources{MemoryMB: new(64)}
	if _, err := s.kernel.Create(t.Context(), spec, "any"); err != nil {
		t.Fatal(err)
	}
	if st := s.ended(t, unit); st.StopReason == runtimev1.ReasonCompleted {
		t.Errorf("200 MB where 64 are allowed ended as %+v", st)
	}
}
