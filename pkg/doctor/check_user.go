package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

func checkUser(ctx context.Context, p *probe) Finding {
	switch {
	case !p.root():
		return ok(p.who.name + ", an unprivileged user")
	case !p.who.exists:
		return fail("you are root, and there is no user " + p.who.name + " to run Vexa as").blocks().
			with(Step{Argv: []string{"useradd", "--create-home", "--shell", "/bin/bash", p.who.name}, Root: true})
	case p.who.uid == 0:
		return fail("the user "+p.who.name+" is root by another name", "choose another one with --user NAME").blocks()
	default:
		return warn("you are root; run Vexa as "+p.who.name, p.howToRun(ctx)...)
	}
}

// howToRun lists the commands that run Vexa as the person.
func (p *probe) howToRun(ctx context.Context) []string {
	const installed = "/usr/local/bin/vexa"
	if _, err := p.sys.Run(ctx, Command{Argv: p.as("test", "-x", p.o.Self)}); err == nil {
		return []string{quote(p.as(p.o.Self, "init"))}
	}
	return []string{quote([]string{"install", "-m", "0755", p.o.Self, installed}), quote(p.as(installed, "init"))}
}

func checkUIDMap(ctx context.Context, p *probe) Finding {
	for _, name := range []string{"newuidmap", "newgidmap"} {
		path, err := p.sys.LookPath(name)
		if err != nil {
			return fail(name+" is not installed", otherSystems(p, "uidmap or shadow-utils")...).blocks().needs("uidmap")
		}
		st, err := p.sys.Stat(path)
		if err != nil {
			return fail("cannot look at " + path + ": " + err.Error()).blocks()
		}
		if st.UID == 0 && st.Mode&fs.ModeSetuid != 0 {
			continue
		}
		if out, err := p.sys.Run(ctx, Command{Argv: []string{"getcap", path}}); err == nil && strings.Contains(string(out), "cap_set") {
			continue
		}
		return fail(path + " may not set ids").blocks().with(Step{Argv: []string{"chmod", "u+s", path}, Root: true})
	}
	return ok("newuidmap and newgidmap may set ids")
}

func checkSubIDs(_ context.Context, p *probe) Finding {
	if !p.who.exists {
		return Finding{}
	}
	uids, gids := parseSubIDs(p.text("/etc/subuid")), parseSubIDs(p.text("/etc/subgid"))
	argv := []string{"usermod"}
	var lacks []string
	if n := subIDCount(uids, p.who); n < subIDs {
		argv = append(argv, "--add-subuids", rangeText(freeSubIDs(uids)))
		lacks = append(lacks, fmt.Sprintf("%d subordinate user ids", n))
	}
	if n := subIDCount(gids, p.who); n < subIDs {
		argv = append(argv, "--add-subgids", rangeText(freeSubIDs(gids)))
		lacks = append(lacks, fmt.Sprintf("%d subordinate group ids", n))
	}
	if len(lacks) > 0 {
		steps := []Step{{Argv: append(argv, p.who.name), Root: true}}
		if p.has("podman") {
			migrate := p.step("podman", "system", "migrate")
			migrate.MayFail = true // there may be nothing to migrate yet
			steps = append(steps, migrate)
		}
		return fail(fmt.Sprintf("%s has %s, %d are needed", p.who.name, strings.Join(lacks, " and "), subIDs)).blocks().with(steps...)
	}
	if other, found := overlaps(uids, p.who); found {
		return warn("the subordinate user ids of "+p.who.name+" are "+other+"'s, too", "give them ranges of their own in /etc/subuid")
	}
	if other, found := overlaps(gids, p.who); found {
		return warn("the subordinate group ids of "+p.who.name+" are "+other+"'s, too", "give them ranges of their own in /etc/subgid")
	}
	return ok(fmt.Sprintf("%s has %d", p.who.name, subIDCount(uids, p.who)))
}

// step returns a step taken by the person.
func (p *probe) step(argv ...string) Step {
	if !p.root() {
		return Step{Argv: argv}
	}
	return Step{Argv: p.as(argv...), Root: true}
}

func checkUserNamespaces(_ context.Context, p *probe) Finding {
	const dropIn = "/etc/sysctl.d/60-vexa-userns.conf"
	set := func(detail, key, value string) Finding {
		line := key + " = " + value
		return fail(detail).blocks().with(
			Step{Path: dropIn, Data: []byte(line + "\n"), Changes: []string{"+" + line}, Root: true},
			Step{Argv: []string{"sysctl", "-w", key + "=" + value}, Root: true},
		)
	}
	if p.text("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
		return set("the kernel keeps user namespaces from users", "kernel.unprivileged_userns_clone", "1")
	}
	limit, err := strconv.Atoi(p.text("/proc/sys/user/max_user_namespaces"))
	if err != nil {
		return fail("this kernel has no user namespaces", "use a kernel with CONFIG_USER_NS").blocks()
	}
	if limit == 0 {
		return set("no user namespaces are allowed", "user.max_user_namespaces", "28633")
	}
	if p.text("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
		if _, err := p.sys.Stat("/etc/apparmor.d/podman"); err != nil {
			return warn("AppArmor restricts user namespaces and has no profile for Podman", "install the distribution's podman package, which brings one")
		}
	}
	return ok(fmt.Sprintf("up to %d", limit))
}

func checkRuntimeDir(_ context.Context, p *probe) Finding {
	dir := p.runtimeDir()
	switch {
	case !p.who.exists:
		return Finding{}
	case dir == "":
		return warn("XDG_RUNTIME_DIR is not set; a folder in /tmp is used", "export XDG_RUNTIME_DIR=/run/user/"+strconv.Itoa(p.who.uid))
	}
	st, err := p.sys.Stat(dir)
	switch {
	case missing(err):
		return fail(dir + " is missing").blocks().with(p.makeRuntimeDir(dir))
	case err != nil:
		return fail("cannot look at " + dir + ": " + err.Error()).blocks()
	case !st.Mode.IsDir() || st.UID != p.who.uid:
		return fail(dir+" is not a directory of "+p.who.name+"'s", "set XDG_RUNTIME_DIR to one").blocks()
	case st.Mode.Perm()&0o077 != 0:
		return fail("others can enter " + dir).blocks().with(p.step("chmod", "0700", dir))
	default:
		return ok(dir)
	}
}

// makeRuntimeDir makes the directory as logind would. It is gone after a
// reboot, where there is no logind to make it again.
func (p *probe) makeRuntimeDir(dir string) Step {
	if p.root() && p.systemd() {
		return lingerStep(p.who.name)
	}
	return Step{Argv: []string{"install", "-d", "-m", "0700", "-o", p.who.name, "-g", strconv.Itoa(p.who.gid), dir}, Root: true}
}

func lingerStep(name string) Step {
	return Step{Argv: []string{"loginctl", "enable-linger", name}, Root: true}
}

func checkLinger(_ context.Context, p *probe) Finding {
	if !p.systemd() || !p.who.exists {
		return Finding{}
	}
	if _, err := p.sys.Stat("/var/lib/systemd/linger/" + p.who.name); err == nil {
		return ok("the folders of " + p.who.name + " stay after logout")
	}
	return warn("logout stops the daemon and removes its folders").with(lingerStep(p.who.name))
}

// otherSystems names packages for systems without apt-get.
func otherSystems(p *probe, packages string) []string {
	if p.debian() {
		return nil
	}
	return []string{"install " + packages + " with your package manager"}
}
