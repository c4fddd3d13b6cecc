package podman_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outside is what the host tells the probe of itself, so that it knows where to
// knock: /.vexa/run/outside.json.
type outside struct {
	Port     int    // where the host listens on 127.0.0.1
	Abstract string // an abstract Unix socket that the host listens on
}

// reached is what a container reaches. Errors are by name of the attempt; "" is
// a success.
type reached struct {
	Dials     map[string]string
	Links     []string // that have a route
	Addresses []string
	Resolv    string
	Sockets   []string // of /proc/net/unix, with a name
	Mounts    []string // mount points
	MountInfo string
	Processes []string
	Roots     []string // processes whose root is another one
	Files     map[string]string
	Writable  []string // files of the kernel that can be opened for writing
	Setuid    []string
	OOMScore  string
}

func reach(path string) error {
	var host outside
	if err := json.Unmarshal([]byte(slurp("/.vexa/run/outside.json")), &host); err != nil {
		return err
	}
	r := reached{Dials: map[string]string{}, Files: map[string]string{}, Resolv: slurp("/etc/resolv.conf"), MountInfo: slurp("/proc/self/mountinfo")}
	dials(r.Dials, host)
	if err := r.network(); err != nil {
		return err
	}
	for line := range strings.Lines(r.MountInfo) {
		r.Mounts = append(r.Mounts, strings.Fields(line)[4])
	}
	here, err := os.Stat("/")
	if err != nil {
		return err
	}
	for _, name := range names("/proc") {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		r.Processes = append(r.Processes, strings.ReplaceAll(slurp("/proc/"+name+"/cmdline"), "\x00", " "))
		if root, err := os.Stat("/proc/" + name + "/root"); err == nil && !os.SameFile(root, here) {
			r.Roots = append(r.Roots, name)
		}
	}
	for _, file := range []string{"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/proc/kcore", "/proc/kmsg", "/proc/keys"} {
		data, err := readSome(file)
		if r.Files[file] = text(err); err == nil && len(data) == 0 {
			r.Files[file] = "empty"
		}
	}
	r.kernelFiles()
	r.setuid()
	r.OOMScore = strings.TrimSpace(slurp("/proc/self/oom_score_adj"))
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

func dials(out map[string]string, host outside) {
	for name, to := range map[string][2]string{
		"a host name":          {"tcp", "example.com:80"},
		"the internet":         {"tcp", "192.0.2.1:443"},
		"a resolver":           {"udp", "192.0.2.53:53"},
		"the metadata service": {"tcp", "169.254.169.254:80"},
		"the host, by slirp":   {"tcp", "10.0.2.2:" + strconv.Itoa(host.Port)},
		"the host's loopback":  {"tcp", "127.0.0.1:" + strconv.Itoa(host.Port)},
		"version 6":            {"tcp", "[2001:db8::1]:443"},
		"a broadcast":          {"udp", "255.255.255.255:67"},
		"an abstract socket":   {"unix", "@" + host.Abstract},
	} {
		conn, err := net.DialTimeout(to[0], to[1], 5*time.Second)
		var errno syscall.Errno
		switch out[name] = text(err); {
		case err == nil:
			conn.Close()
		case errors.As(err, &errno):
			out[name] = unix.ErrnoName(errno)
		}
	}
}

// network finds which links have routes and what names Unix sockets have.
func (r *reached) network() error {
	data, err := syscall.NetlinkRIB(unix.RTM_GETROUTE, unix.AF_UNSPEC)
	if err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	messages, err := syscall.ParseNetlinkMessage(data)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.Header.Type != unix.RTM_NEWROUTE {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return err
		}
		for _, a := range attrs {
			if a.Attr.Type != unix.RTA_OIF {
				continue
			}
			link, err := net.InterfaceByIndex(int(a.Value[0]))
			if err != nil {
				return err
			}
			if !slices.Contains(r.Links, link.Name) {
				r.Links = append(r.Links, link.Name)
			}
		}
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, a := range addresses {
		r.Addresses = append(r.Addresses, a.String())
	}
	for line := range strings.Lines(slurp("/proc/net/unix")) {
		if f := strings.Fields(line); len(f) == 8 && f[7] != "Path" {
			r.Sockets = append(r.Sockets, f[7])
		}
	}
	return nil
}

// kernelFiles opens every file of the kernel for writing, and writes nothing.
func (r *reached) kernelFiles() {
	for _, top := range []string{"/proc", "/sys"} {
		_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // what cannot be listed is not reached
			}
			if _, notPID := strconv.Atoi(d.Name()); d.IsDir() && filepath.Dir(path) == "/proc" && notPID == nil {
				return fs.SkipDir // the container's own processes
			}
			if !d.Type().IsRegular() {
				return nil
			}
			if f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
				defer f.Close()
				// What is masked is /dev/null.
				if info, err := f.Stat(); err != nil || info.Mode().IsRegular() {
					r.Writable = append(r.Writable, path)
				}
			}
			return nil
		})
	}
}

// setuid finds what could gain privileges.
func (r *reached) setuid() {
	_ = filepath.WalkDir("/", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be listed is not reached
		}
		if path == "/proc" || path == "/sys" {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() {
			return nil //nolint:nilerr // likewise
		}
		n, err := unix.Lgetxattr(path, "security.capability", nil)
		if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 || err == nil && n > 0 {
			r.Setuid = append(r.Setuid, path)
		}
		return nil
	})
}

func readSome(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, 64)
	n, err := f.Read(data)
	if n == 0 && err != nil && err.Error() == "EOF" {
		err = nil
	}
	return data[:n], err
}

// hogged is how much a container could take, in MB.
type hogged struct {
	Memory      int
	MemoryError string
	Tmpfs       map[string]int
}

// hog takes what it gets, of memory and of what is kept in memory.
func hog(path string) error {
	const most = 512
	h := hogged{Tmpfs: map[string]int{}}
	block := make([]byte, 1<<20)
	taken := make([][]byte, 0, most)
	for h.Memory < most && h.MemoryError == "" {
		m, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			h.MemoryError = unix.ErrnoName(err.(syscall.Errno)) //nolint:errorlint // it is one, and there is no memory to look into it
			break
		}
		taken = append(taken, m)
		h.Memory++
	}
	for _, m := range taken { // what follows needs some itself
		if err := unix.Munmap(m); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/tmp", "/home/agent", "/dev/shm"} {
		f, err := os.Create(dir + "/hog")
		if err != nil {
			return err
		}
		for h.Tmpfs[dir] < most {
			if _, err := f.Write(block); err != nil {
				break
			}
			h.Tmpfs[dir]++
		}
		f.Close()
		if err := os.Remove(dir + "/hog"); err != nil {
			return err
		}
	}
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
