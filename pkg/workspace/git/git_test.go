package git_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

var ctx = context.Background()

// fakeGit is a program that answers "version" and then runs a shell script.
func fakeGit(t *testing.T, version, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "git")
	text := "#!/bin/sh\nfor a; do if [ \"$a\" = version ]; then echo '" + version + "'; exit; fi; done\n" + script + "\n"
	// Written by another process: a fork of this one that inherited the open file
	// would make it busy.
	cmd := exec.Command("sh", "-c", `cat >"$0" && chmod 755 "$0"`, path)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func open(t *testing.T, path string) *git.Git {
	t.Helper()
	g, err := git.New(ctx, git.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// bare makes a repository with one commit on main.
func bare(t *testing.T) (dir, commit string) {
	t.Helper()
	work := t.TempDir()
	run := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", args, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q", "-b", "main")
	if err := os.WriteFile(filepath.Join(work, "f"), []byte("content\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run("add", "-A")
	run("commit", "-q", "-m", "first")
	return filepath.Join(work, ".git"), run("rev-parse", "HEAD")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for line, ok := range map[string]bool{
		"git version 2.38.0": true, "git version 2.39.5": true, "git version 2.55.GIT": true, "git version 3.0.0": true, "git version 2.39.3 (Apple Git-146)": true,
		"git version 2.37.9": false, "git version 1.99.0": false, "hello": false, "": false,
	} {
		g, err := git.New(ctx, git.Options{Path: fakeGit(t, line, "")})
		if (err == nil) != ok {
			t.Errorf("%q: %v", line, err)
		}
		if err != nil && !fault.Is(err, fault.Unavailable) {
			t.Errorf("%q: kind %s", line, fault.KindOf(err))
		}
		if ok && !strings.HasPrefix(line, "git version "+g.Version()) {
			t.Errorf("%q: version %q", line, g.Version())
		}
	}
	if _, err := git.New(ctx, git.Options{Path: "git"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a relative path: %v", err)
	}
	if _, err := git.New(ctx, git.Options{Path: "/no/such/git"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("no git: %v", err)
	}
}

// TestEnvironment shows what the child gets: nothing of ours, and the guards.
// TestLater: what is done with a git that is too old fails, and nothing of it
// starts; what is done with a good one waits for its answer.
func TestLater(t *testing.T) {
	t.Parallel()
	dir, commit := bare(t)
	old, err := git.Later(ctx, git.Options{Path: fakeGit(t, "git version 2.30.2", "touch "+filepath.Join(dir, "started"))})
	if err != nil {
		t.Fatal(err)
	}
	repo := old.Repo(dir)
	defer repo.Close()
	_, err = repo.Run(ctx, git.Cmd{Args: []string{"rev-parse", "HEAD"}})
	_, rerr := repo.Object(ctx, commit, "commit", 1<<20)
	_, perr := old.PersonBool(ctx, dir, nil, "a.b")
	m, merr := repo.Remote(git.RemoteOptions{URL: "file:///nowhere.git"})
	if merr != nil {
		t.Fatal(merr)
	}
	_, lerr := m.List(ctx, "refs/heads/main")
	for what, err := range map[string]error{"run": err, "read": rerr, "setting": perr, "remote": lerr} {
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(fmt.Sprint(err), "2.30.2") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "started")); err == nil {
		t.Error("it was started")
	}
	if _, err := git.Later(ctx, git.Options{Path: "git"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a path that is not absolute: %v", err)
	}
	slow, err := git.Later(ctx, git.Options{Path: fakeGit(t, "git version 2.39.5", "echo ran")})
	if err != nil {
		t.Fatal(err)
	}
	if res, err := slow.Repo(dir).Run(ctx, git.Cmd{Args: []string{"rev-parse", "HEAD"}}); err != nil || string(res.Stdout) != "ran\n" || slow.Version() != "2.39.5" {
		t.Errorf("%q, %v, %s", res.Stdout, err, slow.Version())
	}
}

// TestNote: a version is noted for the same file, and for nothing else.
func TestNote(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "note")
	count := filepath.Join(t.TempDir(), "asked")
	fake := fakeGit(t, "git version 2.39.5", "")
	asking := func(version string) string {
		return "#!/bin/sh\necho x >>'" + count + "'\necho 'git version " + version + "'\n"
	}
	put := func(text string) {
		t.Helper()
		cmd := exec.Command("sh", "-c", `cat >"$0.new" && chmod 755 "$0.new" && mv "$0.new" "$0"`, fake)
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	expect := func(version string, asked int) {
		t.Helper()
		g, err := git.New(ctx, git.Options{Path: fake, Note: file})
		if err != nil || g.Version() != version {
			t.Fatalf("%v, %v", g, err)
		}
		if data, err := os.ReadFile(count); err != nil || len(data) != 2*asked {
			t.Errorf("asked %d times, not %d", len(data)/2, asked)
		}
	}
	put(asking("2.39.5"))
	expect("2.39.5", 1)
	expect("2.39.5", 1)
	put(asking("2.40.1"))
	expect("2.40.1", 2)
	if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("2.40.1", 3)
	put(asking("2.20.0"))
	for range 2 {
		if _, err := git.New(ctx, git.Options{Path: fake, Note: file}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("an old git: %v", err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("GIT_DIR", "/hostile")
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
	t.Setenv("GIT_CONFIG_VALUE_0", "/hostile")
	t.Setenv("SECRET", "hostile")
	t.Setenv("LD_PRELOAD", "/hostile.so")
	g := open(t, fakeGit(t, "git version 2.39.5", `echo "$@"; /usr/bin/env`))
	res, err := g.Repo("/tmp").Run(ctx, git.Cmd{Args: []string{"log", "x"}})
	if err != nil {
		t.Fatal(err)
	}
	out := string(res.Stdout)
	if strings.Contains(out, "hostile") || strings.Contains(out, "SECRET") {
		t.Errorf("it inherited something:\n%s", out)
	}
	for _, want := range []string{
		"--git-dir=/tmp log x\n", "core.hooksPath=/dev/null", "core.fsmonitor=false", "safe.bareRepository=explicit", "protocol.allow=never",
		"--no-replace-objects", "--literal-pathspecs", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}

func TestCommandsAreListed(t *testing.T) {
	t.Parallel()
	repo := open(t, "").Repo(t.TempDir())
	for _, args := range [][]string{nil, {"status"}, {"--exec-path=/tmp", "log"}, {"-c", "x=y"}, {"fetch"}, {"push"}, {"ls-remote"}, {"remote"}, {"clone"}, {"add"}, {""}} {
		if _, err := repo.Run(ctx, git.Cmd{Args: args}); err == nil {
			t.Errorf("%q ran", args)
		}
	}
}

func TestOutputCap(t *testing.T) {
	t.Parallel()
	g := open(t, fakeGit(t, "git version 2.39.5", `while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done`))
	done := make(chan error, 1)
	go func() {
		_, err := g.Repo("/tmp").Run(ctx, git.Cmd{Args: []string{"log"}, Limit: 1000})
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, git.ErrOutput) {
			t.Errorf("%v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it reads for ever")
	}
}

func TestContextEndsTheGroup(t *testing.T) {
	t.Parallel()
	pid := filepath.Join(t.TempDir(), "pid")
	g := open(t, fakeGit(t, "git version 2.39.5", `sleep 600 & echo $! > `+pid+`.new; mv `+pid+`.new `+pid+`; wait`))
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for {
			if _, err := os.Stat(pid); err == nil {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := g.Repo("/tmp").Run(ctx, git.Cmd{Args: []string{"log"}}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	data, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	status := filepath.Join("/proc", strings.TrimSpace(string(data)), "stat")
	for deadline := time.Now().Add(10 * time.Second); ; {
		stat, err := os.ReadFile(status)
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a child outlives the command")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	g := open(t, fakeGit(t, "git version 2.39.5", `printf 'fatal: \033[31mbad\n' >&2; exit 7`))
	_, err := g.Repo("/tmp").Run(ctx, git.Cmd{Args: []string{"log", "x"}})
	var failed *git.Error
	if !errors.As(err, &failed) || failed.Code != 7 || failed.Command != "log" || strings.Contains(err.Error(), "\x1b") || !strings.Contains(err.Error(), "bad") {
		t.Errorf("%v", err)
	}
	res, err := g.Repo("/tmp").Run(ctx, git.Cmd{Args: []string{"log"}, OK: []int{7}})
	if err != nil || res.Code != 7 {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	dir, commit := bare(t)
	repo := open(t, "").Repo(dir)
	res, err := repo.Run(ctx, git.Cmd{Args: []string{"rev-parse", commit + ":f", commit + "^{tree}"}})
	if err != nil {
		t.Fatal(err)
	}
	ids := strings.Fields(string(res.Stdout))
	var many []string
	for range 5000 {
		many = append(many, ids[0])
	}
	many = append(many, ids[1], commit)
	var got []string
	err = repo.Objects(ctx, many, func(o git.Object) error {
		if len(got) == 5000 {
			got = append(got, o.Type)
			return nil // unread content is skipped
		}
		data, err := io.ReadAll(o.Content)
		got = append(got, o.Type+" "+string(data))
		return err
	})
	if err != nil || len(got) != 5002 || got[4999] != "blob content\n" || got[5000] != "tree" || !strings.HasPrefix(got[5001], "commit tree ") {
		t.Fatalf("%d answers, %v", len(got), err)
	}
	var sizes int64
	if err := repo.Headers(ctx, many, func(o git.Object) error { sizes += o.Size; return nil }); err != nil || sizes < 5000*8+1 {
		t.Errorf("headers: %d bytes, %v", sizes, err)
	}
	missing := strings.Repeat("1", 40)
	if err := repo.Headers(ctx, []string{ids[0], missing}, func(git.Object) error { return nil }); !errors.Is(err, git.ErrMissing) {
		t.Errorf("missing: %v", err)
	}
	if err := repo.Objects(ctx, []string{ids[0], missing}, func(git.Object) error { return nil }); !errors.Is(err, git.ErrMissing) {
		t.Errorf("missing: %v", err)
	}
	boom := errors.New("boom")
	if err := repo.Objects(ctx, many, func(git.Object) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("callback: %v", err)
	}
	for _, bad := range []string{"HEAD", "main", ids[0][:10], ids[0] + "\n", "--batch"} {
		if err := repo.Objects(ctx, []string{bad}, func(git.Object) error { return nil }); err == nil {
			t.Errorf("%q was asked for", bad)
		}
	}
	if err := repo.Objects(ctx, nil, nil); err != nil {
		t.Error(err)
	}
}

func TestCheckRev(t *testing.T) {
	t.Parallel()
	for rev, want := range map[string]string{
		"": "refs/heads/main", "HEAD": "refs/heads/main", "main": "refs/heads/main", "main~2": "refs/heads/main~2", "HEAD^": "refs/heads/main^",
		"abcd": "abcd", "deadbeef~1^2": "deadbeef~1^2", "vexa/01ABC": "refs/heads/vexa/01ABC", "refs/heads/vexa/01ABC": "refs/heads/vexa/01ABC",
		strings.Repeat("a", 40): strings.Repeat("a", 40),
	} {
		if got, err := git.CheckRev(rev); err != nil || got != want {
			t.Errorf("%q: %q, %v", rev, got, err)
		}
	}
	for _, rev := range []string{
		"-x", "--all", "a..b", "main..HEAD", "^main", "main@{0}", "@", ":/x", "main:f", "main^{tree}", "a b", "a\nb", "refs/vexa/sessions/x", "refs/tags/x",
		"main.lock/", "/main", "a//b", "../x", ".x", "a/.b", "main^{/x}", "x\x00", strings.Repeat("a", 300), "main~~~x", "é", "main^999",
	} {
		if got, err := git.CheckRev(rev); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%q became %q, %v", rev, got, err)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	dir, commit := bare(t)
	repo := open(t, "").Repo(dir)
	for _, rev := range []string{"", "main", commit, commit[:7]} {
		if got, err := repo.Resolve(ctx, rev); err != nil || got != commit {
			t.Errorf("%q: %q, %v", rev, got, err)
		}
	}
	for _, rev := range []string{"main~1", "nope", "ffffffff"} {
		if _, err := repo.Resolve(ctx, rev); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v", rev, err)
		}
	}
}

func FuzzCheckRev(f *testing.F) {
	for _, s := range []string{"main~1", "-x", "a..b", "refs/heads/x", "abcd^"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rev string) {
		got, err := git.CheckRev(rev)
		if err == nil && (strings.HasPrefix(got, "-") || strings.Contains(got, "..") || strings.ContainsAny(got, " :@{}\\\n\x00*?[")) {
			t.Errorf("%q became %q", rev, got)
		}
	})
}

func TestCheckPath(t *testing.T) {
	t.Parallel()
	for path, ok := range map[string]bool{
		"a": true, "a/b": true, "-x": true, "a\nb": true, "*": true,
		"": false, "/": false, "/a": false, "a/": false, "a//b": false, ".": false, "a/./b": false, "..": false, "a/../b": false, "a\x00": false, strings.Repeat("a/", 3000) + "a": false,
	} {
		if err := git.CheckPath(path); (err == nil) != ok {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestStdin(t *testing.T) {
	t.Parallel()
	dir, commit := bare(t)
	var out bytes.Buffer
	_, err := open(t, "").Repo(dir).Run(ctx, git.Cmd{Args: []string{"cat-file", "--batch-check"}, Stdin: strings.NewReader(commit + "\n"), Stdout: &out})
	if err != nil || !strings.HasPrefix(out.String(), commit+" commit ") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
