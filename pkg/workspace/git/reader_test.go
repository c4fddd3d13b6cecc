package git_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// readersOf returns the cat-file processes that work on a repository.
func readersOf(t *testing.T, dir string) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte("--git-dir="+dir+"\x00cat-file\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// noReaders waits until no cat-file process works on a repository.
func noReaders(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(readersOf(t, dir)) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("processes are left: %v", readersOf(t, dir))
		}
		time.Sleep(time.Millisecond)
	}
}

// inRepo runs git as a person would and returns what it printed.
func inRepo(t *testing.T, dir, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"--git-dir=" + dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", args, out)
	}
	return strings.TrimSpace(string(out))
}

func readBlob(t *testing.T, repo *git.Repo, id, want string) {
	t.Helper()
	if got, err := repo.Object(ctx, id, "blob", 1<<20); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", id, got, err, want)
	}
}

func TestReaderIsKept(t *testing.T) {
	t.Parallel()
	dir, commit := bare(t)
	repo := open(t, "").Repo(dir)
	defer repo.Close()
	for range 20 {
		if _, err := repo.Object(ctx, commit, "commit", 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	first := readersOf(t, dir)
	if len(first) != 1 {
		t.Fatalf("processes %v, want one", first)
	}
	if _, err := repo.Object(ctx, commit, "commit", 1<<20); err != nil {
		t.Fatal(err)
	}
	if again := readersOf(t, dir); len(again) != 1 || again[0] != first[0] {
		t.Errorf("processes %v, then %v", first, again)
	}
	repo.Close()
	if left := readersOf(t, dir); len(left) != 0 {
		t.Errorf("processes %v are left after Close", left)
	}
	if _, err := repo.Object(ctx, commit, "commit", 1<<20); !errors.Is(err, git.ErrClosed) {
		t.Errorf("a read after Close: %v", err)
	}
}

func TestReaderEndsWhenIdle(t *testing.T) {
	t.Parallel()
	dir, commit := bare(t)
	g, err := git.New(ctx, git.Options{Idle: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	repo := g.Repo(dir)
	defer repo.Close()
	for range 3 {
		if _, err := repo.Object(ctx, commit, "commit", 1<<20); err != nil {
			t.Fatal(err)
		}
		noReaders(t, dir)
	}
}

func TestReaderIsReplacedWhenItDies(t *testing.T) {
	t.Parallel()
	dir, commit := bare(t)
	repo := open(t, "").Repo(dir)
	defer repo.Close()
	for range 3 {
		if _, err := repo.Object(ctx, commit, "commit", 1<<20); err != nil {
			t.Fatal(err)
		}
		for _, pid := range readersOf(t, dir) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestReaderSeesWhatCameLater(t *testing.T) {
	t.Parallel()
	dir, commit := bare(t)
	repo := open(t, "").Repo(dir)
	defer repo.Close()
	if _, err := repo.Object(ctx, commit, "commit", 1<<20); err != nil {
		t.Fatal(err)
	}
	process := readersOf(t, dir)
	loose := inRepo(t, dir, "loose", "hash-object", "-w", "--stdin")
	readBlob(t, repo, loose, "loose")

	// A pack that is put in place as the store does it.
	var ids []string
	for i := range 3 {
		ids = append(ids, inRepo(t, dir, fmt.Sprint("packed ", i), "hash-object", "-w", "--stdin"))
	}
	inRepo(t, dir, strings.Join(ids, "\n")+"\n", "pack-objects", "-q", filepath.Join(dir, "objects/pack/pack"))
	inRepo(t, dir, "", "prune-packed", "-q")
	for i, id := range ids {
		if _, err := os.Stat(filepath.Join(dir, "objects", id[:2], id[2:])); err == nil {
			t.Fatalf("%s is still loose", id)
		}
		readBlob(t, repo, id, fmt.Sprint("packed ", i))
	}

	// Every pack is replaced by another, twice, below the process.
	inRepo(t, dir, "", "update-ref", "refs/tags/loose", loose)
	for i, id := range ids {
		inRepo(t, dir, "", "update-ref", fmt.Sprint("refs/tags/t", i), id)
	}
	for _, args := range [][]string{{"repack", "-a", "-d", "-q"}, {"repack", "-A", "-d", "-F", "-q", "--depth=1"}} {
		inRepo(t, dir, "", args...)
		readBlob(t, repo, loose, "loose")
		readBlob(t, repo, ids[2], "packed 2")
		if _, err := repo.Object(ctx, commit, "commit", 1<<20); err != nil {
			t.Error(err)
		}
	}
	if now := readersOf(t, dir); len(now) != 1 || now[0] != process[0] {
		t.Errorf("processes %v, then %v: another one answered", process, now)
	}
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	dir, commit := bare(t)
	repo := open(t, "").Repo(dir)
	defer repo.Close()
	big := inRepo(t, dir, strings.Repeat("x", 1<<20), "hash-object", "-w", "--stdin")
	missing := strings.Repeat("1", 40)
	for range 3 {
		if _, err := repo.Object(ctx, big, "blob", 1<<20-1); !errors.Is(err, git.ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
		if _, err := repo.Object(ctx, commit, "blob", 1<<20); err == nil {
			t.Error("a commit passed for a blob")
		}
		if _, err := repo.Object(ctx, missing, "blob", 1<<20); !errors.Is(err, git.ErrMissing) {
			t.Errorf("missing: %v", err)
		}
		if data, err := repo.Object(ctx, big, "blob", 1<<20); err != nil || len(data) != 1<<20 {
			t.Errorf("%d bytes, %v", len(data), err)
		}
	}
}

// TestReaderIsCancelled uses a process that never answers.
func TestReaderIsCancelled(t *testing.T) {
	t.Parallel()
	asked := filepath.Join(t.TempDir(), "asked")
	g := open(t, fakeGit(t, "git version 2.39.5", `read line; : >`+asked+`; exec sleep 600`))
	repo := g.Repo(t.TempDir())
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for {
			if _, err := os.Stat(asked); err == nil {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := repo.Object(ctx, strings.Repeat("1", 40), "blob", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	done := make(chan struct{})
	go func() { defer close(done); repo.Close() }() // waits for the process
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the process was not ended")
	}
}

// TestReaderThatFails says what the process said, and is not tried for ever.
func TestReaderThatFails(t *testing.T) {
	t.Parallel()
	repo := open(t, fakeGit(t, "git version 2.39.5", `echo "fatal: this is bad" >&2; exit 128`)).Repo(t.TempDir())
	defer repo.Close()
	if _, err := repo.Object(ctx, strings.Repeat("1", 40), "blob", 1); err == nil || !strings.Contains(err.Error(), "this is bad") {
		t.Errorf("%v", err)
	}
	for _, answer := range []string{"nonsense", "1111 blob 3", strings.Repeat("1", 40) + " blob -1", strings.Repeat("1", 40) + " blob 9\nx", strings.Repeat("x", 1<<17)} {
		repo := open(t, fakeGit(t, "git version 2.39.5", `printf '`+answer+`\n'`)).Repo(t.TempDir())
		if data, err := repo.Object(ctx, strings.Repeat("1", 40), "blob", 100); err == nil {
			t.Errorf("%.60q was read as %q", answer, data)
		}
		repo.Close()
	}
}

func TestReadersAtOnce(t *testing.T) {
	t.Parallel()
	dir, commit := bare(t)
	repo := open(t, "").Repo(dir)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				if _, err := repo.Object(ctx, commit, "commit", 1<<20); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if kept := readersOf(t, dir); len(kept) == 0 || len(kept) > 2 {
		t.Errorf("%d processes are kept", len(kept))
	}
	// A read that goes on when the repository is closed is ended by that.
	closed, once := make(chan struct{}), sync.Once{}
	err := repo.Objects(ctx, slices.Repeat([]string{commit}, 9000), func(git.Object) error {
		once.Do(func() { go func() { repo.Close(); close(closed) }() })
		noReaders(t, dir)
		return nil
	})
	if err == nil {
		t.Error("a read went on after Close")
	}
	<-closed
}

// BenchmarkObject reads one small object; the floor is a process for each.
func BenchmarkObject(b *testing.B) {
	g, err := git.New(ctx, git.Options{})
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	out, err := exec.Command("git", "init", "-q", "--bare", dir).CombinedOutput()
	if err != nil {
		b.Fatalf("%s", out)
	}
	cmd := exec.Command("git", "--git-dir="+dir, "hash-object", "-w", "--stdin")
	cmd.Stdin = strings.NewReader("content")
	out, err = cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	id := strings.TrimSpace(string(out))
	repo := g.Repo(dir)
	defer repo.Close()
	var ours, floor time.Duration
	for b.Loop() {
		begun := time.Now()
		if _, err := repo.Object(ctx, id, "blob", 100); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(begun)
		begun = time.Now()
		if _, err := repo.Run(ctx, git.Cmd{Args: []string{"cat-file", "blob", id}}); err != nil {
			b.Fatal(err)
		}
		floor += time.Since(begun)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "µs")
	b.ReportMetric(float64(ours)/float64(floor), "x-floor")
}
