package gitremote_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// victims are who is killed while a git runs its helper: the helper alone, or git
// and what it started.
var victims = map[string]func(git, helper int) error{
	"helper": func(_, helper int) error {
		if helper == 0 {
			return errors.New("git runs no helper")
		}
		return syscall.Kill(helper, syscall.SIGKILL)
	},
	"git": func(git, _ int) error { return syscall.Kill(-git, syscall.SIGKILL) },
}

// killed runs git until it comes to the point and kills there. It reports whether
// it came there; else git ended as if nothing had been.
func (m *machine) killed(p failpoint.Point, kill func(git, helper int) error, at string, args ...string) bool {
	m.tb.Helper()
	h := m.hold(p)
	end := h.start(at, append([]string{"git"}, args...)...)
	ended := make(chan ran, 1)
	go func() { ended <- end() }()
	if !h.reached(ended) {
		return false
	}
	must(m.tb, kill(h.cmd.Process.Pid, helperOf(h.cmd.Process.Pid)))
	if r := <-ended; r.code == 0 {
		m.tb.Errorf("git %s was killed at %s and says that all is well: %s", strings.Join(args, " "), p, r.err)
	}
	return true
}

// clean checks that nothing is left of what was begun, neither here nor readable
// in the bucket.
func (m *machine) clean(at string) {
	m.tb.Helper()
	gitDir := m.git(at, "rev-parse", "--absolute-git-dir")
	var left []string
	for _, root := range []string{gitDir, m.path("tmp"), m.lookup("XDG_RUNTIME_DIR")} {
		must(m.tb, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			name := d.Name()
			if strings.HasPrefix(name, "tmp_") || strings.HasSuffix(name, ".keep") || strings.HasSuffix(name, ".lock") || root != gitDir && !d.IsDir() {
				left = append(left, path)
			}
			return err
		}))
	}
	if len(left) > 0 {
		m.tb.Errorf("left behind: %v", left)
	}
	m.unreadable(m.bucket)
	m.unreadable(m.path("vexa", "state"))
}

// dayLater makes the .keep files of a repository as old as those of which
// TestStaleKeeps says that they go: the git that was to remove one may have been
// killed just after it was told of it.
func (m *machine) dayLater(at string) {
	m.tb.Helper()
	keeps, err := filepath.Glob(filepath.Join(at, ".git/objects/pack/*.keep"))
	must(m.tb, err)
	then := time.Now().Add(-25 * time.Hour)
	for _, keep := range keeps {
		must(m.tb, os.Chtimes(keep, then, then))
	}
}

// unreadable checks that no file below a directory is a pack or an index.
func (m *machine) unreadable(root string) {
	m.tb.Helper()
	must(m.tb, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, mark := range []string{"PACK\x00\x00\x00\x02", "\xfftOc\x00\x00\x00\x02", "refs/heads"} {
			if bytes.Contains(data, []byte(mark)) {
				m.tb.Errorf("%s holds %q", path, mark)
			}
		}
		return err
	}))
}

// TestKilledPush: a push that is killed at any step is in the bucket whole or not
// at all, and is made good by the next one.
func TestKilledPush(t *testing.T) {
	t.Parallel()
	for who, kill := range victims {
		for _, first := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, first push %v", who, first), func(t *testing.T) {
				t.Parallel()
				var reached []failpoint.Point
				for _, p := range bucket.Failpoints() {
					if killPush(t, p, kill, first) {
						reached = append(reached, p)
					}
				}
				for _, p := range []failpoint.Point{"bucket.staging", "bucket.stored", "bucket.manifest", "bucket.made", "bucket.hint", "bucket.pinned"} {
					if !slices.Contains(reached, p) {
						t.Errorf("no push came to %s", p)
					}
				}
			})
		}
	}
}

func killPush(t *testing.T, p failpoint.Point, kill func(git, helper int) error, first bool) bool {
	t.Helper()
	w := newWorld(t)
	a := w.machine("a")
	at := a.init("notes")
	id := a.commit(at, "a", "1\n")
	if !first {
		a.git(at, "push", "-q", "origin", "main")
		id = a.commit(at, "a", "2\n")
	}
	before := w.state().Generation
	if !a.killed(p, kill, at, "push", "-q", "origin", "main", "HEAD:refs/heads/other") {
		return false
	}
	st := w.state() // it can be read whatever happened
	switch {
	case st.Generation == before && st.Refs["refs/heads/other"] == "":
	case st.Generation == before+1 && st.Refs["refs/heads/other"] == id && st.Refs["refs/heads/main"] == id:
	default:
		t.Errorf("killed at %s: generation %d, refs %v", p, st.Generation, st.Refs)
	}
	b := w.machine("b")
	b.sound(b.clone("after", "--mirror"))
	a.git(at, "push", "-q", "origin", "main", "HEAD:refs/heads/other")
	a.git(at, "fetch", "-q")
	a.clean(at)
	a.sound(at)
	b.sound(b.clone("again", "--mirror"))
	if refs := b.remoteRefs(); refs["refs/heads/main"] != id || refs["refs/heads/other"] != id {
		t.Errorf("killed at %s: refs %v", p, refs)
	}
	return true
}

// TestKilledFetch: the same with who fetches and clones.
func TestKilledFetch(t *testing.T) {
	t.Parallel()
	for who, kill := range victims {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			var reached []failpoint.Point
			for _, p := range bucket.Failpoints() {
				if killFetch(t, p, kill) {
					reached = append(reached, p)
				}
			}
			if !slices.Contains(reached, "bucket.fetched") {
				t.Errorf("a fetch came to %v only", reached)
			}
		})
	}
}

func killFetch(t *testing.T, p failpoint.Point, kill func(git, helper int) error) bool {
	t.Helper()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	cloned := b.killed(p, kill, b.home, "clone", "-q", w.url, "notes")
	if cloned {
		must(t, os.RemoveAll(b.path("notes"))) // git that was killed leaves its own
		b.clone("notes")
	}
	for i := range 3 {
		a.commit(at, "a", fmt.Sprint(i))
		a.git(at, "push", "-q")
	}
	copied := b.path("notes")
	if !b.killed(p, kill, copied, "fetch", "-q") {
		return cloned
	}
	b.sound(copied)
	a.commit(at, "a", "last")
	a.git(at, "push", "-q")
	b.git(copied, "pull", "-q")
	b.clean(copied)
	b.sound(copied)
	if b.head(copied) != a.head(at) {
		t.Errorf("killed at %s: pulled %s", p, b.head(copied))
	}
	return true
}

// TestKilledInAPack: what git had of a large pack when the helper was killed goes
// with the next one.
func TestKilledInAPack(t *testing.T) {
	t.Parallel()
	for who, kill := range victims {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.machine("a"), w.machine("b")
			at := a.seeded("notes")
			copied := b.clone("notes")
			noise := make([]byte, 24<<20)
			_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
			a.git(at, "config", "core.compression", "0")
			a.commit(at, "noise", string(noise))
			a.git(at, "push", "-q")
			h := b.hold()
			end := h.start(copied, "git", "fetch", "-q")
			begun := func() bool {
				found, err := filepath.Glob(filepath.Join(copied, ".git/objects/pack/tmp_*/pack/tmp_*"))
				must(t, err)
				return len(found) > 0
			}
			for start := time.Now(); !begun(); <-time.After(time.Millisecond) {
				if time.Since(start) > patience {
					t.Fatal("git began no pack")
				}
			}
			must(t, kill(h.cmd.Process.Pid, helperOf(h.cmd.Process.Pid)))
			if r := end(); r.code == 0 {
				t.Fatal("it was too fast")
			}
			if !begun() {
				t.Error("the pack was whole already")
			}
			b.git(copied, "fetch", "-q")
			b.clean(copied)
			b.sound(copied)
		})
	}
}

// TestStaleKeeps: a .keep file of a git that was killed goes after a day. Those
// of others, and of fetches that may be under way, stay.
func TestStaleKeeps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	at := a.seeded("notes")
	for name, c := range map[string]struct {
		text string
		age  time.Duration
		goes bool
	}{
		"old": {"vexa fetch\n", 25 * time.Hour, true}, "new": {"vexa fetch\n", time.Hour, false}, "theirs": {"fetch-pack 1 on host\n", 1000 * time.Hour, false},
	} {
		path := filepath.Join(at, ".git/objects/pack", "pack-"+name+".keep")
		must(t, os.WriteFile(path, []byte(c.text), 0o600))
		then := time.Now().Add(-c.age)
		must(t, os.Chtimes(path, then, then))
		a.commit(at, "a", name)
		a.git(at, "push", "-q")
		if _, err := os.Stat(path); os.IsNotExist(err) != c.goes {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKilledAnywhere: killed at any time, again and again, pushing and fetching
// what takes a while.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	for who, kill := range victims {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.machine("a"), w.machine("b")
			at := a.seeded("notes")
			copied := b.clone("notes")
			noise := make([]byte, 2<<20)
			random := rand.NewChaCha8([32]byte{})
			killAfter := func(m *machine, dir string, args ...string) {
				h := m.hold()
				end := h.start(dir, append([]string{"git"}, args...)...)
				select {
				case <-time.After(time.Duration(random.Uint64() % uint64(150*time.Millisecond))):
				case <-t.Context().Done():
				}
				if helper := helperOf(h.cmd.Process.Pid); helper != 0 {
					_ = kill(h.cmd.Process.Pid, helper) // it may have ended
				}
				end()
			}
			for range scale(60, 8) {
				_, _ = random.Read(noise)
				a.commit(at, "noise", string(noise))
				killAfter(a, at, "push", "-q")
				w.state()
				killAfter(b, copied, "fetch", "-q")
				b.sound(copied)
			}
			a.git(at, "push", "-q")
			b.dayLater(copied)
			b.git(copied, "pull", "-q", "--rebase")
			a.clean(at)
			b.clean(copied)
			a.sound(at)
			b.sound(copied)
			w.same(a, at)
			if a.head(at) != b.head(copied) {
				t.Errorf("pulled %s of %s", b.head(copied), a.head(at))
			}
		})
	}
}
