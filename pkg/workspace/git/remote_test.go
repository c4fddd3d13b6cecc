package git_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

const (
	branch = "refs/heads/main"
	copied = "refs/vexa/copied"
)

// emptyBare makes a bare repository with nothing in it.
func emptyBare(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "it's.git")
	if out, err := exec.Command("git", "init", "-q", "--bare", "-b", "trunk", dir).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	return dir
}

// env is a person's environment whose global configuration is the given text.
func env(t *testing.T, config string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gitconfig")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_GLOBAL=" + path, "GIT_CONFIG_NOSYSTEM=1"}
}

func remoteOf(t *testing.T, dir string, opt git.RemoteOptions) *git.Remote {
	t.Helper()
	if opt.Env == nil {
		opt.Env = env(t, "")
	}
	m, err := open(t, "").Repo(dir).Remote(opt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// child makes another commit with the same tree, on top of a commit or of none.
func child(t *testing.T, dir, from, message string, parent bool) string {
	t.Helper()
	args := []string{"-c", "user.name=a", "-c", "user.email=a", "commit-tree", "-m", message}
	if parent {
		args = append(args, "-p", from)
	}
	return inRepo(t, dir, "", append(args, from+"^{tree}")...)
}

func trouble(t *testing.T, err error, kind git.Trouble) git.RemoteError {
	t.Helper()
	var failed *git.RemoteError
	if !errors.As(err, &failed) || failed.Trouble != kind {
		t.Fatalf("%v, want trouble %d", err, kind)
	}
	return *failed
}

func TestRemote(t *testing.T) {
	t.Parallel()
	local, first := bare(t)
	far := emptyBare(t)
	m := remoteOf(t, local, git.RemoteOptions{URL: "file://" + far})
	if ids, err := m.List(ctx, branch); err != nil || len(ids) != 0 {
		t.Fatalf("nothing: %v, %v", ids, err)
	}
	if found, err := m.Fetch(ctx, branch, copied, false); err != nil || found {
		t.Fatalf("nothing: %v, %v", found, err)
	}
	if err := m.Push(ctx, first, branch); err != nil {
		t.Fatal(err)
	}
	second, other := child(t, local, first, "second", true), child(t, local, first, "other", false)
	if err := m.Push(ctx, second, branch); err != nil {
		t.Fatal(err)
	}
	trouble(t, m.Push(ctx, first, branch), git.Moved)
	trouble(t, m.Push(ctx, other, branch), git.Moved)
	trouble(t, m.Rewrite(ctx, other, first, branch), git.Moved)
	trouble(t, m.Delete(ctx, first, branch), git.Moved)
	if ids, err := m.List(ctx, branch, "refs/heads/nope"); err != nil || len(ids) != 1 || ids[branch] != second {
		t.Fatalf("%v, %v", ids, err)
	}
	shallow := emptyBare(t)
	s := remoteOf(t, shallow, git.RemoteOptions{URL: "file://" + far})
	if found, err := s.Fetch(ctx, branch, copied, true); err != nil || !found || inRepo(t, shallow, "", "rev-list", copied) != second {
		t.Fatalf("a shallow fetch: %v, %v", found, err)
	}
	third := child(t, shallow, second, "third", true)
	if err := s.Push(ctx, third, branch); err != nil {
		t.Fatalf("a push from a shallow repository: %v", err)
	}
	if found, err := m.Fetch(ctx, branch, copied, false); err != nil || !found || inRepo(t, local, "", "rev-parse", copied) != third {
		t.Fatalf("%v, %v", found, err)
	}
	if err := m.Rewrite(ctx, other, third, branch); err != nil {
		t.Fatal(err)
	}
	if err := m.Delete(ctx, other, branch); err != nil {
		t.Fatal(err)
	}
	if ids, err := m.List(ctx, branch); err != nil || len(ids) != 0 {
		t.Fatalf("nothing: %v, %v", ids, err)
	}
	inRepo(t, far, "", "fsck", "--strict")
	trouble(t, remoteOf(t, local, git.RemoteOptions{URL: "file:///no/such/repo.git"}).Push(ctx, first, branch), git.Missing)
}

func TestRemoteArguments(t *testing.T) {
	t.Parallel()
	dir, first := bare(t)
	m := remoteOf(t, dir, git.RemoteOptions{URL: "file://" + emptyBare(t)})
	for _, ref := range []string{"", "main", "--all", "refs/heads/-x", "refs/heads/a:refs/heads/b", "refs/heads/*", "+refs/heads/a", "refs/heads/a..b", "refs/heads/a\n", "refs/heads/a.lock", "refs/heads/" + strings.Repeat("a", 300)} {
		if _, err := m.List(ctx, ref); err == nil {
			t.Errorf("%q was listed", ref)
		}
		if _, err := m.Fetch(ctx, ref, copied, false); err == nil {
			t.Errorf("%q was fetched", ref)
		}
		if _, err := m.Fetch(ctx, branch, ref, false); err == nil {
			t.Errorf("%q was fetched to", ref)
		}
		if m.Push(ctx, first, ref) == nil || m.Rewrite(ctx, first, first, ref) == nil || m.Delete(ctx, first, ref) == nil {
			t.Errorf("%q was pushed", ref)
		}
	}
	for _, id := range []string{"", "main", "--all", "+" + first, first[:39], ":"} {
		if m.Push(ctx, id, branch) == nil || m.Rewrite(ctx, id, first, branch) == nil || m.Rewrite(ctx, first, id, branch) == nil || m.Delete(ctx, id, branch) == nil {
			t.Errorf("%q was pushed", id)
		}
	}
}

func TestRemoteURLs(t *testing.T) {
	t.Parallel()
	repo := open(t, "").Repo("/tmp")
	for url, want := range map[string]string{
		"https://host/o/r.git":                    "https://host/o/r.git",
		"https://me:secret@host:8443/o/r.git":     "https://host:8443/o/r.git",
		"https://me%40x:se%2fcret@[::1]:8443/r":   "https://[::1]:8443/r",
		"ssh://git@host:22/~me/r.git":             "ssh://git@host:22/~me/r.git",
		"git@host:o/r.git":                        "git@host:o/r.git",
		"host:/srv/r.git":                         "host:/srv/r.git",
		"file:///srv/it's%20here/r.git":           "file:///srv/it%27s%20here/r.git",
		"http://127.0.0.1:8080/r.git":             "http://127.0.0.1:8080/r.git",
		"http://me:secret@[::1]:8080/r.git":       "http://[::1]:8080/r.git",
		"http://localhost/r.git":                  "http://localhost/r.git",
		"https://host/" + strings.Repeat("a", 80): "https://host/" + strings.Repeat("a", 80),
	} {
		m, err := repo.Remote(git.RemoteOptions{URL: url, Plain: true})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if got := m.String(); got != want && strings.ReplaceAll(got, "'", "%27") != want {
			t.Errorf("%s is shown as %s", url, got)
		}
		again, err := repo.Remote(git.RemoteOptions{URL: m.String(), Plain: true})
		if err != nil || again.String() != m.String() || again.Protocol() != m.Protocol() {
			t.Errorf("%s, as it is shown, is %v, %v", m, again, err)
		}
	}
	if _, err := repo.Remote(git.RemoteOptions{URL: "http://127.0.0.1/r.git"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("http: %v", err)
	}
	for _, url := range badURLs() {
		_, err := repo.Remote(git.RemoteOptions{URL: url, Plain: true})
		if !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func badURLs() []string {
	return []string{
		"", "--upload-pack=touch /tmp/x", "-x", "ext::sh -c id", "ext::sh -c [id]", "fd::17", "git-remote-ext::x", "https::https://host/r",
		"git://host/r.git", "ftp://host/r", "http://host/r.git", "http://127.0.0.1.evil.example/r.git", "https://", "https://host", "https://host/", "https:///r.git",
		"https://host/r.git?x=1", "https://host/r.git?", "https://host/r.git#x", "https://me:secret@host/%zz", "https://me:secret@/r.git",
		"https://-oProxyCommand=x/r.git", "ssh://-oProxyCommand=x/r.git", "ssh://-x@host/r.git", "ssh://me:secret@host/r.git", "-oProxyCommand=x:r.git", "git@-oProxyCommand=x:r.git", "host:-x", "host:",
		"file://", "file:///", "file:///.", "file:///..", "file://host/r.git", "file:r.git", "file://me:secret@/r.git",
		"/srv/r.git", "r.git", "./r.git", "../x", "https://host/a\nb", "https://host/a\x00", "https://host/\x7f", "https://host/\xff", "ssh+git://host/r", "HTTP://host/r",
		"https://host/" + strings.Repeat("a", 3000),
	}
}

func FuzzRemoteURL(f *testing.F) {
	for _, s := range badURLs() {
		f.Add(s)
	}
	f.Add("https://me:secret@host/r.git")
	f.Add("git@host:r.git")
	g, err := git.New(ctx, git.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, url string) {
		m, err := g.Repo("/tmp").Remote(git.RemoteOptions{URL: url})
		if err != nil {
			return
		}
		if strings.HasPrefix(url, "-") || strings.ContainsAny(url, "\n\x00") || strings.Contains(m.String(), "@") && m.Protocol() == "https" && !strings.Contains(url[8:], "/") {
			t.Errorf("%q is shown as %q", url, m.String())
		}
		if p := m.Protocol(); p != "https" && p != "ssh" && p != "file" {
			t.Errorf("%q speaks %q", url, p)
		}
	})
}

// TestRemoteEnvironment shows what git gets: the person's own, nothing that
// steers git, and the guards.
func TestRemoteEnvironment(t *testing.T) {
	t.Parallel()
	fake := open(t, fakeGit(t, "git version 2.39.5", `printf '%s\n' "$@" >&2; /usr/bin/env >&2; cat /proc/$$/stat >&2; exit 1`))
	person := []string{
		"HOME=/home/jane", "PATH=/jane/bin:/usr/bin:/bin", "SSH_AUTH_SOCK=/run/agent", "GIT_ASKPASS=/jane/ask", "GIT_SSH_COMMAND=ssh -i key", "GH_TOKEN=t", "https_proxy=http://proxy",
		"LC_ALL=de_DE", "GIT_DIR=/hostile", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=hostile", "GIT_CONFIG_PARAMETERS='hostile'", "GIT_EXEC_PATH=/hostile", "GIT_TRACE=/hostile",
		"GIT_ALLOW_PROTOCOL=ext:hostile", "GIT_TERMINAL_PROMPT=hostile", "GIT_OBJECT_DIRECTORY=/hostile", "GIT_PROXY_COMMAND=/hostile", "GIT_TEMPLATE_DIR=/hostile",
	}
	own, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	session := strconv.Itoa(own)
	for _, prompt := range []bool{false, true} {
		m, err := fake.Repo("/tmp").Remote(git.RemoteOptions{URL: "https://me:secret@host/r.git", Env: person, Prompt: prompt})
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func() error{
			"ls-remote": func() error { _, err := m.List(ctx, branch); return err },
			"fetch":     func() error { _, err := m.Fetch(ctx, branch, copied, true); return err },
			"push":      func() error { return m.Push(ctx, strings.Repeat("a", 40), branch) },
		} {
			said := trouble(t, call(), git.Other).Stderr
			if strings.Contains(said, "hostile") || strings.Contains(said, "secret") || strings.Contains(said, "de_DE") {
				t.Errorf("%s: it holds what it must not: %s", name, said)
			}
			for _, want := range []string{
				" " + name + " ", " -- https://host/r.git ", "core.hooksPath=/dev/null", "core.fsmonitor=false", "submodule.recurse=false", "fetch.recurseSubmodules=false", "gc.auto=0",
				"HOME=/home/jane", "PATH=/jane/bin:", "SSH_AUTH_SOCK=/run/agent", "GIT_ASKPASS=/jane/ask", "GIT_SSH_COMMAND=ssh -i key", "GH_TOKEN=t", "https_proxy=http://proxy",
				"GIT_ALLOW_PROTOCOL=https:ssh ", "LC_ALL=C ", "GIT_TERMINAL_PROMPT=" + map[bool]string{false: "0", true: "1"}[prompt],
			} {
				if !strings.Contains(said, want) {
					t.Errorf("%s: %q is missing in %s", name, want, said)
				}
			}
			if strings.Contains(said, "--force ") || strings.Contains(said, "--force-with-lease") || strings.Contains(said, "-pack=") {
				t.Errorf("%s: %s", name, said)
			}
			stat := strings.Fields(said[strings.LastIndex(said, ") "):])
			if alone := stat[4] != session; alone == prompt {
				t.Errorf("%s: prompt %v, a session of its own %v", name, prompt, alone)
			}
		}
	}
}

// TestRemoteTransports: neither the person's configuration nor a URL leads to
// a helper, or from a directory elsewhere.
func TestRemoteTransports(t *testing.T) {
	t.Parallel()
	dir, first := bare(t)
	far := emptyBare(t)
	mark := filepath.Join(t.TempDir(), "ran")
	config := `[protocol]
	allow = always
[protocol "ext"]
	allow = always
[url "file://` + far + `"]
	insteadOf = file:///the/alias.git
[url "ext::touch ` + mark + ` #"]
	insteadOf = file:///the/helper.git
[url "file://` + far + `"]
	insteadOf = https://host/the.git
`
	if err := remoteOf(t, dir, git.RemoteOptions{URL: "file:///the/alias.git", Env: env(t, config)}).Push(ctx, first, branch); err != nil {
		t.Errorf("an alias: %v", err)
	}
	for _, url := range []string{"file:///the/helper.git", "https://host/the.git"} {
		m := remoteOf(t, dir, git.RemoteOptions{URL: url, Env: env(t, config)})
		_, err := m.List(ctx, branch)
		if failed := trouble(t, err, git.Other); !strings.Contains(failed.Stderr, "not allowed") {
			t.Errorf("%s: %v", url, err)
		}
		if m.Push(ctx, first, branch) == nil {
			t.Errorf("%s was pushed to", url)
		}
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a helper ran")
	}
}

// TestRemoteHooks: whoever keeps a directory that is a remote, and whoever
// wrote into this repository, runs nothing.
func TestRemoteHooks(t *testing.T) {
	t.Parallel()
	dir, first := bare(t)
	far := emptyBare(t)
	mark := filepath.Join(t.TempDir(), "ran")
	for _, repo := range []string{dir, far} {
		for _, hook := range []string{"pre-receive", "update", "post-receive", "post-update", "proc-receive", "reference-transaction", "pre-push", "pre-auto-gc", "post-checkout"} {
			if err := os.MkdirAll(filepath.Join(repo, "hooks"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(repo, "hooks", hook), []byte("#!/bin/sh\necho "+hook+" >>"+mark+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range []string{"core.fsmonitor", "core.alternateRefsCommand", "uploadpack.packObjectsHook", "core.sshCommand", "gpg.program"} {
			inRepo(t, repo, "", "config", key, "echo "+key+" >>"+mark+"; :")
		}
	}
	alternate := emptyBare(t)
	if err := os.WriteFile(filepath.Join(far, "objects/info/alternates"), []byte(filepath.Join(alternate, "objects")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := remoteOf(t, dir, git.RemoteOptions{URL: "file://" + far})
	if err := m.Push(ctx, first, branch); err != nil {
		t.Fatal(err)
	}
	if found, err := m.Fetch(ctx, branch, copied, false); err != nil || !found {
		t.Fatalf("%v, %v", found, err)
	}
	if err := m.Delete(ctx, first, branch); err != nil {
		t.Fatal(err)
	}
	if ran, err := os.ReadFile(mark); err == nil {
		t.Errorf("what was planted ran: %s", ran)
	}
}

func TestRemoteTrouble(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]git.Trouble{
		"fatal: Authentication failed for 'https://host/r.git/'":                                                             git.Denied,
		"fatal: could not read Username for 'https://host': terminal prompts disabled":                                       git.Denied,
		"git@host: Permission denied (publickey). fatal: Could not read from remote repository.":                             git.Denied,
		"fatal: unable to access 'https://host/r.git/': The requested URL returned error: 403":                               git.Denied,
		"Host key verification failed. fatal: Could not read from remote repository.":                                        git.Denied,
		"ERROR: The key you are authenticating with has been marked as read only.":                                           git.Denied,
		"remote: Repository not found. fatal: repository 'https://host/r.git/' not found":                                    git.Missing,
		"ERROR: Repository not found. fatal: Could not read from remote repository.":                                         git.Missing,
		"fatal: unable to access 'https://host/r.git/': Could not resolve host: host":                                        git.Unreachable,
		"ssh: connect to host host port 22: Connection refused fatal: Could not read from remote repository.":                git.Unreachable,
		"error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502 fatal: the remote end hung up":            git.Unreachable,
		"fatal: unable to access 'https://host/r.git/': SSL certificate problem: self-signed certificate":                    git.Unreachable,
		"fatal: fetch-pack: invalid index-pack output":                                                                       git.Other,
		"fatal: the receiving end does not support this repository's hash algorithm":                                         git.Other,
		"fatal: detected dubious ownership in repository at '/srv/r.git' fatal: Could not read from remote repository.":      git.Denied,
		"remote: GitLab: You are not allowed to push code to this project. fatal: unable to access: returned error: 403":     git.Denied,
		"fatal: '/srv/r.git' does not appear to be a git repository fatal: Could not read from remote repository.":           git.Missing,
		"fatal: unable to access 'https://host/': Operation too slow. Less than 1 bytes/sec transferred the last 300 second": git.Unreachable,
	} {
		g := open(t, fakeGit(t, "git version 2.39.5", `cat >&2 <<'END'
`+said+`
END
exit 128`))
		m, err := g.Repo("/tmp").Remote(git.RemoteOptions{URL: "https://me:secret@host/r.git"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.List(ctx, branch)
		if failed := trouble(t, err, want); failed.URL != "https://host/r.git" || failed.Command != "ls-remote" {
			t.Errorf("%+v", failed)
		}
	}
}

func TestRemoteRejections(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]git.Trouble{
		`[rejected] (fetch first)`:      git.Moved,
		`[rejected] (non-fast-forward)`: git.Moved,
		`[remote rejected] (cannot lock ref 'refs/heads/main': is at 1 but expected 2)`: git.Moved,
		`[remote rejected] (failed to update ref)`:                                      git.Moved,
		`[remote rejected] (non-fast-forward)`:                                          git.Refused, // receive.denyNonFastForwards
		`[remote rejected] (pre-receive hook declined)`:                                 git.Refused,
		`[remote rejected] (shallow update not allowed)`:                                git.Refused,
		`[remote failure] (remote failed to report status)`:                             git.Unreachable,
	} {
		g := open(t, fakeGit(t, "git version 2.39.5", `cat <<'END'
To https://host/r.git
!	aaaa:refs/heads/main2	[rejected] (another)
!	aaaa:refs/heads/main	`+line+`
END
exit 1`))
		m, err := g.Repo("/tmp").Remote(git.RemoteOptions{URL: "https://host/r.git"})
		if err != nil {
			t.Fatal(err)
		}
		failed := trouble(t, m.Push(ctx, strings.Repeat("a", 40), branch), want)
		if !strings.Contains(failed.Error(), line) {
			t.Errorf("%v does not say %s", &failed, line)
		}
	}
}

// TestRemoteOddLists: what a remote says is not taken for more than it is.
func TestRemoteOddLists(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a", 40)
	for out, ok := range map[string]bool{
		id + "\trefs/heads/main\n" + id + "\trefs/remotes/x/refs/heads/main\n": true,
		id + id[:24] + "\trefs/heads/main\n":                                   false, // sha256
		"hello\n":                                                              false,
		id + " refs/heads/main\n":                                              false,
	} {
		g := open(t, fakeGit(t, "git version 2.39.5", "cat <<'END'\n"+out+"END\n"))
		m, err := g.Repo("/tmp").Remote(git.RemoteOptions{URL: "https://host/r.git"})
		if err != nil {
			t.Fatal(err)
		}
		ids, err := m.List(ctx, branch)
		if (err == nil) != ok || ok && (len(ids) != 1 || ids[branch] != id) {
			t.Errorf("%q: %v, %v", out, ids, err)
		}
	}
	g := open(t, fakeGit(t, "git version 2.39.5", `yes `+id+` | tr -d '\n' | head -c 1000000000`))
	m, err := g.Repo("/tmp").Remote(git.RemoteOptions{URL: "https://host/r.git"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.List(ctx, branch); !errors.Is(err, git.ErrOutput) {
		t.Errorf("a list without end: %v", err)
	}
}

func TestRemoteContext(t *testing.T) {
	t.Parallel()
	g := open(t, fakeGit(t, "git version 2.39.5", "sleep 6 & wait"))
	for _, prompt := range []bool{false, true} {
		m, err := g.Repo("/tmp").Remote(git.RemoteOptions{URL: "https://host/r.git", Prompt: prompt})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := m.List(ctx, branch); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
			t.Errorf("prompt %v: %v after %v", prompt, err, time.Since(start))
		}
	}
}
