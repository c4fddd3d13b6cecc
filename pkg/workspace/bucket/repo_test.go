package bucket

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// TestPlainRepo: what is read from a repository's files is what git says.
func TestPlainRepo(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = base
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	run("init", "-q", "work")
	run("-C", "work", "commit", "-q", "--allow-empty", "-m", "1")
	run("-C", "work", "commit", "-q", "--allow-empty", "-m", "2")
	run("-C", "work", "worktree", "add", "-q", "../linked")
	run("init", "-q", "--bare", "bare.git")
	run("init", "-q", "--object-format=sha256", "sha256")
	run("clone", "-q", "--depth=1", "file://"+filepath.Join(base, "work"), "shallow")
	if err := os.MkdirAll(filepath.Join(base, "none"), 0o700); err != nil {
		t.Fatal(err)
	}
	g, err := git.New(t.Context(), git.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{"work/.git": true, "work/.git/worktrees/linked": true, "bare.git": true, "shallow/.git": true, "sha256/.git": false, "none": false, "missing": false} {
		got, said := Repo{Repo: g.Repo(filepath.Join(base, dir))}, Repo{Repo: g.Repo(filepath.Join(base, dir))}
		ok, err := got.plain(), said.ask(t.Context())
		if ok != want || ok && (err != nil || got.Format != said.Format || got.Shallow != said.Shallow || !sameDir(t, got.Objects, said.Objects)) {
			t.Errorf("%s: %v %+v; git says %+v, %v", dir, ok, got, said, err)
		}
		if _, err := OpenRepo(t.Context(), g.Repo(filepath.Join(base, dir))); (err == nil) != (want || dir == "sha256/.git") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func sameDir(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.Stat(b)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(x, y)
}
