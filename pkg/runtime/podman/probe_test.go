package podman_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The test binary stands in for the vexa binary: run as "worker" in a container
// it tries everything that the boundary forbids and writes what came of it.

// report is what the probe found. Errors are by name of the attempt; "" is a
// success.
type report struct {
	UID, GID   int
	Status     map[string]string // of /proc/self/status
	Interfaces []string
	Hostname   string
	Hosts      string
	WorkDir    string
	Env        []string
	Mounts     map[string]string // mount point to options, of /proc/self/mountinfo
	Devices    []string
	Open       []string          // what the open descriptors are
	Writes     map[string]string // by path
	Calls      map[string]string // by system call
	Limits     map[string]uint64
	HomeFiles  int // how many empty files fit in the home
	Processes  int // how many more processes could be started
}

func TestMain(m *testing.M) {
	within := map[string]func(path string) error{"worker": probe, "reach": reach, "hog": hog}
	if len(os.Args) == 2 && within[os.Args[1]] != nil {
		if err := within[os.Args[1]]("/workspace/report.json"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func probe(path string) error {
	r := report{
		UID: os.Getuid(), GID: os.Getgid(), Env: os.Environ(),
		Status: map[string]string{}, Mounts: map[string]string{}, Writes: map[string]string{}, Calls: map[string]string{}, Limits: map[string]uint64{},
	}
	r.Hostname, _ = os.Hostname()
	r.WorkDir, _ = os.Getwd()
	for line := range strings.Lines(slurp("/proc/self/status")) {
		name, value, _ := strings.Cut(line, ":")
		r.Status[name] = strings.TrimSpace(value)
	}
	for line := range strings.Lines(slurp("/proc/self/mountinfo")) {
		f := strings.Fields(line)
		r.Mounts[f[4]] = f[5] + " " + f[len(f)-1]
	}
	r.Hosts = slurp("/etc/hosts")
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		r.Interfaces = append(r.Interfaces, i.Name)
	}
	r.Devices = names("/dev")
	for _, fd := range names("/proc/self/fd") {
		if to, err := os.Readlink("/proc/self/fd/" + fd); err == nil {
			r.Open = append(r.Open, to)
		}
	}
	for _, dir := range []string{
		"/", "/etc", "/bin", "/.vexa", "/.vexa/run", "/.vexa/bin", "/proc", "/sys", "/dev", "/var", "/run",
		"/workspaces", "/workspaces/shared", "/workspace", "/.vexa/session", "/tmp", "/home/agent", "/dev/shm",
	} {
		r.Writes[dir] = text(os.WriteFile(filepath.Join(dir, "probe"), []byte("x"), 0o600))
	}
	f, err := os.OpenFile("/.vexa/bin/vexa", os.O_WRONLY, 0)
	r.Writes["/.vexa/bin/vexa"] = text(err)
	if err == nil {
		f.Close()
	}
	for _, path := range []string{"/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/kernel/mm/transparent_hugepage/enabled"} {
		r.Writes[path] = text(os.WriteFile(path, []byte("x"), 0))
	}
	calls(r.Calls)
	for name, n := range map[string]int{"nproc": unix.RLIMIT_NPROC, "nofile": unix.RLIMIT_NOFILE, "core": unix.RLIMIT_CORE} {
		var l unix.Rlimit
		if err := unix.Getrlimit(n, &l); err != nil {
			return err
		}
		r.Limits[name] = l.Max
	}
	for ; r.HomeFiles < 100_000; r.HomeFiles++ {
		if os.WriteFile(fmt.Sprintf("/home/agent/f%d", r.HomeFiles), nil, 0o600) != nil {
			break
		}
	}
	r.Processes = forks(200)
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

func slurp(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

func names(dir string) []string {
	list, _ := os.ReadDir(dir)
	out := []string{}
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// calls tries system calls that no agent has business with. Their arguments
// are such that they would succeed, or fail for another reason, without the
// profile.
func calls(out map[string]string) {
	try := func(name string, nr, a, b, c uintptr) {
		if _, _, e := unix.RawSyscall(nr, a, b, c); e != 0 {
			out[name] = unix.ErrnoName(e)
		} else {
			out[name] = ""
		}
	}
	var args [16]uint64
	ptr := uintptr(unsafe.Pointer(&args))
	try("unshare user", unix.SYS_UNSHARE, unix.CLONE_NEWUSER, 0, 0)
	try("unshare mount", unix.SYS_UNSHARE, unix.CLONE_NEWNS, 0, 0)
	try("unshare net", unix.SYS_UNSHARE, unix.CLONE_NEWNET, 0, 0)
	try("unshare time", unix.SYS_UNSHARE, unix.CLONE_NEWTIME, 0, 0)
	try("clone user", unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD), 0, 0)
	args[0] = unix.CLONE_NEWUSER
	try("clone3", unix.SYS_CLONE3, ptr, 88, 0)
	try("setns", unix.SYS_SETNS, 0, 0, 0)
	try("keyctl", unix.SYS_KEYCTL, 0, 0, 0)
	try("add_key", unix.SYS_ADD_KEY, 0, 0, 0)
	try("request_key", unix.SYS_REQUEST_KEY, 0, 0, 0)
	try("bpf", unix.SYS_BPF, 0, ptr, 128)
	try("io_uring_setup", unix.SYS_IO_URING_SETUP, 1, ptr, 0)
	try("ptrace", unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0)
	try("ptrace attach", unix.SYS_PTRACE, unix.PTRACE_ATTACH, 1, 0)
	try("ptrace seize", unix.SYS_PTRACE, unix.PTRACE_SEIZE, 1, 0)
	try("process_vm_readv", unix.SYS_PROCESS_VM_READV, uintptr(os.Getpid()), 0, 0)
	try("process_vm_writev", unix.SYS_PROCESS_VM_WRITEV, uintptr(os.Getpid()), 0, 0)
	try("pidfd_getfd", unix.SYS_PIDFD_GETFD, 0, 0, 0)
	try("kexec_load", unix.SYS_KEXEC_LOAD, 0, 0, 0)
	try("init_module", unix.SYS_INIT_MODULE, 0, 0, 0)
	try("finit_module", unix.SYS_FINIT_MODULE, 0, 0, 0)
	try("delete_module", unix.SYS_DELETE_MODULE, 0, 0, 0)
	try("io_uring_enter", unix.SYS_IO_URING_ENTER, 0, 0, 0)
	try("io_uring_register", unix.SYS_IO_URING_REGISTER, 0, 0, 0)
	try("move_mount", unix.SYS_MOVE_MOUNT, 0, 0, 0)
	try("mount_setattr", unix.SYS_MOUNT_SETATTR, 0, 0, 0)
	try("sethostname", unix.SYS_SETHOSTNAME, ptr, 1, 0)
	try("swapon", unix.SYS_SWAPON, 0, 0, 0)
	try("clock_settime", unix.SYS_CLOCK_SETTIME, 0, ptr, 0)
	// The profile lets these through for what an ordinary user may do with them.
	try("setuid", unix.SYS_SETUID, 0, 0, 0)
	try("setresuid", unix.SYS_SETRESUID, 0, 0, 0)
	try("setgid", unix.SYS_SETGID, 0, 0, 0)
	try("setgroups", unix.SYS_SETGROUPS, 1, ptr, 0)
	args[0] = 1 << unix.CAP_SYS_ADMIN
	try("raise an ambient capability", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_SYS_ADMIN)
	try("secure bits", unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, 0, 0)
	device := []byte("/tmp/device\x00")
	const null = 1<<8 | 3
	try4(out, "mknod", unix.SYS_MKNODAT, [4]uintptr{^uintptr(99), uintptr(unsafe.Pointer(&device[0])), unix.S_IFCHR | 0o600, null})
	limit := [2]uint64{1 << 20, 1 << 20}
	try4(out, "raise a limit", unix.SYS_PRLIMIT64, [4]uintptr{0, unix.RLIMIT_NPROC, uintptr(unsafe.Pointer(&limit)), 0})
	try("mount", unix.SYS_MOUNT, 0, 0, 0)
	try("umount2", unix.SYS_UMOUNT2, 0, 0, 0)
	try("fsopen", unix.SYS_FSOPEN, 0, 0, 0)
	try("open_tree", unix.SYS_OPEN_TREE, 0, 0, 0)
	try("pivot_root", unix.SYS_PIVOT_ROOT, 0, 0, 0)
	try("chroot", unix.SYS_CHROOT, 0, 0, 0)
	try("userfaultfd", unix.SYS_USERFAULTFD, 1, 0, 0)
	try("perf_event_open", unix.SYS_PERF_EVENT_OPEN, ptr, 0, 0)
	try("open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, 0, 0, 0)
	try("syslog", unix.SYS_SYSLOG, 10, 0, 0)
	try("socket vsock", unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0)
	try("socket packet", unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW, 0)
	try("socket alg", unix.SYS_SOCKET, unix.AF_ALG, unix.SOCK_SEQPACKET, 0)
	try("socket audit", unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT)
	try("a call of the future", 1000, 0, 0, 0)
}

func try4(out map[string]string, name string, nr uintptr, a [4]uintptr) {
	out[name] = ""
	if _, _, e := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], 0, 0); e != 0 {
		out[name] = unix.ErrnoName(e)
	}
}

// forks starts processes until it is refused, ends them, and counts them.
func forks(most int) int {
	var list []*os.Process
	for len(list) < most {
		p, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{})
		if err != nil {
			break
		}
		list = append(list, p)
	}
	for _, p := range list {
		p.Kill() //nolint:errcheck // it is ours
		p.Wait() //nolint:errcheck // it was killed
	}
	return len(list)
}
