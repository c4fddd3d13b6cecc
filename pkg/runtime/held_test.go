package runtime_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

// How a process of a container keeps bytes that no name leads to.
const (
	holdOpen    = "open"       // by a descriptor
	holdThread  = "thread"     // by a descriptor that one thread alone has
	holdMapped  = "mapped"     // by a mapping, and no descriptor
	holdUndump  = "undumpable" // by a descriptor of a process that may not be looked into
	holdProgram = "program"    // as the program that it runs
	holdFlight  = "in flight"  // by a descriptor on its way through a socket
)

const (
	holdEnv = "VEXA_TEST_HOLD"
	tail    = 4 << 20 // bytes
)

// TestMain becomes the process of a container where it was started as one.
func TestMain(m *testing.M) {
	if how := os.Getenv(holdEnv); how != "" {
		if err := hold(how, os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// hold keeps 2 MB of a removed file until standard input ends.
func hold(how, path string) error {
	goruntime.LockOSThread()
	if how == holdThread {
		done := make(chan struct{})
		go func() { // leave the first thread, which every process has
			goruntime.LockOSThread()
			defer close(done)
			if err := unix.Unshare(unix.CLONE_FILES); err != nil {
				panic(err)
			}
			if err := keep(holdOpen, path); err != nil {
				panic(err)
			}
		}()
		<-done
		return nil
	}
	return keep(how, path)
}

// keep uses no os.File: its poller belongs to the table of another thread.
func keep(how, path string) error {
	if how != holdProgram {
		file, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT, 0o600)
		if err != nil {
			return err
		}
		if _, err := unix.Write(file, make([]byte, 2<<20)); err != nil {
			return err
		}
		if err := conceal(how, file); err != nil {
			return err
		}
	}
	if err := unix.Unlink(path); err != nil {
		return err
	}
	if _, err := unix.Write(1, []byte("held")); err != nil {
		return err
	}
	_, err := unix.Read(0, make([]byte, 1))
	return err
}

func conceal(how string, file int) error {
	switch how {
	case holdMapped:
		if _, err := unix.Mmap(file, 0, 2<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
			return err
		}
		return unix.Close(file)
	case holdUndump:
		return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	case holdFlight:
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		if err := unix.Sendmsg(pair[0], []byte("x"), unix.UnixRights(file), nil, 0); err != nil {
			return err
		}
		return unix.Close(file)
	}
	return nil
}

// holder starts a process that holds a removed file of dir as a container of
// unit would, and returns what ends it.
func (w *world) holder(id, how, dir string) (end func()) {
	w.t.Helper()
	program, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(dir, "held")
	if how == holdProgram {
		text, err := os.ReadFile(program)
		if err != nil {
			w.t.Fatal(err)
		}
		text = append(text, make([]byte, tail)...) // which is not mapped
		syscall.ForkLock.RLock()                   // a child with the file open for writing would make it busy
		err = os.WriteFile(path, text, 0o700)
		syscall.ForkLock.RUnlock()
		if err != nil {
			w.t.Fatal(err)
		}
		program = path
	}
	in, theirIn, err := os.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	in, theirIn = theirIn, in
	out, theirOut, err := os.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), program, path)
	cmd.Env = append(os.Environ(), holdEnv+"="+how)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, os.Stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	_, _ = theirIn.Close(), theirOut.Close()
	if _, err := out.Read(make([]byte, 5)); err != nil {
		w.t.Fatalf("the process did not hold a file: %v", err)
	}
	w.driver.SetProcesses(runtime.ContainerName(id), cmd.Process.Pid)
	return func() {
		w.driver.SetProcesses(runtime.ContainerName(id))
		_, _ = in.Close(), out.Close()
		if err := cmd.Wait(); err != nil {
			w.t.Errorf("the process that held a file: %v", err)
		}
	}
}

// programMB is more than this program takes, and less than with a tail.
func programMB(t *testing.T) int {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Size()+tail/2) >> 20
}

// limited is a workload that may grow by 1 MB.
func (w *world) limited(id string) runtimev1.Spec {
	spec := w.spec(id, "sleep")
	spec.IdleTimeoutSec = new(veryLong)
	spec.Limits = &runtimev1.Limits{DiskMB: 1}
	return spec
}

// TestRemovedFilesCount: a file takes its space for as long as somebody holds
// it, and so it counts.
func TestRemovedFilesCount(t *testing.T) {
	t.Parallel()
	for _, how := range []string{holdOpen, holdThread, holdMapped, holdProgram, holdUndump} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			if how == holdUndump && os.Getuid() != 0 {
				t.Skip("pkg/runtime/podman has it for the owner of a user namespace")
			}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				k, stop := w.run()
				defer stop()
				spec := w.limited(unitA)
				if how == holdProgram {
					spec.Limits.DiskMB = programMB(t)
				}
				w.create(k, spec)
				w.create(k, w.limited(unitB)) // which holds nothing
				end := w.holder(unitA, how, spec.Mounts[0].Source)
				defer end()
				time.Sleep(10 * time.Second)
				if st := w.get(k, unitA); st.StopReason != runtimev1.ReasonQuota {
					t.Errorf("got %+v, want stopped for its quota", st)
				}
				if st := w.get(k, unitB); st.State != runtimev1.Running {
					t.Errorf("got %+v, want running", st)
				}
			})
		})
	}
}

// TestRemovedFilesElsewhereDoNotCount: /tmp and the like have bounds of their
// own, and what fits is no reason to stop.
func TestRemovedFilesElsewhereDoNotCount(t *testing.T) {
	t.Parallel()
	const shm = "/dev/shm"
	var here, there unix.Stat_t
	if err := unix.Stat(t.TempDir(), &here); err != nil {
		t.Fatal(err)
	}
	if err := unix.Stat(shm, &there); err != nil || here.Dev == there.Dev {
		t.Skip("there is no second file system")
	}
	other, err := os.MkdirTemp(shm, "vexa-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(other); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, stop := w.run()
		defer stop()
		w.create(k, w.limited(unitA))
		end := w.holder(unitA, holdOpen, other)
		defer end()
		time.Sleep(10 * time.Second)
		if st := w.get(k, unitA); st.State != runtimev1.Running {
			t.Errorf("got %+v, want running", st)
		}
	})
}

// FuzzMapping: a line of /proc/PID/maps, whose end an agent chooses.
func FuzzMapping(f *testing.F) {
	f.Add("7f0a4c000000-7f0a4c200000 rw-s 00001000 00:1a 42                         /workspace/held (deleted)")
	f.Add("ffffffffff600000-ffffffffff601000 --xp ffffffffffffffff 00:00 0 [vsyscall] (deleted)")
	f.Add("55d0-55d1 r--p 0 fe:00 1 /a\\012b")
	f.Fuzz(func(t *testing.T, line string) {
		if number, size, ok := runtime.RemovedMapping([]byte(line)); size < 0 || !ok && (size != 0 || number != 0) {
			t.Errorf("got inode %d with %d bytes, %v", number, size, ok)
		}
	})
}

func TestRemovedMapping(t *testing.T) {
	t.Parallel()
	const line = "7f0a4c000000-7f0a4c200000 rw-s 00001000 00:1a 42                         /workspace/held"
	if number, size, ok := runtime.RemovedMapping([]byte(line + " (deleted)")); !ok || number != 42 || size != 2<<20+1<<12 {
		t.Errorf("got inode %d with %d bytes, %v", number, size, ok)
	}
	if _, _, ok := runtime.RemovedMapping([]byte(line)); ok {
		t.Error("a file that has a name is taken for removed")
	}
}
