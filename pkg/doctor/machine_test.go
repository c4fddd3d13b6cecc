package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/doctor"
)

// machine is a System in memory: a Debian machine whose commands do what the
// real ones do, as far as doctor can see it.
type machine struct {
	t        *testing.T
	files    map[string]string
	stats    map[string]doctor.File
	disks    map[string]doctor.Disk
	programs []string
	users    map[string]int // name: uid
	asUID    int            // who runs doctor
	podman   map[string]string
	images   int
	store    string // driver that the storage was made with; empty: none yet
	broken   map[string]error
	ran      []string
}

// freshDebian is a minimal Debian with hybrid control groups and no systemd.
func freshDebian(t *testing.T) *machine {
	t.Helper()
	return &machine{
		t: t,
		files: map[string]string{
			"/proc/sys/user/max_user_namespaces": "9000\n",
			"/proc/swaps":                        "Filename\tType\tSize\tUsed\tPriority\n",
			"/etc/subuid":                        "other:100000:65536\n",
			"/etc/subgid":                        "other:100000:65536\n",
		},
		stats: map[string]doctor.File{"/dev/shm": {Mode: fs.ModeDir | 0o777}},
		disks: map[string]doctor.Disk{
			"/dev/shm": {Free: 4 << 30, InMemory: true}, "/state": {Free: 4 << 30}, "/little": {Free: 100 << 20}, "/full": {Free: 1 << 20},
		},
		programs: []string{"apt-get", "useradd", "usermod", "install", "sysctl"},
		users:    map[string]int{"root": 0},
		broken:   map[string]error{},
	}
}

// userDebian is the same with everything installed for the user jane, who runs
// doctor.
func userDebian(t *testing.T) *machine {
	t.Helper()
	m := freshDebian(t)
	m.install("podman", "runc", "git", "uidmap", "busybox-static", "ca-certificates")
	m.users["jane"], m.asUID = 1000, 1000
	m.files["/etc/subuid"] += "jane:165536:65536\n"
	m.files["/etc/subgid"] += "jane:165536:65536\n"
	m.stats["/run/user/1000"] = doctor.File{Mode: fs.ModeDir | 0o700, UID: 1000}
	m.store = "overlay"
	m.files["/home/jane/.config/containers/containers.conf"] = "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nruntime = \"runc\"\n"
	return m
}

func (m *machine) env(name string) string {
	return map[string]string{"HOME": "/home/jane", "USER": "jane", "XDG_RUNTIME_DIR": "/run/user/1000"}[name]
}

func (m *machine) install(packages ...string) {
	for _, p := range packages {
		switch p {
		case "uidmap":
			m.programs = append(m.programs, "newuidmap", "newgidmap")
			m.stats["/usr/bin/newuidmap"] = doctor.File{Mode: fs.ModeSetuid | 0o755}
			m.stats["/usr/bin/newgidmap"] = doctor.File{Mode: fs.ModeSetuid | 0o755}
		case "busybox-static":
			m.files["/bin/busybox"] = staticELF
		case "ca-certificates":
			m.stats["/etc/ssl/certs/ca-certificates.crt"] = doctor.File{}
		default:
			m.programs = append(m.programs, p)
		}
	}
}

func (m *machine) LookPath(name string) (string, error) {
	if slices.Contains(m.programs, name) {
		return "/usr/bin/" + name, nil
	}
	return "", fs.ErrNotExist
}

func (m *machine) ReadFile(path string) ([]byte, error) {
	data, there := m.files[path]
	if !there {
		return nil, fs.ErrNotExist
	}
	return []byte(data), nil
}

func (m *machine) ReadDir(path string) ([]string, error) {
	var names []string
	for name := range maps.Keys(m.files) {
		if rest, below := strings.CutPrefix(name, path+"/"); below {
			first, _, _ := strings.Cut(rest, "/")
			if !slices.Contains(names, first) {
				names = append(names, first)
			}
		}
	}
	if names == nil {
		return nil, fs.ErrNotExist
	}
	slices.Sort(names)
	return names, nil
}

func (m *machine) Stat(path string) (doctor.File, error) {
	f, there := m.stats[path]
	if !there {
		return f, fs.ErrNotExist
	}
	return f, nil
}

func (m *machine) Disk(path string) (doctor.Disk, error) {
	d, there := m.disks[path]
	if !there {
		return d, fs.ErrNotExist
	}
	return d, nil
}

// Run implements doctor.System. A command that nothing expects is an error.
func (m *machine) Run(_ context.Context, c doctor.Command) ([]byte, error) {
	argv := c.Argv
	as := m.asUID
	if argv[0] == "sudo" {
		argv, as = argv[1:], 0
	}
	if argv[0] == "runuser" {
		uid, there := m.users[argv[2]]
		if !there || as != 0 {
			return nil, errors.New("runuser: no such user")
		}
		as, argv = uid, argv[4:]
	}
	if argv[0] == "env" {
		for argv = argv[1:]; argv[0] == "-i" || strings.Contains(argv[0], "="); argv = argv[1:] {
		}
	}
	line := strings.Join(argv, " ")
	if err := m.broken[argv[0]]; err != nil {
		return nil, err
	}
	return m.command(as, argv, line, string(c.Stdin))
}

func (m *machine) command(as int, argv []string, line, stdin string) ([]byte, error) {
	changes := true
	defer func() {
		if changes {
			m.ran = append(m.ran, line)
		}
	}()
	switch {
	case argv[0] == "getent":
		changes = false
		return m.getent(argv[2])
	case line == "git --version":
		changes = false
		return []byte("git version 2.39.5\n"), nil
	case argv[0] == "podman":
		changes = argv[1] == "system"
		return m.runPodman(as, argv[1:])
	case argv[0] == "sh" && strings.HasPrefix(argv[2], "if [ -e"):
		changes = false
		return []byte(m.files[argv[4]]), nil
	case argv[0] == "sh" && strings.HasPrefix(argv[2], "set -eu"):
		line = "write " + argv[4]
		m.files[argv[4]] = stdin
		return nil, nil
	case argv[0] == "test":
		changes = false
		return nil, nil
	case argv[0] == "findmnt":
		changes = false
		return []byte("/dev/mapper/root\n"), nil
	case as != 0:
		return nil, fmt.Errorf("%s: permission denied", line)
	}
	return nil, m.admin(argv)
}

// admin is what only root can do.
func (m *machine) admin(argv []string) error {
	last := argv[len(argv)-1]
	switch argv[0] {
	case "apt-get":
		if argv[1] == "install" {
			m.install(argv[4:]...)
		}
	case "useradd":
		m.users[last] = 1000 + len(m.users)
	case "usermod":
		from, to, _ := strings.Cut(argv[2], "-")
		first, _ := strconv.Atoi(from)
		end, _ := strconv.Atoi(to)
		for _, path := range []string{"/etc/subuid", "/etc/subgid"} {
			m.files[path] += fmt.Sprintf("%s:%d:%d\n", last, first, end-first+1)
		}
	case "install":
		m.stats[last] = doctor.File{Mode: fs.ModeDir | 0o700, UID: m.users[argv[5]]}
	case "sysctl":
		key, value, _ := strings.Cut(last, "=")
		m.files["/proc/sys/"+strings.ReplaceAll(key, ".", "/")] = value
	default:
		return errors.New(argv[0] + ": not found")
	}
	return nil
}

func (m *machine) getent(key string) ([]byte, error) {
	for name, uid := range m.users {
		if key == name || key == strconv.Itoa(uid) {
			return fmt.Appendf(nil, "%s:x:%d:%d::/home/%s:/bin/bash\n", name, uid, uid, name), nil
		}
	}
	return nil, errors.New("getent: exit status 2")
}

// runPodman answers with what its configuration files make of it.
func (m *machine) runPodman(as int, args []string) ([]byte, error) {
	home := "/home/jane"
	for name, uid := range m.users {
		if uid == as {
			home = "/home/" + name
		}
	}
	conf := m.files[filepath.Join(home, ".config/containers/containers.conf")]
	set := func(key, otherwise string) string {
		for line := range strings.Lines(conf) {
			if k, v, _ := strings.Cut(line, " = "); k == key {
				return strings.Trim(v, "\"\n")
			}
		}
		return otherwise
	}
	switch args[0] + " " + args[1] {
	case "system reset":
		m.store = ""
		return nil, nil
	case "system migrate":
		return nil, nil
	case "volume ls", "ps --all":
		return []byte(m.podman[args[0]]), nil
	case "info --format":
	default:
		return nil, errors.New("podman: unknown command")
	}
	if m.store == "" {
		m.store = "vfs"
		if strings.Contains(m.files[filepath.Join(home, ".config/containers/storage.conf")], `"overlay"`) {
			m.store = "overlay"
		}
	}
	return json.Marshal(map[string]any{
		"host": map[string]any{
			"cgroupManager": set("cgroup_manager", "systemd"), "eventLogger": set("events_logger", "journald"),
			"ociRuntime": map[string]any{"name": set("runtime", "crun")}, "security": map[string]any{"rootless": as != 0},
			"cgroupControllers": strings.Fields(m.podman["controllers"]),
		},
		"store":   map[string]any{"graphDriverName": m.store, "imageStore": map[string]any{"number": m.images}},
		"version": map[string]any{"Version": "4.3.1"},
	})
}

// staticELF is an ELF header of a program without program headers.
const staticELF = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00\x01\x00\x00\x00" +
	"\x00\x00\x40\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x40\x00\x38\x00\x00\x00\x40\x00\x00\x00\x00\x00"

// dynamicELF is the same with one program header, of type PT_INTERP.
const dynamicELF = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00\x01\x00\x00\x00" +
	"\x00\x00\x40\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x40\x00\x38\x00\x01\x00\x40\x00\x00\x00\x00\x00" +
	"\x03\x00\x00\x00\x04\x00\x00\x00" + zeros + zeros + zeros + zeros + zeros + zeros

const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00"
