package gitbase_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/gitbase"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// hardened runs git as the program does.
func hardened(t *testing.T) gitbase.Run {
	t.Helper()
	require.Tool(t, "git")
	g, err := git.New(t.Context(), git.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, dir string, args ...string) ([]byte, int, error) {
		res, err := g.Repo(dir).Run(ctx, git.Cmd{Args: args, OK: []int{1, 128}})
		return res.Stdout, res.Code, err
	}
}

// repo is a checkout that a test makes with git's ordinary commands.
type repo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T, branch string) repo {
	t.Helper()
	r := repo{t, filepath.Join(t.TempDir(), "tree")}
	if err := os.MkdirAll(filepath.Join(r.dir, "a", "schemas"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", branch)
	return r
}

func (r repo) git(args ...string) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=u", "GIT_AUTHOR_EMAIL=u@localhost", "GIT_COMMITTER_NAME=u", "GIT_COMMITTER_EMAIL=u@localhost")
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func (r repo) schemas() string { return filepath.Join(r.dir, "a", "schemas") }

// seal writes a seal in which tool.v1 has the digest, and commits it.
func (r repo) seal(digest string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.schemas(), contract.SealFile), []byte(`{"tool.v1":"`+digest+`"}`), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", digest)
}

func expect(t *testing.T, dir, want string) {
	t.Helper()
	seal, ok, err := gitbase.New(dir, hardened(t)).Seal(t.Context())
	if err != nil || ok != (want != "") || seal["tool.v1"] != want {
		t.Errorf("Seal = %v, %t, %v; want %q", seal, ok, err, want)
	}
}

func TestMergeBase(t *testing.T) {
	t.Parallel()
	r := newRepo(t, "main")
	expect(t, r.schemas(), "") // no commit
	r.git("commit", "-q", "--allow-empty", "-m", "nothing sealed")
	expect(t, r.schemas(), "")
	r.seal("one")
	expect(t, r.schemas(), "one") // main itself: HEAD

	r.git("checkout", "-q", "-b", "change")
	r.seal("two")
	expect(t, r.schemas(), "one")

	// main goes on: what counts is where the branch left it.
	r.git("checkout", "-q", "main")
	r.seal("three")
	r.git("checkout", "-q", "change")
	expect(t, r.schemas(), "one")

	// A linked working tree has a file for its .git.
	linked := filepath.Join(t.TempDir(), "linked")
	r.git("worktree", "add", "-q", "-b", "other", linked, "change")
	expect(t, filepath.Join(linked, "a", "schemas"), "one")

	// A clone compares with the main branch of where it came from, whatever its
	// own main holds.
	r.git("checkout", "-q", "main") // what a host calls the default branch
	clone := repo{t, filepath.Join(t.TempDir(), "clone")}
	r.git("clone", "-q", "-b", "main", r.dir, clone.dir)
	clone.seal("four")
	expect(t, clone.schemas(), "three")
}

func TestNoMainBranch(t *testing.T) {
	t.Parallel()
	r := newRepo(t, "trunk")
	r.seal("one")
	r.seal("two")
	expect(t, r.schemas(), "two")
	// Branches without a common commit have no merge base.
	r.git("checkout", "-q", "--orphan", "main")
	r.seal("three")
	r.git("checkout", "-q", "trunk")
	expect(t, r.schemas(), "two")
}

func TestNoCheckout(t *testing.T) {
	t.Parallel()
	expect(t, t.TempDir(), "")
	if _, _, err := gitbase.New(filepath.Join(t.TempDir(), "gone"), hardened(t)).Seal(t.Context()); err == nil {
		t.Error("a directory that does not exist has a merge base")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".git"), []byte("what is this"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := gitbase.New(dir, hardened(t)).Seal(t.Context()); err == nil {
		t.Error("a .git that names no directory is accepted")
	}
}

func TestBrokenSealAtBase(t *testing.T) {
	t.Parallel()
	r := newRepo(t, "main")
	r.seal(`x","tool.v1":"y`)
	if _, _, err := gitbase.New(r.schemas(), hardened(t)).Seal(t.Context()); !fault.Is(err, fault.Invalid) {
		t.Errorf("a seal that names a contract twice: %v", err)
	}
}

// TestThisCheckout holds the contracts of this source tree to its own merge base.
func TestThisCheckout(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "..", "schemas")
	base := gitbase.New(dir, hardened(t))
	for _, line := range contract.Check(t.Context(), contract.CheckOptions{FS: os.DirFS(dir), Base: base}).Findings() {
		t.Error(line)
	}
}
