package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// person is the user that runs agents: this one, or as root the one to set up.
type person struct {
	name   string
	uid    int
	gid    int
	home   string
	exists bool
}

// podmanInfo is the part of "podman info" that the checks look at.
type podmanInfo struct {
	Host struct {
		CgroupVersion     string   `json:"cgroupVersion"`
		CgroupManager     string   `json:"cgroupManager"`
		CgroupControllers []string `json:"cgroupControllers"`
		EventLogger       string   `json:"eventLogger"`
		OCIRuntime        struct {
			Name string `json:"name"`
			Path string `json:"path"`
		} `json:"ociRuntime"`
		Security struct {
			Rootless bool `json:"rootless"`
			SELinux  bool `json:"selinuxEnabled"`
		} `json:"security"`
	} `json:"host"`
	Store struct {
		Driver     string `json:"graphDriverName"`
		Containers struct {
			Number int `json:"number"`
		} `json:"containerStore"`
		Images struct {
			Number int `json:"number"`
		} `json:"imageStore"`
	} `json:"store"`
	Version struct {
		Version string `json:"version"`
	} `json:"version"`
}

// probe is one look at the machine: what several checks need is looked up once.
type probe struct {
	o    Options
	sys  System
	who  person
	info func() (podmanInfo, error)
	inst func() (Install, error)
}

func newProbe(ctx context.Context, o Options) *probe {
	p := &probe{o: o, sys: o.System}
	p.who = p.lookUp(ctx)
	p.info = once(func() (podmanInfo, error) { return p.podmanInfo(ctx) })
	p.inst = once(func() (Install, error) {
		if o.Install == nil {
			return Install{}, errNoInstall
		}
		return o.Install(ctx)
	})
	return p
}

// errNoInstall says that there is no installation to look at.
var errNoInstall = errors.New("no installation of this user's")

// once remembers the first result of f. A probe is used by one goroutine.
func once[T any](f func() (T, error)) func() (T, error) {
	var value T
	var err error
	done := false
	return func() (T, error) {
		if !done {
			value, err = f()
			done = true
		}
		return value, err
	}
}

func (p *probe) root() bool { return p.o.UID == 0 }

// lookUp finds the person in the user database, whatever that is.
func (p *probe) lookUp(ctx context.Context) person {
	key := strconv.Itoa(p.o.UID)
	who := person{name: p.o.Env("USER"), uid: p.o.UID, gid: -1, home: p.o.Env("HOME"), exists: !p.root()}
	if p.root() {
		key = p.o.User
		who = person{name: p.o.User, uid: -1, gid: -1}
	}
	out, err := p.sys.Run(ctx, Command{Argv: []string{"getent", "passwd", key}})
	fields := strings.Split(strings.TrimSpace(string(out)), ":")
	if err != nil || len(fields) < 7 {
		return who
	}
	uid, err1 := strconv.Atoi(fields[2])
	gid, err2 := strconv.Atoi(fields[3])
	if err1 != nil || err2 != nil {
		return who
	}
	if who = (person{fields[0], uid, gid, fields[5], true}); !p.root() && p.o.Env("HOME") != "" {
		who.home = p.o.Env("HOME")
	}
	return who
}

// runtimeDir is the person's XDG_RUNTIME_DIR, empty where there is none.
func (p *probe) runtimeDir() string {
	if p.root() {
		return "/run/user/" + strconv.Itoa(p.who.uid)
	}
	return p.o.Env("XDG_RUNTIME_DIR")
}

// as returns argv as it is run by the person: as root, in their environment.
func (p *probe) as(argv ...string) []string {
	if !p.root() {
		return argv
	}
	env := []string{
		"runuser", "-u", p.who.name, "--", "env", "-i", "HOME=" + p.who.home, "USER=" + p.who.name, "LOGNAME=" + p.who.name,
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "XDG_RUNTIME_DIR=" + p.runtimeDir(),
	}
	return append(env, argv...)
}

func (p *probe) podmanInfo(ctx context.Context) (podmanInfo, error) {
	var info podmanInfo
	if err := p.ready(); err != nil {
		return info, err
	}
	out, err := p.sys.Run(ctx, Command{Argv: p.as("podman", "info", "--format", "json")})
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(out, &info); err != nil {
		return info, fmt.Errorf("read podman info: %w", err)
	}
	return info, nil
}

// ready reports what is missing before Podman may be asked anything: its first
// run for a user writes down what it finds, and lives with that ever after.
func (p *probe) ready() error {
	_, err := p.sys.Stat(p.runtimeDir())
	switch {
	case !p.who.exists:
		return fmt.Errorf("there is no user %s yet", p.who.name)
	case !p.has("podman"):
		return errors.New("it is not installed")
	case !p.has("newuidmap") || !p.has("newgidmap"):
		return errors.New("it needs uidmap first")
	case subIDCount(parseSubIDs(p.text("/etc/subuid")), p.who) == 0:
		return errors.New("it needs subordinate ids first")
	case p.runtimeDir() != "" && err != nil:
		return fmt.Errorf("it needs the runtime directory first: %w", err)
	default:
		return nil
	}
}

// readTheirs reads a file of the person's, as them. A missing file is empty.
func (p *probe) readTheirs(ctx context.Context, path string) ([]byte, error) {
	if !p.root() {
		data, err := p.sys.ReadFile(path)
		if missing(err) {
			return nil, nil
		}
		return data, err
	}
	return p.sys.Run(ctx, Command{Argv: p.as("sh", "-c", `if [ -e "$1" ]; then cat -- "$1"; fi`, "sh", path)})
}

// text reads a file of the machine's, trimmed; empty where that fails.
func (p *probe) text(path string) string {
	data, err := p.sys.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func (p *probe) systemd() bool {
	st, err := p.sys.Stat("/run/systemd/system")
	return err == nil && st.Mode.IsDir()
}

// hybrid reports whether control groups are not purely version 2. There crun
// refuses to start, and an unprivileged user cannot be given limits.
func (p *probe) hybrid() bool {
	_, err := p.sys.Stat("/sys/fs/cgroup/cgroup.controllers")
	return err != nil
}

func (p *probe) has(program string) bool {
	_, err := p.sys.LookPath(program)
	return err == nil
}

// debian reports whether packages can be installed with apt-get.
func (p *probe) debian() bool { return p.has("apt-get") }
