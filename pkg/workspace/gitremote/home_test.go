package gitremote_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vexa runs the program itself, which succeeds.
func (m *machine) vexa(args ...string) string {
	m.tb.Helper()
	r := m.run(m.home, append([]string{filepath.Join(m.bin, "vexa")}, args...)...)
	if r.code != 0 {
		m.tb.Fatalf("vexa %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// installed is a machine on which vexa init makes everything.
func (w *world) installed(name string) *machine {
	w.tb.Helper()
	m := w.machine(name)
	must(w.tb, os.RemoveAll(m.path("vexa")))
	w.tb.Cleanup(func() { m.run(m.home, filepath.Join(m.bin, "vexa"), "daemon", "stop") })
	return m
}

// TestInstall: from nothing to two machines that work on one workspace, as the
// help says it: vexa init, vexa git install, and git from then on.
func TestInstall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.installed("a")
	a.vexa("init", "--yes", "--workspace", "notes")
	bin := a.path("user", "bin")
	must(t, os.Mkdir(bin, 0o700))
	a = a.with("PATH=" + bin + ":/usr/bin:/bin")
	a.refused(a.home, []string{"remote-vexa"}, "clone", "vexa::notes")
	if out := a.vexa("git", "install", "--dir", bin); !strings.HasPrefix(out, filepath.Join(bin, helperName)+" -> ") {
		t.Errorf("vexa git install: %s", out)
	}
	a.vexa("git", "install", "--dir", bin) // again is no harm
	a.git(a.home, "clone", "-q", "vexa::notes")
	at := a.path("notes")
	if got := a.git(at, "symbolic-ref", "HEAD"); got != "refs/heads/main" {
		t.Errorf("HEAD is %s", got)
	}
	id := a.commit(at, "otters.md", "They are back.\n")
	a.git(at, "push", "-q")

	// The daemon sees what git pushed.
	if got := a.vexa("workspace", "cat", "notes", "otters.md"); got != "They are back." {
		t.Errorf("vexa workspace cat: %q", got)
	}
	if got := a.vexa("workspace", "log", "notes"); !strings.Contains(got, id[:7]) {
		t.Errorf("vexa workspace log has no %s:\n%s", id[:7], got)
	}
	a.refused(a.home, []string{`no workspace "others"`, "vexa workspace list"}, "clone", "vexa::others")

	// Another machine with the same key.
	secret := filepath.Join(w.dir, "passphrase")
	must(t, os.WriteFile(secret, []byte("otter\n"), 0o600))
	export := filepath.Join(w.dir, "export.age")
	a.vexa("key", "export", "--to", export, "--passphrase-file", secret)
	b := w.installed("b")
	b.vexa("init", "--yes", "--key-file", export, "--unlock-file", secret)
	url := bucketURL(t, a)
	b.git(b.home, "clone", "-q", "vexa::"+strings.TrimPrefix(url, "file://"), "by-path")
	b.git(b.home, "clone", "-q", "vexa::"+url, "by-url")
	b.vexa("workspace", "add", "shared", url)
	b.git(b.home, "clone", "-q", "vexa::shared")
	there := b.path("shared")
	b.commit(there, "otters.md", "They are back, both.\n")
	b.git(there, "push", "-q")
	a.git(at, "pull", "-q")
	if got := a.vexa("workspace", "cat", "notes", "otters.md"); got != "They are back, both." || a.head(at) != b.head(there) {
		t.Errorf("pulled %s, and the workspace has %q", a.head(at), got)
	}
	a.sound(at)
	b.sound(there)
	// Without a daemon it is the same.
	a.vexa("daemon", "stop")
	a.git(at, "pull", "-q")
	a.commit(at, "more.md", "1\n")
	a.git(at, "push", "-q")
	b.git(there, "pull", "-q")
}

// TestGitRemote: a bucket in a plain Git repository, which no git but this helper
// can read.
func TestGitRemote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.installed("a")
	a.vexa("init", "--yes")
	bare := filepath.Join(w.dir, "plain.git")
	a.git(a.home, "init", "-q", "--bare", bare)
	a.vexa("workspace", "create", "notes", "--bucket", "file://"+bare)
	a.git(a.home, "clone", "-q", "vexa::notes")
	at := a.path("notes")
	a.commit(at, "secret.md", "Nobody is to read this.\n")
	a.git(at, "push", "-q")
	a.git(a.home, "clone", "-q", "vexa::file://"+bare, "again")
	if a.head(a.path("again")) != a.head(at) {
		t.Errorf("cloned %s", a.head(a.path("again")))
	}
	a.commit(a.path("again"), "more.md", "1\n")
	a.git(a.path("again"), "push", "-q")
	a.git(at, "pull", "-q")
	a.sound(at)
	if got := a.git(bare, "log", "--all", "--binary", "-p"); strings.Contains(got, "Nobody") || strings.Contains(got, "secret.md") {
		t.Error("git reads the bucket")
	}
	if got := a.git(bare, "for-each-ref", "--format=%(refname)", "refs/heads/main"); got != "" {
		t.Errorf("the bare repository has %s", got)
	}
}

// bucketURL returns where the workspace notes of a machine is.
func bucketURL(t *testing.T, m *machine) string {
	t.Helper()
	all, err := filepath.Glob(m.path("vexa", "data", "buckets", "*"))
	must(t, err)
	for _, path := range all {
		if strings.Contains(m.try(m.home, "ls-remote", "vexa::"+path).out, m.git(m.path("notes"), "rev-parse", "HEAD")) {
			return "file://" + path
		}
	}
	t.Fatalf("none of %v is the workspace", all)
	return ""
}
