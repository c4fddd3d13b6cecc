package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The oldest versions that do what Vexa needs.
const (
	podmanMajor, podmanMinor = 4, 3
	gitMajor, gitMinor       = 2, 38
	kernelMajor, kernelMinor = 5, 13 // the first whose overlay users may mount
)

func checkPodman(_ context.Context, p *probe) Finding {
	if !p.has("podman") {
		return fail("Podman is not installed", otherSystems(p, "podman")...).blocks().needs("podman")
	}
	if !p.who.exists {
		return Finding{}
	}
	info, err := p.info()
	switch {
	case err != nil && strings.Contains(err.Error(), "system migrate"):
		return fail("Podman does not work for " + p.who.name + ": what kept its namespaces was killed, as when a machine is stopped and its /run kept").
			blocks().with(p.step("podman", "system", "migrate"))
	case err != nil:
		return fail("Podman does not work for " + p.who.name + ": " + err.Error()).blocks()
	case !info.Host.Security.Rootless:
		return fail("Podman is not rootless here", "run Vexa as an unprivileged user").blocks()
	case !atLeast(info.Version.Version, podmanMajor, podmanMinor):
		return fail(fmt.Sprintf("Podman %s is too old, %d.%d is needed", info.Version.Version, podmanMajor, podmanMinor), "upgrade it").blocks()
	default:
		return ok("Podman " + info.Version.Version + ", rootless")
	}
}

// atLeast compares the first two numbers of a version. One that cannot be read
// is new enough: it would not be an old one.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return true
	}
	a, err1 := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil {
		return true
	}
	return a > major || a == major && b >= minor
}

func checkCgroups(_ context.Context, p *probe) Finding {
	if p.hybrid() {
		return warn("control groups are version 1 or hybrid: limits of memory, processor time and processes are not enforced",
			"boot with systemd.unified_cgroup_hierarchy=1 where you can; other limits hold all the same")
	}
	info, err := p.info()
	if err != nil {
		return Finding{}
	}
	var lacks []string
	for _, c := range []string{"cpu", "memory", "pids"} {
		if !slices.Contains(info.Host.CgroupControllers, c) {
			lacks = append(lacks, c)
		}
	}
	if len(lacks) > 0 {
		return warn("version 2, but not delegated to "+p.who.name+": "+strings.Join(lacks, ", ")+"; those limits are not enforced",
			"let systemd delegate them: Delegate=cpu memory pids in /etc/systemd/system/user@.service.d/delegate.conf")
	}
	return ok("version 2, delegated: limits are enforced")
}

func checkOCIRuntime(_ context.Context, p *probe) Finding {
	if p.hybrid() {
		if !p.has("runc") {
			return fail("runc is not installed, and crun does not work here", otherSystems(p, "runc")...).blocks().needs("runc")
		}
		return ok("runc")
	}
	for _, name := range []string{"crun", "runc"} {
		if p.has(name) {
			return ok(name)
		}
	}
	return fail("neither crun nor runc is installed", otherSystems(p, "crun")...).blocks().needs("crun")
}

// checkPodmanConfig compares what Podman does with what works here. It writes
// to the person's own containers.conf only.
func checkPodmanConfig(ctx context.Context, p *probe) Finding {
	if !p.who.exists || !p.has("podman") {
		return Finding{}
	}
	var want []setting
	if !p.systemd() {
		want = append(want,
			setting{"engine", "cgroup_manager", "cgroupfs", "there is no systemd to manage control groups"},
			setting{"engine", "events_logger", "file", "there is no journal"})
	}
	if p.hybrid() {
		want = append(want, setting{"engine", "runtime", "runc", "crun refuses hybrid control groups"})
	}
	if info, err := p.info(); err == nil {
		effective := map[string]string{
			"cgroup_manager": info.Host.CgroupManager,
			"events_logger":  info.Host.EventLogger,
			"runtime":        filepath.Base(info.Host.OCIRuntime.Name),
		}
		want = slices.DeleteFunc(want, func(s setting) bool { return effective[s.key] == s.value })
	}
	if len(want) == 0 {
		return ok("fits this machine")
	}
	return p.conf(ctx, "containers.conf", want)
}

// conf returns the finding that a file of Podman's needs settings.
func (p *probe) conf(ctx context.Context, name string, want []setting) Finding {
	path := filepath.Join(p.configDir(), "containers", name)
	old, err := p.readTheirs(ctx, path)
	if err != nil {
		return fail("cannot read " + path + ": " + err.Error())
	}
	data, changes := setKeys(string(old), want)
	if _, err := p.info(); len(changes) == 0 && err != nil {
		return Finding{} // checkPodman says why
	}
	if len(changes) == 0 {
		return warn(path + " is right, but Podman does otherwise; another file or the environment overrides it")
	}
	whys := make([]string, len(want))
	for i, s := range want {
		whys[i] = s.why
	}
	step := Step{Path: path, Data: []byte(data), Changes: changes}
	if p.root() {
		step.User = p.who.name
	}
	return warn(strings.Join(whys, "; ")).with(step)
}

func (p *probe) configDir() string {
	if dir := p.o.Env("XDG_CONFIG_HOME"); !p.root() && filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(p.who.home, ".config")
}

func checkStorage(ctx context.Context, p *probe) Finding {
	info, err := p.info()
	if err != nil {
		return Finding{}
	}
	if info.Store.Driver != "vfs" {
		return ok(info.Store.Driver)
	}
	const slow = "Podman copies a whole image for each container (vfs)"
	if info.Store.Images.Number > 0 || info.Store.Containers.Number > 0 || p.volumes(ctx) {
		return warn(slow+", and its storage is in use",
			"save what you need, run podman system reset, then vexa doctor --fix")
	}
	theirs, err := p.readTheirs(ctx, filepath.Join(p.configDir(), "containers", "storage.conf"))
	if err != nil || hasKey(string(theirs), "storage", "driver") {
		return warn(slow+", as storage.conf of "+p.who.name+" says", "remove the driver there, run podman system reset, then vexa doctor --fix")
	}
	f := p.conf(ctx, "storage.conf", []setting{{"storage", "driver", "overlay", slow}})
	if !atLeast(p.text("/proc/sys/kernel/osrelease"), kernelMajor, kernelMinor) && !p.has("fuse-overlayfs") {
		f = f.needs("fuse-overlayfs")
	}
	// The empty storage remembers its driver; it must go first.
	f.steps = append([]Step{p.step("podman", "system", "reset", "--force")}, f.steps...)
	return f
}

// volumes reports whether Podman keeps volumes, or cannot tell.
func (p *probe) volumes(ctx context.Context) bool {
	out, err := p.sys.Run(ctx, Command{Argv: p.as("podman", "volume", "ls", "--quiet")})
	return err != nil || strings.TrimSpace(string(out)) != ""
}

func checkSELinux(_ context.Context, p *probe) Finding {
	if p.text("/sys/fs/selinux/enforce") != "1" {
		return Finding{}
	}
	return warn("SELinux is enforcing; containers run with label=disable, so that they can see the workspaces they were granted",
		"nothing needs to be done: every other boundary holds")
}
