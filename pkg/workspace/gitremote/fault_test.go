package gitremote_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/againtest"
	"github.com/vexa-ai/vexa/pkg/internal/require"
)

// TestLostAnswer: the storage did what was asked, or not, and says nothing. What
// git was told is true, and pushing again makes it good.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for _, fail := range []string{
		"before:stage:", "before:write:", "before:commit:o/", "before:create:m/", "before:replace:hint",
		"after:stage:", "after:write:", "after:commit:o/", "after:create:m/", "after:replace:hint",
		"before:stat:m/", "after:stat:m/", "before:open:m/", "before:read:m/", "before:open:hint", "before:open:k/",
	} {
		t.Run(fail, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.machine("a").faulty()
			at := a.seeded("notes")
			before := w.state()
			id := a.commit(at, "a", "1\n")
			r := a.with(envFail+"="+fail).try(at, "push", "origin", "main")
			st := w.state()
			switch {
			case r.code == 0 && st.Generation == before.Generation+1 && st.Refs["refs/heads/main"] == id: // a hint is none that is needed
			case r.code != 0 && st.Generation == before.Generation && st.Refs["refs/heads/main"] != id:
			case r.code != 0 && strings.HasPrefix(fail, "after:create") && st.Generation == before.Generation+1:
			default:
				t.Errorf("exit %d, generation %d after %d, refs %v\n%s", r.code, st.Generation, before.Generation, st.Refs, r.err)
			}
			if r.code != 0 && !strings.Contains(r.err, "vexa: error: ") {
				t.Errorf("it says only\n%s", r.err)
			}
			a.git(at, "push", "-q", "origin", "main")
			if st := w.state(); st.Generation != before.Generation+1 || st.Refs["refs/heads/main"] != id {
				t.Errorf("pushed again: generation %d, refs %v", st.Generation, st.Refs)
			}
			a.clean(at)
			b := w.machine("b").faulty()
			r = b.with(envFail+"="+fail).try(b.home, "clone", w.url, "notes")
			if _, err := os.Stat(b.path("notes")); (err == nil) != (r.code == 0) {
				t.Errorf("clone: exit %d, %v", r.code, err)
			}
			if r.code != 0 {
				b.clone("notes")
			}
			b.sound(b.path("notes"))
			b.clean(b.path("notes"))
		})
	}
}

// TestLostAnswerToAlike: git learns by a second push what became of the first,
// whatever it was.
func TestLostAnswerToAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a").faulty()
	at := a.seeded("notes")
	a.git(at, "push", "-q", "origin", "HEAD:refs/heads/side", "HEAD:refs/heads/lease")
	first := a.head(at)
	id := a.commit(at, "a", "1\n")
	lost := a.with(envFail + "=after:create:m/")
	for _, c := range []struct {
		args []string
		says string // where pushing again is refused
	}{
		{[]string{"--atomic", "origin", "main", "HEAD:refs/heads/new"}, ""},
		{[]string{"--force-with-lease=lease:" + first, "origin", "HEAD:lease"}, ""},
		{[]string{"origin", "+HEAD~1:refs/heads/new"}, ""},
		{[]string{"origin", ":side"}, "remote ref does not exist"},
		{[]string{"origin", "HEAD:refs/tags/v1"}, ""},
	} {
		args := append([]string{"push"}, c.args...)
		lost.refused(at, []string{"vexa: error: "}, args...)
		if c.says != "" {
			a.refused(at, []string{c.says}, args...)
		} else if r := a.try(at, args...); r.code != 0 || !strings.Contains(r.err, "Everything up-to-date") {
			t.Errorf("%v: %+v", args, r)
		}
	}
	refs := a.remoteRefs()
	if refs["refs/heads/main"] != id || refs["refs/heads/new"] != first || refs["refs/heads/lease"] != id || refs["refs/heads/side"] != "" || refs["refs/tags/v1"] != id {
		t.Errorf("refs: %v", refs)
	}
}

// TestClocks: machines whose clocks are a year off work together.
func TestClocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const year = 365 * 24 * time.Hour
	late := w.machine("late").faulty(fmt.Sprintf("%s=%s", envSkew, year))
	early := w.machine("early").faulty(fmt.Sprintf("%s=-%s", envSkew, year))
	right := w.machine("right")
	late.seeded("notes")
	early.clone("notes")
	right.clone("notes")
	for i := range 3 {
		for _, m := range []*machine{late, early, right} {
			at := m.path("notes")
			m.git(at, "pull", "-q", "--rebase")
			m.commit(at, filepath.Base(m.home), fmt.Sprint(i))
			m.git(at, "push", "-q")
		}
	}
	for _, m := range []*machine{late, early} {
		m.git(m.path("notes"), "pull", "-q", "--ff-only")
		m.sound(m.path("notes"))
	}
	w.same(right, right.path("notes"))
}

// TestNoHardLinks: a bucket on a file system that has none.
func TestNoHardLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.machine("a").faulty(envNoLinks + "=1").seeded("notes")
	var acks acknowledged
	w.pushers(4, func(m *machine, at string, i int) {
		m = m.faulty(envNoLinks + "=1")
		m.commit(at, fmt.Sprintf("f%d", i), "x\n")
		m.pushed(at, &acks, m.rebased(at))
		m.git(at, "push", "-q", "origin", fmt.Sprintf("HEAD:refs/heads/p%d", i))
	})
	w.holds(&acks, 4)
}

// TestDamaged: a pack that is damaged or gone is said to be, with what to do.
// What came before it is no worse for it, and nothing else is left.
func TestDamaged(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(path string, data []byte) error{
		"flipped": func(path string, data []byte) error {
			data[len(data)/2] ^= 1
			return os.WriteFile(path, data, 0o600)
		},
		"cut short": func(path string, data []byte) error { return os.WriteFile(path, data[:len(data)-1], 0o600) },
		"longer":    func(path string, data []byte) error { return os.WriteFile(path, append(data, 0), 0o600) },
		"gone":      func(path string, _ []byte) error { return os.Remove(path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.machine("a"), w.machine("b")
			at := a.seeded("notes")
			copied := b.clone("notes")
			for i := range 3 {
				a.commit(at, "a", strings.Repeat(fmt.Sprint(i), 1000))
				a.git(at, "push", "-q")
			}
			packs := w.state().Packs
			sum := packs[len(packs)-1].SHA256
			path := filepath.Join(w.bucket, "o", sum[:2], sum)
			data, err := os.ReadFile(path)
			must(t, err)
			must(t, harm(path, slices.Clone(data)))
			for _, args := range [][]string{{"-C", copied, "fetch"}, {"clone", w.url, "again"}} {
				r := b.refused(b.home, []string{"vexa: error: ", sum, "vexa: hint: ", "vexa workspace repair"}, args...)
				if !strings.Contains(r.err, "damaged") && !strings.Contains(r.err, "missing") {
					t.Errorf("it says\n%s", r.err)
				}
			}
			b.sound(copied)
			b.clean(copied)
			must(t, os.WriteFile(path, data, 0o600))
			b.git(copied, "pull", "-q")
			b.clean(copied)
			if b.head(copied) != a.head(at) {
				t.Errorf("pulled %s", b.head(copied))
			}
		})
	}
}

// small mounts a file system of a size, in megabytes, over a directory that may
// hold something.
func small(t *testing.T, at string, megabytes int) (grow func()) {
	t.Helper()
	aside := at + ".aside"
	must(t, os.Rename(at, aside))
	must(t, os.Mkdir(at, 0o700))
	must(t, syscall.Mount("small", at, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)))
	t.Cleanup(func() { must(t, syscall.Unmount(at, syscall.MNT_DETACH)) })
	must(t, os.CopyFS(at, os.DirFS(aside)))
	return func() {
		must(t, syscall.Mount("small", at, "tmpfs", syscall.MS_REMOUNT, "size=256m"))
	}
}

// TestFullDisk: there is no room where the bucket is, or the repository, or what
// the installation knows. Git says so, nothing is lost, and with room it goes on.
func TestFullDisk(t *testing.T) {
	if !againtest.Mounting(t, envProgram+"="+program(t)) {
		t.Parallel()
		return
	}
	noise := func(n int) string {
		f, err := os.Open("/dev/urandom")
		must(t, err)
		defer f.Close()
		data := make([]byte, n)
		_, err = f.Read(data)
		must(t, err)
		return string(data)
	}
	t.Run("bucket", func(t *testing.T) {
		w := newWorld(t)
		a := w.machine("a")
		at := a.seeded("notes")
		first := a.head(at)
		grow := small(t, w.bucket, 4)
		id := a.commit(at, "noise", noise(6<<20))
		a.refused(at, []string{"vexa: error: ", "no space left on device", "vexa: hint: "}, "push")
		if st := w.state(); st.Generation != 2 || st.Refs["refs/heads/main"] != first {
			t.Errorf("generation %d, refs %v", st.Generation, st.Refs)
		}
		a.sound(at)
		b := w.machine("b")
		b.sound(b.clone("notes"))
		a.git(at, "push", "-q", "origin", first+":refs/heads/small") // there is room for what is small
		grow()
		a.git(at, "push", "-q")
		b.git(b.path("notes"), "pull", "-q")
		if b.head(b.path("notes")) != id {
			t.Errorf("pulled %s", b.head(b.path("notes")))
		}
		a.clean(at)
	})
	t.Run("repository", func(t *testing.T) {
		w := newWorld(t)
		a, b := w.machine("a"), w.machine("b")
		at := a.seeded("notes")
		copied := b.clone("notes")
		grow := small(t, copied, 4)
		id := a.commit(at, "noise", noise(6<<20))
		a.git(at, "push", "-q")
		r := b.refused(copied, []string{"vexa: error: ", "No space left on device", "vexa: hint: ", "free"}, "fetch")
		if strings.Contains(r.err, "damaged") {
			t.Errorf("a full disk is not a damaged bucket:\n%s", r.err)
		}
		b.sound(copied)
		b.clean(copied)
		grow()
		b.git(copied, "pull", "-q")
		if b.head(copied) != id {
			t.Errorf("pulled %s", b.head(copied))
		}
		b.sound(copied)
	})
	t.Run("clone", func(t *testing.T) {
		w := newWorld(t)
		a, b := w.machine("a"), w.machine("b")
		at := a.init("notes")
		id := a.commit(at, "noise", noise(6<<20)) // the first push has its index with it
		a.git(at, "push", "-q", "origin", "main")
		must(t, os.Mkdir(b.path("disk"), 0o700))
		grow := small(t, b.path("disk"), 4)
		r := b.refused(b.path("disk"), []string{"vexa: error: ", "no space left on device", "vexa: hint: ", "free"}, "clone", w.url, "notes")
		if strings.Contains(r.err, "damaged") {
			t.Errorf("a full disk is not a damaged bucket:\n%s", r.err)
		}
		if _, err := os.Stat(b.path("disk", "notes")); !os.IsNotExist(err) {
			t.Errorf("it left something: %v", err)
		}
		grow()
		b.git(b.path("disk"), "clone", "-q", w.url, "notes")
		if b.head(b.path("disk", "notes")) != id {
			t.Errorf("cloned %s", b.head(b.path("disk", "notes")))
		}
	})
	t.Run("installation", func(t *testing.T) {
		w := newWorld(t)
		a := w.machine("a")
		at := a.seeded("notes")
		state := a.path("vexa", "state")
		grow := small(t, state, 1)
		ballast, err := os.Create(filepath.Join(state, "ballast"))
		must(t, err)
		for err == nil {
			_, err = ballast.Write(make([]byte, 4096))
		}
		must(t, ballast.Close())
		id := a.commit(at, "a", "1\n")
		r := a.try(at, "push")
		st := w.state()
		if pushed := st.Refs["refs/heads/main"] == id; pushed != (r.code == 0) && !pushed {
			t.Errorf("exit %d, refs %v\n%s", r.code, st.Refs, r.err)
		}
		if r.code != 0 && (!strings.Contains(r.err, "no space left on device") || !strings.Contains(r.err, "vexa: hint: ")) {
			t.Errorf("it says\n%s", r.err)
		}
		grow()
		a.git(at, "push", "-q")
		a.git(at, "fetch", "-q")
		a.sound(at)
		b := w.machine("b")
		if b.head(b.clone("notes")) != id {
			t.Errorf("cloned %s", b.head(b.path("notes")))
		}
	})
}

// TestReadOnly: a bucket on a read-only file system is fetched from, and a push
// to it changes nothing and says why.
func TestReadOnly(t *testing.T) {
	if !againtest.Mounting(t, envProgram+"="+program(t)) {
		t.Parallel()
		return
	}
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	first := a.head(at)
	small(t, w.bucket, 4)
	must(t, syscall.Mount("small", w.bucket, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	b.sound(b.clone("notes"))
	a.commit(at, "a", "1\n")
	a.refused(at, []string{"vexa: error: ", "read-only file system", "vexa: hint: "}, "push")
	a.git(at, "fetch", "-q")
	must(t, syscall.Mount("small", w.bucket, "tmpfs", syscall.MS_REMOUNT, ""))
	if st := w.state(); st.Refs["refs/heads/main"] != first {
		t.Errorf("refs: %v", st.Refs)
	}
	a.git(at, "push", "-q")
	a.sound(at)
}

// TestPermission: what one may not read or write.
func TestPermission(t *testing.T) {
	t.Parallel()
	require.Unprivileged(t)
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	copied := b.clone("notes")
	chmod := func(mode os.FileMode) {
		must(t, filepath.WalkDir(w.bucket, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				defer os.Chmod(path, mode) //nolint:errcheck // the next access says so
			}
			return err
		}))
	}
	id := a.commit(at, "a", "1\n")
	chmod(0o500)
	a.refused(at, []string{"vexa: error: ", "permission denied", "vexa: hint: "}, "push")
	b.git(copied, "fetch", "-q")
	chmod(0o700)
	must(t, os.Chmod(w.bucket, 0))
	a.refused(at, []string{"vexa: error: ", "permission denied", "vexa: hint: "}, "push")
	b.refused(copied, []string{"vexa: error: ", "permission denied", "vexa: hint: "}, "fetch")
	b.refused(b.home, []string{"vexa: error: ", "permission denied", "vexa: hint: "}, "clone", w.url, "again")
	must(t, os.Chmod(w.bucket, 0o700))
	a.git(at, "push", "-q")
	// Its own repository may be closed, too.
	pack := filepath.Join(copied, ".git/objects/pack")
	must(t, os.Chmod(pack, 0o500))
	b.refused(copied, []string{"vexa: error: ", "ermission denied", "vexa: hint: "}, "fetch")
	must(t, os.Chmod(pack, 0o700))
	b.git(copied, "pull", "-q")
	if b.head(copied) != id {
		t.Errorf("pulled %s", b.head(copied))
	}
	b.sound(copied)
}
