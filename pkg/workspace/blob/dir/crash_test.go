package dir_test

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
)

// The variables that make TestHelper, in a process of its own, use the storage
// at a path with a store of some kind: to change it in every way and kill itself
// at a step, or to push under a name until it is killed or has done so often.
const (
	envPath = "VEXA_TEST_BLOB_PATH"
	envKind = "VEXA_TEST_BLOB_KIND"
	envStep = "VEXA_TEST_BLOB_STEP"
	envName = "VEXA_TEST_BLOB_NAME"
	envPush = "VEXA_TEST_BLOB_PUSHES"
)

func TestHelper(t *testing.T) {
	path := os.Getenv(envPath)
	if path == "" {
		t.Skip("only as a child of the tests below")
	}
	s := open(t, path, dir.Options{})
	kinds()[os.Getenv(envKind)](s)
	if name := os.Getenv(envName); name != "" {
		pushes, err := strconv.Atoi(os.Getenv(envPush))
		must(t, err)
		pushOn(t, s, name, pushes)
		return
	}
	last, err := strconv.Atoi(os.Getenv(envStep))
	must(t, err)
	var step atomic.Int64
	dir.SetStep(s, func() {
		if step.Add(1) == int64(last) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	must(t, everything(s))
}

// body is what the blob of a name holds, in one piece or several.
func body(name string) string {
	return strings.Repeat("this is "+name+"\n", 1+len(name)*400)
}

func put(s *dir.Store, name string) error {
	st, err := s.Stage(ctx())
	if err != nil {
		return err
	}
	defer st.Abort()
	for rest := body(name); rest != ""; rest = rest[min(len(rest), 40_000):] {
		if _, err := st.Write([]byte(rest[:min(len(rest), 40_000)])); err != nil {
			return err
		}
	}
	return st.Commit(ctx(), name)
}

// everything changes a storage in every way there is: two pushes, of which the
// first makes all directories, and what is around them.
func everything(s *dir.Store) error {
	steps := []func() error{
		func() error { return s.Probe(ctx()) },
		func() error { return put(s, "pack/aa/one") },
		func() error { return put(s, "pack/two") },
		func() error { return s.Create(ctx(), "log/1", []byte(body("log/1"))) },
		func() error { return s.Replace(ctx(), "head", []byte(body("head"))) },
		func() error { return put(s, "pack/aa/three") },
		func() error { return put(s, "pack/two") },
		func() error { return s.Create(ctx(), "log/2", []byte(body("log/2"))) },
		func() error { return s.Create(ctx(), "log/2", []byte(body("log/2"))) },
		func() error { return s.Replace(ctx(), "head", []byte(body("head"))) },
		func() error { return put(s, "pack/gone") },
		func() error { return s.Create(ctx(), "gone", []byte(body("gone"))) },
		func() error { return s.Remove(ctx(), "gone", "pack/gone") },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// sound fails unless every blob in a storage is whole, and everything is there
// that a log speaks of. It returns the names.
func sound(t *testing.T, path string) []string {
	t.Helper()
	s := open(t, path, dir.Options{})
	defer shut(t, s)
	var names []string
	must(t, s.List(ctx(), "", "", func(info blob.Info) error {
		names = append(names, info.Name)
		return nil
	}))
	for _, name := range names {
		data, err := blob.ReadAll(ctx(), s, name, 1<<20)
		if err != nil || string(data) != body(name) {
			t.Errorf("%s holds %d bytes %.30q (%v), not %d", name, len(data), data, err, len(body(name)))
		}
	}
	needs := map[string][]string{"log/1": {"pack/aa/one", "pack/two"}, "log/2": {"log/1", "pack/aa/three"}, "gone": {"log/2"}}
	for name, before := range needs {
		for _, needed := range before {
			if slices.Contains(names, name) && !slices.Contains(names, needed) {
				t.Errorf("there is %s, and not %s: %q", name, needed, names)
			}
		}
	}
	return names
}

// finished makes everything again, over what a crash left.
func finished(t *testing.T, path string) {
	t.Helper()
	s := open(t, path, dir.Options{})
	defer shut(t, s)
	must(t, everything(s))
	if got := strings.Join(sound(t, path), " "); got != "head log/1 log/2 pack/aa/one pack/aa/three pack/two" {
		t.Errorf("finished, there is %s", got)
	}
}

// helper is a child process that runs TestHelper.
func helper(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelper$")
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// TestKilledAtEachStep kills a process between every two system calls that
// change something: what is there is whole, and what is left can be done.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	for kind := range kinds() {
		if strings.HasPrefix(kind, "AsFound") {
			continue // it is one of the others
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for step := 1; ; step++ {
				path := t.TempDir()
				out, err := helper(t, envPath+"="+path, envKind+"="+kind, envStep+"="+strconv.Itoa(step)).CombinedOutput()
				var exit *exec.ExitError
				if killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL; !killed {
					if err != nil || step < 40 {
						t.Errorf("it ended at step %d: %v\n%s", step, err, out)
					}
					finished(t, path)
					return
				}
				sound(t, path)
				finished(t, path)
				swept(t, path)
				if t.Failed() {
					t.Fatalf("killed at step %d", step)
				}
			}
		})
	}
}

// swept fails unless what a killed process left in .tmp stays for a day and is
// removed then by whoever stages a blob.
func swept(t *testing.T, path string) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(path, ".tmp"))
	must(t, err)
	agedStage(t, path, 23*time.Hour, len(left))
	agedStage(t, path, 25*time.Hour, 0)
}

// agedStage makes everything in .tmp so old, stages a blob, and fails unless so
// much is left.
func agedStage(t *testing.T, path string, age time.Duration, want int) {
	t.Helper()
	at := time.Now().Add(-age)
	must(t, filepath.WalkDir(filepath.Join(path, ".tmp"), func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(name, at, at)
	}))
	s := open(t, path, dir.Options{})
	defer shut(t, s)
	st, err := s.Stage(ctx())
	must(t, err)
	st.Abort()
	left, err := os.ReadDir(filepath.Join(path, ".tmp"))
	must(t, err)
	if len(left) != want {
		t.Errorf("%d files of %v are left in .tmp, want %d", len(left), age, want)
	}
}

// pushOn pushes, each time a blob and the next free number of the log, which it
// says on standard output when that is done.
func pushOn(t *testing.T, s *dir.Store, name string, pushes int) {
	t.Helper()
	number := 1
	for i := range pushes {
		pack := fmt.Sprintf("pack/%s/%d", name, i)
		must(t, put(s, pack))
		for {
			err := s.Create(ctx(), fmt.Sprintf("log/%06d", number), []byte(pack))
			if err == nil {
				break
			}
			if !errors.Is(err, blob.ErrExist) {
				t.Fatal(err)
			}
			number++
		}
		fmt.Printf("pushed %d %s\n", number, pack)
	}
}

// pushed runs a process that pushes, kills it after a while, unless that is
// zero, and returns what it said it pushed: by number, the name of the blob.
func pushed(t *testing.T, path, kind, name string, pushes int, after time.Duration) map[int]string {
	t.Helper()
	cmd := helper(t, envPath+"="+path, envKind+"="+kind, envName+"="+name, envPush+"="+strconv.Itoa(pushes))
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	said := map[int]string{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var number int
		var pack string
		if n, _ := fmt.Sscanf(lines.Text(), "pushed %d %s", &number, &pack); n == 2 {
			said[number] = pack
		}
	}
	if err := cmd.Wait(); err != nil && after == 0 {
		t.Errorf("%s: %v", name, err)
	}
	return said
}

// logged fails unless the log has every number that was said, with what was
// said of it, no gap, and a whole blob for each.
func logged(t *testing.T, path string, said map[int]string) {
	t.Helper()
	s := open(t, path, dir.Options{})
	defer shut(t, s)
	number := 0
	must(t, s.List(ctx(), "log/", "", func(info blob.Info) error {
		number++
		if want := fmt.Sprintf("log/%06d", number); info.Name != want {
			t.Fatalf("there is %s, want %s", info.Name, want)
		}
		pack, err := blob.ReadAll(ctx(), s, info.Name, 1000)
		must(t, err)
		if want := said[number]; want != "" && want != string(pack) {
			t.Errorf("%s is of %s, and was said to be of %s", info.Name, pack, want)
		}
		data, err := blob.ReadAll(ctx(), s, string(pack), 1<<20)
		if err != nil || string(data) != body(string(pack)) {
			t.Errorf("%s: %d bytes, %v", pack, len(data), err)
		}
		return nil
	}))
	for said := range said {
		if said > number {
			t.Errorf("%d was said to be pushed, and the log ends at %d", said, number)
		}
	}
}

// TestKilledAtRandom kills one of two processes that push at instants nobody
// chose.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"Ordered", "UnorderedNoHardLinks"} {
		path := t.TempDir()
		all := map[int]string{}
		for round := range 6 {
			var wg sync.WaitGroup
			var killed, survivor map[int]string
			wg.Go(func() {
				killed = pushed(t, path, kind, fmt.Sprintf("k%d", round), 1_000_000, time.Duration(20+rand.IntN(200))*time.Millisecond)
			})
			wg.Go(func() { survivor = pushed(t, path, kind, fmt.Sprintf("s%d", round), 20, 0) })
			wg.Wait()
			maps.Copy(all, killed)
			for number, pack := range survivor {
				if other := all[number]; other != "" {
					t.Errorf("%d was won by %s and by %s", number, other, pack)
				}
				all[number] = pack
			}
			logged(t, path, all)
		}
	}
}

// TestProcesses has several processes push to one storage: each number of the
// log is won by one of them.
func TestProcesses(t *testing.T) {
	t.Parallel()
	const processes, pushes = 4, 25
	path := t.TempDir()
	said := make([]map[int]string, processes)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() { said[i] = pushed(t, path, "AsFound", fmt.Sprintf("p%d", i), pushes, 0) })
	}
	wg.Wait()
	all := map[int]string{}
	for _, one := range said {
		maps.Copy(all, one)
	}
	if len(all) != processes*pushes {
		t.Errorf("%d numbers for %d pushes", len(all), processes*pushes)
	}
	logged(t, path, all)
}
