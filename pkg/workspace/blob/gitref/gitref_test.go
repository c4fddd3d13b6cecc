package gitref_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/gitref"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// plainGit runs git as a person would, in a repository.
func plainGit(tb testing.TB, dir string, args ...string) string {
	tb.Helper()
	return plainGitIn(tb, dir, "", args...)
}

func plainGitIn(tb testing.TB, dir, stdin string, args ...string) string {
	tb.Helper()
	cmd := exec.Command("git", append([]string{"--git-dir=" + dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("%v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// remote makes an empty bare repository.
func remote(tb testing.TB) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "remote.git")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	plainGit(tb, dir, "init", "-q", "--bare", "-b", "main", dir)
	return dir
}

// person is an environment without any configuration of the machine's.
func person(tb testing.TB) []string {
	tb.Helper()
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tb.TempDir(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}
}

func options(tb testing.TB) gitref.Options {
	tb.Helper()
	g, err := git.New(context.Background(), git.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return gitref.Options{Git: g, Cache: filepath.Join(tb.TempDir(), "cache"), Env: person(tb), Plain: true}
}

// store opens a store that the test closes.
func store(tb testing.TB, url string, opt gitref.Options) *gitref.Store {
	tb.Helper()
	s, err := gitref.Open(context.Background(), url, opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// eager pushes what is replaced at once, as the suite wants to see it.
type eager struct{ *gitref.Store }

func (e eager) Replace(ctx context.Context, name string, data []byte) error {
	if err := e.Store.Replace(ctx, name, data); err != nil {
		return err
	}
	return e.Flush(ctx)
}

// strict are options with which nothing is answered without asking.
func strict(tb testing.TB) gitref.Options {
	tb.Helper()
	opt := options(tb)
	opt.Fresh = -1
	return opt
}

func TestConformance(t *testing.T) { // by itself, since it measures memory
	blobtest.Run(t, func(t *testing.T) (first, second blob.Store) {
		t.Helper()
		url := "file://" + remote(t)
		return eager{store(t, url, strict(t))}, eager{store(t, url, strict(t))}
	})
}
