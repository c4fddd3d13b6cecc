package gitref_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// The variables that make TestKilledHelper, in a process of its own, create
// blobs until it is killed.
const (
	envURL   = "VEXA_TEST_GITREF_URL"
	envCache = "VEXA_TEST_GITREF_CACHE"
)

func TestKilledHelper(t *testing.T) {
	url := os.Getenv(envURL)
	if url == "" {
		t.Skip("only as a child of the tests below")
	}
	opt := options(t)
	opt.Cache = os.Getenv(envCache)
	s := store(t, url, opt)
	for i := 0; ; i++ {
		stageBlob(t, s, fmt.Sprintf("o/%d/%d", os.Getpid(), i), noise(100_000))
		if err := s.Create(t.Context(), fmt.Sprintf("m/%d/%d", os.Getpid(), i), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
}

func startHelper(t *testing.T, url, cache string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledHelper$")
	cmd.Env = append(os.Environ(), envURL+"="+url, envCache+"="+cache, "TMPDIR="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// recovers fails unless the remote is sound, with whole pairs of blobs, and the
// cache is as good as new for the next process.
func recovers(t *testing.T, dir, url, cache string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(gitsOf(t, cache, dir)) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("git goes on without its starter: %v", gitsOf(t, cache, dir))
		}
		time.Sleep(time.Millisecond)
	}
	plainGit(t, dir, "fsck", "--strict")
	opt := options(t)
	opt.Cache = cache
	s := store(t, url, opt)
	if err := s.Create(t.Context(), "m/after/"+fmt.Sprint(time.Now().UnixNano()), nil); err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	if err := s.List(t.Context(), "", "", func(i blob.Info) error { all[i.Name] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for name := range all {
		if pid, ok := strings.CutPrefix(name, "m/"); ok && !strings.HasPrefix(pid, "after") && !all["o/"+pid] {
			t.Errorf("%s is there without what it stands for", name)
		}
	}
	spools, err := filepath.Glob(filepath.Join(cache, "vexa/spool-*"))
	if err != nil || len(spools) != 1 {
		t.Errorf("left behind: %v, %v", spools, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	plainGit(t, cache, "fsck")
}

// gitsOf returns the processes that work on a cache, but for those that only
// read objects, and those that serve a remote on this machine, which end when
// they have done what they were told.
func gitsOf(t *testing.T, cache, dir string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte("git")) || bytes.Contains(line, []byte("cat-file")) {
			continue
		}
		if bytes.Contains(line, []byte("--git-dir="+cache+"\x00")) || bytes.Contains(line, []byte(dir)) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// TestKilledInPush kills a process while its push is on the way: before the
// remote has it, after, and while it answers.
func TestKilledInPush(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "instead", "after"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			cache := filepath.Join(t.TempDir(), "cache")
			kill := make(chan func(), 1)
			pushes := 0
			hit := func(r *http.Request) bool {
				if !isPush(r) || pushes < 0 {
					return false
				}
				if pushes++; pushes < 3 {
					return false
				}
				pushes = -1
				(<-kill)()
				return true
			}
			f.on(func(_ http.ResponseWriter, r *http.Request) bool {
				return when != "after" && hit(r) && when == "instead"
			}, func(_ http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder) bool {
				return when == "after" && hit(r)
			})
			cmd := startHelper(t, f.url(""), cache)
			kill <- func() { _ = cmd.Process.Kill() }
			if err := cmd.Wait(); err == nil {
				t.Fatal("it was not killed")
			}
			// What a git that was killed itself would leave.
			for _, name := range []string{"shallow.lock", "refs/heads/vexa-bucket.lock", "refs/vexa/incoming.lock", "objects/pack/tmp_pack_x"} {
				if err := os.WriteFile(filepath.Join(cache, name), []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			recovers(t, f.dir, f.url(""), cache)
		})
	}
}

// TestKilledAtRandom kills at instants nobody chose, while another process works
// with the same cache.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	dir := remote(t)
	url, cache := "file://"+dir, filepath.Join(t.TempDir(), "cache")
	for i := range 6 {
		cmd, other := startHelper(t, url, cache), startHelper(t, url, cache)
		time.Sleep(time.Duration(200+i*57) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		time.Sleep(100 * time.Millisecond)
		_ = other.Process.Kill()
		_ = other.Wait()
		recovers(t, dir, url, cache)
	}
}
