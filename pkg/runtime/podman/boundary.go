package podman

import (
	"cmp"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/runtime"
)

// createSpec is what is used of the body of POST /containers/create.
type createSpec struct {
	Name    string            `json:"name"`
	Image   string            `json:"image"`
	Command []string          `json:"command"`
	Entry   []string          `json:"entrypoint"`
	Env     map[string]string `json:"env"`
	Labels  map[string]string `json:"labels"`
	WorkDir string            `json:"work_dir"`
	Mounts  []mount           `json:"mounts"`

	User           string    `json:"user"`
	UserNS         namespace `json:"userns"`
	NetNS          namespace `json:"netns"`
	IpcNS          namespace `json:"ipcns"`
	PidNS          namespace `json:"pidns"`
	UtsNS          namespace `json:"utsns"`
	Hostname       string    `json:"hostname"`
	Umask          string    `json:"umask"`
	CapDrop        []string  `json:"cap_drop"`
	CapAdd         []string  `json:"cap_add"`
	Seccomp        string    `json:"seccomp_profile_path"`
	Mask           []string  `json:"mask"`
	SELinux        []string  `json:"selinux_opts,omitempty"`
	Runtime        string    `json:"oci_runtime,omitempty"`
	RestartPolicy  string    `json:"restart_policy"`
	Systemd        string    `json:"systemd"`
	SDNotify       string    `json:"sdnotifyMode"`
	ImageVolumes   string    `json:"image_volume_mode"`
	Rlimits        []rlimit  `json:"r_limits"`
	OOMScoreAdj    int       `json:"oom_score_adj"`
	StopTimeout    uint      `json:"stop_timeout"`
	Log            logConfig `json:"log_configuration"`
	Health         health    `json:"healthconfig"`
	Resources      resources `json:"resource_limits"`
	NoNewPrivs     bool      `json:"no_new_privileges"`
	ReadOnlyRoot   bool      `json:"read_only_filesystem"`
	ReadWriteTmpfs bool      `json:"read_write_tmpfs"`
	Privileged     bool      `json:"privileged"`
	HTTPProxy      bool      `json:"httpproxy"`
	EnvHost        bool      `json:"env_host"`
	Init           bool      `json:"init"`
	Stdin          bool      `json:"stdin"`
	Terminal       bool      `json:"terminal"`
	Remove         bool      `json:"remove"`
	Volatile       bool      `json:"volatile"`
	ImageResolv    bool      `json:"use_image_resolve_conf"`
}

type namespace struct {
	Mode  string `json:"nsmode"`
	Value string `json:"value,omitempty"`
}

// mount is an OCI mount.
type mount struct {
	Destination string   `json:"destination"`
	Type        string   `json:"type"`
	Source      string   `json:"source"`
	Options     []string `json:"options"`
}

type rlimit struct {
	Type string `json:"type"`
	Hard uint64 `json:"hard"`
	Soft uint64 `json:"soft"`
}

type logConfig struct {
	Driver string `json:"driver"`
}

type health struct {
	Test []string `json:"Test"`
}

// resources are OCI limits; a nil member is not limited.
type resources struct {
	Pids   *pidsLimit   `json:"pids,omitempty"`
	Memory *memoryLimit `json:"memory,omitempty"`
	CPU    *cpuLimit    `json:"cpu,omitempty"`
}

type pidsLimit struct {
	Limit int64 `json:"limit"`
}

type memoryLimit struct {
	Limit int64 `json:"limit"`
	Swap  int64 `json:"swap"` // memory and swap together
}

type cpuLimit struct {
	Quota  int64  `json:"quota"`
	Period uint64 `json:"period"`
}

// The same in every container.
const (
	hostname  = "vexa"
	user      = "1000:1000"
	keepID    = "uid=1000,gid=1000"
	agentHome = "/home/agent"
	shmMB     = 64     // Chromium and Node map shared memory
	cpuPeriod = 100000 // microseconds, the kernel's default
	// inodesPerMB bounds the files of a tmpfs: an empty one costs 1 kB of memory
	// that the size limit does not see.
	inodesPerMB = 256
	minInodes   = 1024
	// oomScoreAdj has what runs in a container go before anything of the host
	// when memory runs out. An agent can take it back: no boundary rests on it.
	oomScoreAdj = 500
)

// boundary is the whole of what a container is given. What c says decides only
// what is inside; the rest is the same for all:
//
//   - no network but its own loopback, no ports, no host names
//   - the user 1000:1000, which is the owner of the mounts outside and nobody's
//     root; no capability, none to be gained; our seccomp profile
//   - a read-only root, with memory-backed and bounded /tmp, /dev/shm and home
//   - no standard streams, no log, no health checks, no restarts, no image
//     volumes, no proxies, no host environment, no devices
//   - as many processes and open files as allowed, no core files
func (d *Driver) boundary(c runtime.Container) createSpec {
	s := createSpec{
		Name: c.Name, Image: c.Image, Command: c.Argv, Entry: []string{}, Env: c.Env, Labels: c.Labels,
		WorkDir: cmp.Or(c.Dir, runtime.TargetWorkspace),

		User:   user,
		UserNS: namespace{Mode: "keep-id", Value: keepID},
		NetNS:  namespace{Mode: "none"},
		IpcNS:  namespace{Mode: "none"}, // private, and without Podman's own /dev/shm: ours is bounded
		PidNS:  namespace{Mode: "private"},
		UtsNS:  namespace{Mode: "private"},

		// Beyond what Podman masks: how busy the host is, and what power it draws.
		Mask:     []string{"/proc/pressure", "/sys/devices/virtual/powercap"},
		Hostname: hostname, Umask: "0022", CapDrop: []string{"all"}, CapAdd: []string{}, Seccomp: d.seccomp,
		Runtime: d.host.runtime, RestartPolicy: "no", Systemd: "false", SDNotify: "ignore", ImageVolumes: "ignore",
		StopTimeout: 1, Log: logConfig{Driver: "none"}, Health: health{Test: []string{"NONE"}},
		NoNewPrivs: true, ReadOnlyRoot: true, Volatile: true, ImageResolv: true,
		Rlimits: rlimits(c.Limits), OOMScoreAdj: oomScoreAdj, Resources: d.resources(c.Limits),
	}
	if d.host.selinux {
		// Bind mounts of a user's own files are otherwise refused; relabelling them
		// would change the files of the host.
		s.SELinux = []string{"disable"}
	}
	s.Mounts = []mount{
		tmpfs("/tmp", c.Limits.TmpMB, "mode=1777"),
		tmpfs(agentHome, c.Limits.HomeMB, "mode=0700,uid=1000,gid=1000"),
		tmpfs("/dev/shm", shmMB, "mode=1777"),
		bind(runtime.Bind{Source: d.hosts, Target: "/etc/hosts", ReadOnly: true, NoExec: true}),
	}
	for _, b := range c.Mounts {
		s.Mounts = append(s.Mounts, bind(b))
	}
	return s
}

// tmpfs is a bounded memory-backed directory. The options that Podman does not
// know ride on the size, which it passes on as it is.
func tmpfs(target string, mb int, extra string) mount {
	inodes := max(mb*inodesPerMB, minInodes)
	return mount{Destination: target, Type: "tmpfs", Source: "tmpfs", Options: []string{
		"rw", "nosuid", "nodev", "notmpcopyup", fmt.Sprintf("size=%dm,nr_inodes=%d,%s", mb, inodes, extra),
	}}
}

func bind(b runtime.Bind) mount {
	options := []string{"bind", "private", "nosuid", "nodev", "rw"}
	if b.ReadOnly {
		options[len(options)-1] = "ro"
	}
	if b.NoExec {
		options = append(options, "noexec")
	}
	return mount{Destination: b.Target, Type: "bind", Source: b.Source, Options: options}
}

// rlimits bound each process. A hard limit that is below ours already stays,
// since an unprivileged user cannot raise it.
func rlimits(l runtime.Limits) []rlimit {
	list := []rlimit{
		fixed("nproc", clamp(unix.RLIMIT_NPROC, uint64(l.Processes))),
		fixed("nofile", clamp(unix.RLIMIT_NOFILE, uint64(l.OpenFiles))),
		fixed("core", 0),
	}
	if l.DataMB > 0 {
		list = append(list, fixed("data", clamp(unix.RLIMIT_DATA, uint64(l.DataMB)<<20)))
	}
	return list
}

func fixed(name string, n uint64) rlimit { return rlimit{Type: name, Hard: n, Soft: n} }

func clamp(resource int, n uint64) uint64 {
	var own unix.Rlimit
	if err := unix.Getrlimit(resource, &own); err != nil {
		return n
	}
	return min(n, own.Max)
}

// resources are the limits that need control groups, as far as they hold here.
func (d *Driver) resources(l runtime.Limits) resources {
	var r resources
	if slices.Contains(d.host.enforced, runtime.LimitPids) {
		r.Pids = &pidsLimit{Limit: int64(l.Processes)}
	}
	if slices.Contains(d.host.enforced, runtime.LimitMemory) && l.MemoryMB > 0 {
		n := int64(l.MemoryMB) << 20
		r.Memory = &memoryLimit{Limit: n, Swap: n}
	}
	if slices.Contains(d.host.enforced, runtime.LimitCPU) && l.CPU > 0 {
		r.CPU = &cpuLimit{Quota: int64(l.CPU * cpuPeriod), Period: cpuPeriod}
	}
	return r
}
