package doctor_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/doctor"
	"github.com/vexa-ai/vexa/pkg/fault"
)

func newDoctor(t *testing.T, m *machine, change ...func(*doctor.Options)) *doctor.Doctor {
	t.Helper()
	o := doctor.Options{System: m, UID: m.asUID, Env: m.env, Self: "/usr/bin/vexa", Version: "1"}
	for _, c := range change {
		c(&o)
	}
	d, err := doctor.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func examine(t *testing.T, d *doctor.Doctor) map[string]doctor.Finding {
	t.Helper()
	findings, err := d.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]doctor.Finding{}
	for _, f := range findings {
		if f.Why == "" || f.Detail == "" {
			t.Errorf("%s says nothing: %+v", f.Name, f)
		}
		byName[f.Name] = f
	}
	return byName
}

func fixAll(t *testing.T, d *doctor.Doctor) (findings []doctor.Finding, shown []string) {
	t.Helper()
	findings, err := d.Fix(t.Context(), doctor.FixOptions{Show: func(s string) { shown = append(shown, s) }})
	if err != nil {
		t.Fatal(err)
	}
	return findings, shown
}

func TestRootSetsUpAnUnprivilegedUser(t *testing.T) {
	t.Parallel()
	m := freshDebian(t)
	d := newDoctor(t, m)
	before := examine(t, d)
	for _, name := range []string{"user", "podman", "uidmap", "oci-runtime", "git"} {
		if f := before[name]; f.Status != doctor.Fail || !f.Blocking || len(f.Fix) == 0 {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if len(m.ran) != 0 {
		t.Errorf("looking changed the machine: %q", m.ran)
	}
	findings, shown := fixAll(t, d)
	if doctor.Blocked(findings) || doctor.Worst(findings) == doctor.Fail {
		t.Errorf("remains: %+v", findings)
	}
	want := []string{
		"apt-get update",
		"apt-get install -y --no-install-recommends busybox-static ca-certificates git podman runc uidmap",
		"useradd --create-home --shell /bin/bash vexa",
		"usermod --add-subuids 165536-231071 --add-subgids 165536-231071 vexa",
		"podman system migrate",
		"install -d -m 0700 -o vexa -g 1001 /run/user/1001",
		"write /home/vexa/.config/containers/containers.conf",
		"podman system reset --force",
		"write /home/vexa/.config/containers/storage.conf",
	}
	if !slices.Equal(m.ran, want) {
		t.Errorf("ran\n%s\nwant\n%s", strings.Join(m.ran, "\n"), strings.Join(want, "\n"))
	}
	all := strings.Join(shown, "\n")
	for _, step := range []string{"as root: run useradd", "as vexa: write /home/vexa/.config/containers/containers.conf\n    +[engine]"} {
		if !strings.Contains(all, step) {
			t.Errorf("%q was not shown in\n%s", step, all)
		}
	}
	m.ran = nil
	if _, shown := fixAll(t, d); len(m.ran) != 0 || len(shown) != 0 {
		t.Errorf("the second time it ran %q and showed %q", m.ran, shown)
	}
	if f := examine(t, d)["user"]; f.Status != doctor.Warn || !strings.Contains(strings.Join(f.Fix, " "), "runuser -u vexa") {
		t.Errorf("how to run as the user: %+v", f)
	}
}

func TestNothingIsDoneUnlessAgreed(t *testing.T) {
	t.Parallel()
	m := freshDebian(t)
	shown := 0
	findings, err := newDoctor(t, m).Fix(t.Context(), doctor.FixOptions{
		Show:    func(string) { shown++ },
		Confirm: func() (bool, error) { return false, nil },
	})
	if err != nil || len(m.ran) != 0 || shown == 0 || !doctor.Blocked(findings) {
		t.Errorf("ran %q, showed %d, error %v", m.ran, shown, err)
	}
}

func TestAFailedStepEndsTheFix(t *testing.T) {
	t.Parallel()
	m := freshDebian(t)
	m.broken["useradd"] = errors.New("no space")
	_, err := newDoctor(t, m).Fix(t.Context(), doctor.FixOptions{Show: func(string) {}})
	if err == nil || !strings.Contains(err.Error(), "useradd") || !strings.Contains(err.Error(), "no space") {
		t.Errorf("error %v", err)
	}
	if slices.ContainsFunc(m.ran, func(s string) bool { return strings.HasPrefix(s, "install") }) {
		t.Errorf("went on: %q", m.ran)
	}
}

func TestWithoutRootAnAdministratorIsNamed(t *testing.T) {
	t.Parallel()
	m := userDebian(t)
	m.programs = slices.DeleteFunc(m.programs, func(p string) bool { return p == "git" })
	findings, shown := fixAll(t, newDoctor(t, m))
	if !doctor.Blocked(findings) || len(m.ran) != 0 || !strings.HasPrefix(strings.Join(shown, "\n"), "an administrator has to as root: run apt-get update") {
		t.Errorf("ran %q, showed %q", m.ran, shown)
	}
	m.programs = append(m.programs, "sudo")
	if findings, _ := fixAll(t, newDoctor(t, m)); doctor.Blocked(findings) || !slices.Contains(m.programs, "git") {
		t.Errorf("with sudo: %+v", findings)
	}
}

func TestAFinishedMachineIsWell(t *testing.T) {
	t.Parallel()
	m := userDebian(t)
	for name, f := range examine(t, newDoctor(t, m)) {
		if f.Status != doctor.OK && name != "cgroups" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	crypt := map[string]string{
		"/sys/block/dm-1/dm/name": "swap", "/sys/block/dm-1/dm/uuid": "LVM-x", "/sys/block/dm-1/slaves/dm-0": "",
		"/sys/block/dm-0/dm/name": "root", "/sys/block/dm-0/dm/uuid": "CRYPT-LUKS2-y",
	}
	swap := func(line string, more map[string]string) func(*machine) {
		return func(m *machine) {
			m.files["/proc/swaps"] += line + "\n"
			maps.Copy(m.files, more)
		}
	}
	for name, c := range map[string]struct {
		change func(*machine)
		check  string
		want   doctor.Status
		says   string
	}{
		"swap on a plain partition":     {swap("/dev/sda2 partition 1 0 -2", nil), "swap", doctor.Fail, "/dev/sda2"},
		"swap on LVM on LUKS":           {swap("/dev/mapper/swap partition 1 0 -2", crypt), "swap", doctor.OK, ""},
		"swap file on LUKS":             {swap("/swapfile file 1 0 -2", crypt), "swap", doctor.OK, ""},
		"swap file on a plain disk":     {swap("/swapfile file 1 0 -2", nil), "swap", doctor.Fail, "/swapfile"},
		"zram":                          {swap("/dev/zram0 partition 1 0 100", nil), "swap", doctor.OK, "zram0"},
		"no user namespaces":            {func(m *machine) { m.files["/proc/sys/user/max_user_namespaces"] = "0" }, "userns", doctor.Fail, ""},
		"Debian's switch":               {func(m *machine) { m.files["/proc/sys/kernel/unprivileged_userns_clone"] = "0\n" }, "userns", doctor.Fail, ""},
		"others enter the runtime dir":  {func(m *machine) { m.stats["/run/user/1000"] = doctor.File{Mode: fs.ModeDir | 0o755, UID: 1000} }, "runtime-dir", doctor.Fail, "others"},
		"another's runtime dir":         {func(m *machine) { m.stats["/run/user/1000"] = doctor.File{Mode: fs.ModeDir | 0o700, UID: 7} }, "runtime-dir", doctor.Fail, "not a directory of jane's"},
		"a link as runtime dir":         {func(m *machine) { m.stats["/run/user/1000"] = doctor.File{Mode: fs.ModeSymlink | 0o700, UID: 1000} }, "runtime-dir", doctor.Fail, ""},
		"nothing in memory":             {func(m *machine) { m.disks["/dev/shm"] = doctor.Disk{Free: 9 << 30} }, "memory", doctor.Fail, ""},
		"little room":                   {func(m *machine) { m.disks["/dev/shm"] = doctor.Disk{Free: 100 << 20, InMemory: true} }, "memory", doctor.Warn, "100 MB"},
		"no room":                       {func(m *machine) { m.disks["/dev/shm"] = doctor.Disk{Free: 1 << 20, InMemory: true} }, "memory", doctor.Fail, ""},
		"hybrid control groups":         {func(*machine) {}, "cgroups", doctor.Warn, "not enforced"},
		"version 2, delegated":          {cgroup2("cpu memory pids"), "cgroups", doctor.OK, ""},
		"version 2, not delegated":      {cgroup2("memory pids"), "cgroups", doctor.Warn, "cpu"},
		"crun is enough with version 2": {func(m *machine) { cgroup2("cpu")(m); m.swapProgram("runc", "crun") }, "oci-runtime", doctor.OK, "crun"},
		"crun is not with version 1":    {func(m *machine) { m.swapProgram("runc", "crun") }, "oci-runtime", doctor.Fail, ""},
		"too few subordinate ids":       {func(m *machine) { m.files["/etc/subuid"] = "jane:165536:1000\n" }, "subids", doctor.Fail, "1000"},
		"subordinate ids by uid":        {func(m *machine) { m.files["/etc/subuid"] = "1000:165536:65536\n" }, "subids", doctor.OK, ""},
		"overlapping ranges":            {func(m *machine) { m.files["/etc/subgid"] = "other:200000:65536\njane:165536:65536\n" }, "subids", doctor.Warn, "other's"},
		"newuidmap without setuid":      {func(m *machine) { m.stats["/usr/bin/newuidmap"] = doctor.File{Mode: 0o755} }, "uidmap", doctor.Fail, ""},
		"vfs in use":                    {func(m *machine) { m.store, m.images = "vfs", 2 }, "storage", doctor.Warn, "in use"},
		"vfs as the person wants": {func(m *machine) {
			m.store, m.files["/home/jane/.config/containers/storage.conf"] = "vfs", "[storage]\ndriver = \"vfs\"\n"
		}, "storage", doctor.Warn, "as storage.conf of jane says"},
		"vfs on an old kernel": {func(m *machine) {
			m.store, m.files["/proc/sys/kernel/osrelease"] = "vfs", "5.10.0-8-amd64\n"
		}, "storage", doctor.Warn, ""},
		"a static program":              {func(m *machine) { m.files["/usr/bin/vexa"] = staticELF }, "binary", doctor.OK, ""},
		"a program that needs a loader": {func(m *machine) { m.files["/usr/bin/vexa"] = dynamicELF }, "binary", doctor.Fail, "not static"},
		"busybox with a loader":         {func(m *machine) { m.files["/bin/busybox"] = "#!/bin/sh\n" }, "shell-image", doctor.Warn, "not static"},
		"SELinux":                       {func(m *machine) { m.files["/sys/fs/selinux/enforce"] = "1" }, "selinux", doctor.Warn, "label=disable"},
		"systemd without linger":        {func(m *machine) { m.stats["/run/systemd/system"] = doctor.File{Mode: fs.ModeDir} }, "linger", doctor.Warn, ""},
		"podman does not work":          {func(m *machine) { m.broken["podman"] = errors.New("boom") }, "podman", doctor.Fail, "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := userDebian(t)
			c.change(m)
			f := examine(t, newDoctor(t, m))[c.check]
			if f.Status != c.want || !strings.Contains(f.Detail, c.says) {
				t.Errorf("%+v, want %s saying %q", f, c.want, c.says)
			}
			if f.Status == doctor.Fail && len(f.Fix) == 0 && c.check != "podman" {
				t.Error("it says nothing about what to do")
			}
		})
	}
}

func TestAnOldKernelNeedsFuse(t *testing.T) {
	t.Parallel()
	m := userDebian(t)
	m.programs = append(m.programs, "sudo")
	m.store, m.files["/proc/sys/kernel/osrelease"] = "vfs", "5.10.0-8-amd64\n"
	fixAll(t, newDoctor(t, m))
	if m.store != "" && m.store != "overlay" || !slices.Contains(m.programs, "fuse-overlayfs") {
		t.Errorf("storage %q, ran %q", m.store, m.ran)
	}
}

func cgroup2(controllers string) func(*machine) {
	return func(m *machine) {
		m.stats["/sys/fs/cgroup/cgroup.controllers"] = doctor.File{}
		m.podman = map[string]string{"controllers": controllers}
	}
}

func (m *machine) swapProgram(old, now string) {
	m.programs = append(slices.DeleteFunc(m.programs, func(p string) bool { return p == old }), now)
}

func TestInstallation(t *testing.T) {
	t.Parallel()
	state := doctor.Install{ID: "0123456789ab", Key: "none", Daemon: "1", Kernel: true, Unencrypted: 2, Live: []string{"01LIVE"}, State: "/state", Units: "/shm/units", Packs: "/shm/packs"}
	stopped := func(i *doctor.Install) { i.Daemon, i.Kernel, i.Live = "", false, nil }
	locked := func(i *doctor.Install) { i.Locked, i.Kernel, i.Live = true, false, nil }
	const all = "container vexa-agent-01live, container vexa-agent-01dead, working copy 01GONE, working copy 01LIVE, readable history in /shm/packs"
	for name, c := range map[string]struct {
		change func(*doctor.Install)
		check  string
		want   doctor.Status
		says   string
	}{
		"key without passphrase": {nil, "identity", doctor.OK, "not a stolen disk"},
		"no key":                 {func(i *doctor.Install) { i.Key = "missing" }, "identity", doctor.Warn, "no key"},
		"key in the keyring":     {func(i *doctor.Install) { i.Key = "keyring" }, "identity", doctor.OK, "keyring"},
		"key for other keys":     {func(i *doctor.Install) { i.Key = "keys" }, "identity", doctor.OK, "only other keys"},
		"no recovery key":        {nil, "recovery", doctor.Warn, "is lost"},
		"no key to recover":      {func(i *doctor.Install) { i.Key = "missing" }, "recovery", "", ""},
		"a recovery key":         {func(i *doctor.Install) { i.Recovery = true }, "recovery", doctor.OK, "off this machine"},
		"room":                   {nil, "disk", doctor.OK, "4096 MB"},
		"little room":            {func(i *doctor.Install) { i.State = "/little" }, "disk", doctor.Warn, "100 MB"},
		"no room":                {func(i *doctor.Install) { i.State = "/full" }, "disk", doctor.Fail, "1 MB"},
		"sealed key":             {func(i *doctor.Install) { i.Key = "passphrase" }, "identity", doctor.OK, "passphrase"},
		"not encrypted yet":      {nil, "workspaces", doctor.Warn, "2 rest unencrypted"},
		"version skew":           {func(i *doctor.Install) { i.Daemon = "0.9" }, "daemon", doctor.Warn, "0.9"},
		"kernel down":            {func(i *doctor.Install) { i.Kernel = false }, "daemon", doctor.Warn, "kernel"},
		"no daemon":              {stopped, "daemon", doctor.OK, "starts by itself"},
		"a start that failed":    {func(i *doctor.Install) { stopped(i); i.LastWords = "journal audit: damaged" }, "daemon", doctor.Fail, "journal audit: damaged"},
		"no answer":              {func(i *doctor.Install) { i.Trouble = "boom" }, "daemon", doctor.Fail, "boom"},
		"locked":                 {locked, "daemon", doctor.OK, "vexa unlock"},
		"locked, the key":        {func(i *doctor.Install) { locked(i); i.Key = "passphrase" }, "identity", doctor.OK, "passphrase"},
		"leftovers":              {nil, "leftovers", doctor.Warn, "container vexa-agent-01dead, working copy 01GONE"},
		"after a crash":          {stopped, "leftovers", doctor.Warn, all},
		"a crash, then locked":   {locked, "leftovers", doctor.Warn, all},
		"nothing left":           {func(i *doctor.Install) { i.Live = []string{"01LIVE", "01DEAD", "01GONE"} }, "leftovers", doctor.OK, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := userDebian(t)
			m.podman = map[string]string{"ps": "vexa-agent-01live\nvexa-agent-01dead\n"}
			m.files["/shm/units/01LIVE/x"], m.files["/shm/units/01GONE/x"] = "", ""
			m.stats["/shm/packs"] = doctor.File{Mode: fs.ModeDir}
			in := state
			if c.change != nil {
				c.change(&in)
			}
			d := newDoctor(t, m, func(o *doctor.Options) {
				o.Install = func(context.Context) (doctor.Install, error) { return in, nil }
			})
			if f := examine(t, d)[c.check]; f.Status != c.want || !strings.Contains(f.Detail, c.says) {
				t.Errorf("%+v, want %s saying %q", f, c.want, c.says)
			} else if f.Blocking != (in.LastWords != "") {
				t.Errorf("blocking: %t", f.Blocking)
			}
		})
	}
}

// Where Podman does not answer, doctor does not say that nothing is left.
func TestLeftoversThatCannotBeSeen(t *testing.T) {
	t.Parallel()
	m := userDebian(t)
	m.broken["podman"] = errors.New("boom")
	d := newDoctor(t, m, func(o *doctor.Options) {
		o.Install = func(context.Context) (doctor.Install, error) {
			return doctor.Install{ID: "0123456789ab", Key: "none", Units: "/shm/units"}, nil
		}
	})
	if f := examine(t, d)["leftovers"]; f.Status != doctor.Warn || !strings.Contains(f.Detail, "boom") {
		t.Errorf("%+v", f)
	}
}

func TestUserNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"root", "-rf", "a b", "a;b", "A", "../x", strings.Repeat("x", 40)} {
		if _, err := doctor.New(doctor.Options{User: name}); !fault.Is(err, fault.Usage) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
