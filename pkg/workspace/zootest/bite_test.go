package zootest_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/workspace/zootest"
)

// visit plants an animal for an unguarded reader.
func visit(t *testing.T, a zootest.Animal) zootest.Pen {
	t.Helper()
	base := t.TempDir()
	p := zootest.Pen{Dir: filepath.Join(base, "pen"), Outside: filepath.Join(base, "outside")}
	if err := errors.Join(os.Mkdir(p.Dir, 0o755), p.MakeOutside()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+rwx", p.Dir).Run() })
	err := a.Plant(p)
	if errors.Is(err, zootest.ErrElsewhere) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// plain runs one step with an ordinary git, with nothing but a name set.
func plain(t *testing.T, p zootest.Pen, step string) (string, error) {
	t.Helper()
	words := strings.Fields(step)
	args, dir := words[1:], p.Dir
	env := append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=zookeeper", "GIT_AUTHOR_EMAIL=zookeeper@example.com",
		"GIT_COMMITTER_NAME=zookeeper", "GIT_COMMITTER_EMAIL=zookeeper@example.com", "GIT_TERMINAL_PROMPT=0")
	switch words[0] {
	case "git":
	case "in":
		args, dir = words[2:], filepath.Join(p.Dir, words[1])
	case "host":
		host := filepath.Join(p.Outside, "host")
		if _, err := os.Stat(host); err != nil {
			if out, err := exec.Command("git", "init", "-q", "--bare", host).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		args = append([]string{"--git-dir=" + host, "--work-tree=" + p.Dir, "--no-pager", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"}, args...)
	default:
		t.Fatalf("step %q", step)
	}
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	t.Logf("%s: %v\n%s", step, err, out)
	return string(out), err
}

// TestEachAnimalBites proves that no animal is harmless: an ordinary git, or an
// ordinary read, is bitten by each. Otherwise the tests that show the store
// unbitten prove nothing.
func TestEachAnimalBites(t *testing.T) {
	t.Parallel()
	require.Tool(t, "git")
	seen := map[string]bool{}
	for _, a := range zootest.All() {
		if seen[a.Name] {
			t.Errorf("two animals are called %q", a.Name)
		}
		seen[a.Name] = true
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			if !a.Lives(false) {
				require.Missing(t, "unprivileged", "root may read everything")
			}
			if a.Bite.Since != "" && !newer(t, a.Bite.Since) {
				t.Skipf("this git has not the feature of %s", a.Bite.Since)
			}
			p := visit(t, a)
			last := ""
			for _, step := range a.Bite.Steps {
				last, _ = plain(t, p, step)
			}
			if !bitten(t, p, a.Bite, last) {
				t.Error("it is harmless")
			}
		})
	}
}

// newer reports whether git is of the version or later.
func newer(t *testing.T, version string) bool {
	t.Helper()
	out, err := exec.Command("git", "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	number := func(v string) int {
		parts := strings.SplitN(strings.TrimSpace(strings.TrimPrefix(v, "git version ")), ".", 3)
		major, _ := strconv.Atoi(parts[0])
		minor, _ := strconv.Atoi(parts[1])
		return major*1000 + minor
	}
	return number(string(out)) >= number(version)
}

func bitten(t *testing.T, p zootest.Pen, b zootest.Bite, last string) bool {
	t.Helper()
	at := func(name string) string { return filepath.Join(p.Dir, name) }
	switch {
	case b.Runs:
		return p.Bitten()
	case b.Shows != "":
		return strings.Contains(last, b.Shows)
	case b.Stops:
		_, err := plain(t, p, "host add -A")
		return err != nil
	case b.Takes != nil:
		if _, err := plain(t, p, "host add -A"); err != nil {
			return false
		}
		list, err := plain(t, p, "host ls-files -z")
		taken := strings.Split(list, "\x00")
		return err == nil && !slices.ContainsFunc(b.Takes, func(path string) bool { return !slices.Contains(taken, path) })
	case b.Bends != "":
		if _, err := plain(t, p, "host add -A"); err != nil {
			return false
		}
		blob, err := plain(t, p, "host cat-file blob :"+b.Bends)
		have, rerr := os.ReadFile(at(b.Bends))
		return errors.Join(err, rerr) == nil && blob != string(have)
	case b.Reads != "":
		text, err := os.ReadFile(at(b.Reads))
		return err == nil && strings.Contains(string(text), zootest.Secret)
	case b.Writes != "":
		if err := os.WriteFile(at(b.Writes), []byte("x"), 0o600); err != nil {
			return false
		}
		_, err := os.Stat(filepath.Join(p.Outside, "new"))
		return err == nil
	case b.Blocks != "":
		return blocks(t, at(b.Blocks))
	case b.Vast != "":
		return vast(t, at(b.Vast))
	default:
		return len(b.Folds) == 2 && fold(b.Folds[0]) == fold(b.Folds[1])
	}
}

// fold is what a file system that ignores case and form makes of a path.
func fold(path string) string {
	path, _, _ = strings.Cut(path, "/")
	return norm.NFKC.String(cases.Fold().String(norm.NFC.String(path)))
}

// blocks reports whether an ordinary read of the FIFO waits for a writer.
func blocks(t *testing.T, path string) bool {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = os.ReadFile(path)
	}()
	// A writer that does not wait finds a reader only where one is blocked.
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err == nil {
			select {
			case <-done:
				t.Error("it did not wait")
			default:
			}
			_ = unix.Close(fd)
			<-done
			return true
		}
		select {
		case <-done:
			return false
		default:
		}
	}
	return false
}

// vast reports whether reading all of path is more than anybody waits for: a
// large file, a device that never ends, or a tree that no stack is made for.
func vast(t *testing.T, path string) bool {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st.IsDir() {
		return levels(t, path) > 128
	}
	if st.Mode().IsRegular() {
		return st.Size() >= zootest.Sparse
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(f, 1<<24))
	return err == nil && n == 1<<24
}

func levels(t *testing.T, path string) int {
	t.Helper()
	at, err := unix.Open(path, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for n := 0; ; n++ {
		if err != nil {
			return n
		}
		var next int
		next, err = unix.Openat(at, filepath.Base(path), unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		_ = unix.Close(at)
		at = next
	}
}
