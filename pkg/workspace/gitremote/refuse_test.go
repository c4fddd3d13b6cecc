package gitremote_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
)

// TestNonFastForward: what git says of a push that would lose history is what it
// says of any server's.
func TestNonFastForward(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	first := a.head(at)
	copied := b.clone("notes")
	second := a.commit(at, "a", "a\n")
	a.git(at, "push", "-q")
	other := b.commit(copied, "b", "b\n")
	b.refused(copied, []string{"! [rejected]", "(fetch first)"}, "push")
	b.git(copied, "fetch", "-q")
	b.refused(copied, []string{"! [rejected]", "(non-fast-forward)", "Updates were rejected because the tip of your current branch is behind"}, "push")
	b.refused(copied, []string{"! [rejected]", "(stale info)"}, "push", "--force-with-lease=main:"+first)
	b.refused(copied, []string{"! [rejected]", "(stale info)"}, "push", "--force-with-lease=main:", "origin", "main")
	b.refused(copied, []string{"! [rejected]", "(stale info)"}, "push", "--force-with-lease=new:"+first, "origin", "HEAD:refs/heads/new")
	if refs := a.remoteRefs(); refs["refs/heads/main"] != second || len(refs) != 2 {
		t.Fatalf("a refusal changed something: %v", refs)
	}
	// The tracking branch is the lease.
	b.git(copied, "push", "-q", "--force-with-lease")
	if refs := a.remoteRefs(); refs["refs/heads/main"] != other {
		t.Fatalf("with a lease: %v", refs)
	}
	a.commit(at, "a", "again\n")
	a.refused(at, []string{"! [rejected]", "(stale info)"}, "push", "--force-with-lease")
	a.git(at, "push", "-q", "--force-with-lease=main:"+other)
	b.commit(copied, "b", "once more\n")
	r := b.try(copied, "push", "--force")
	if r.code != 0 || !strings.Contains(r.err, "(forced update)") {
		t.Errorf("--force: %+v", r)
	}
	b.git(copied, "push", "-q", "--force-with-lease=new:", "origin", "HEAD:refs/heads/new")
	a.git(at, "fetch", "-q")
	a.git(at, "push", "-q", "origin", "+HEAD:main")
	b.refused(copied, []string{"remote ref does not exist"}, "push", "origin", "--delete", "none")
	b.git(copied, "push", "-q", "--force-with-lease=new:"+b.head(copied), "origin", ":new")
	a.sound(at)
	b.sound(copied)
	w.state()
}

// TestDecidedByTheBucket: what became of a ref between git's look and the push
// is what counts, and git hears of it in its own words.
func TestDecidedByTheBucket(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string // of the push
		says []string
	}{
		"fetch first": {[]string{"push", "origin", "main"}, []string{"! [rejected]", "main -> main (fetch first)"}},
		"stale info":  {[]string{"push", "--force-with-lease", "origin", "main"}, []string{"! [rejected]", "main -> main (stale info)"}},
		"a new tag":   {[]string{"push", "origin", "v1"}, []string{"! [rejected]", "v1 -> v1 (already exists)"}},
		"deleted":     {[]string{"push", "origin", ":side"}, []string{"! [remote rejected]", "side (remote ref does not exist)"}},
		"atomic":      {[]string{"push", "--atomic", "origin", "main", "HEAD:refs/heads/more"}, []string{"(fetch first)", "HEAD -> more (atomic push failed)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b := w.machine("a"), w.machine("b")
			at := a.seeded("notes")
			a.git(at, "push", "-q", "origin", "HEAD:refs/heads/side")
			copied := b.clone("notes")
			for m, dir := range map[*machine]string{a: at, b: copied} {
				m.commit(dir, filepath.Base(m.home), "1\n")
				m.git(dir, "tag", "v1")
			}
			held := b.hold("bucket.stored", "bucket.manifest")
			if name == "deleted" || name == "a new tag" {
				// There is something to store, too, so that there is a point to be held at.
				c.args = append(c.args, "HEAD:refs/heads/besides")
			}
			end := held.start(copied, append([]string{"git"}, c.args...)...)
			held.wait()
			a.git(at, "push", "-q", "--atomic", "origin", "main", "v1", ":side")
			held.release()
			r := end()
			if r.code == 0 {
				t.Errorf("it succeeded: %s", r.err)
			}
			for _, text := range c.says {
				if !strings.Contains(r.err, text) {
					t.Errorf("it does not say %q:\n%s", text, r.err)
				}
			}
			refs := b.remoteRefs()
			if refs["refs/heads/main"] != a.head(at) || refs["refs/heads/side"] != "" || refs["refs/heads/more"] != "" {
				t.Errorf("refs: %v", refs)
			}
			if slices.Contains(c.args, "HEAD:refs/heads/besides") && refs["refs/heads/besides"] != b.head(copied) {
				t.Errorf("what was not refused is not there: %v", refs)
			}
			// What the loser has not yet comes with what is new, not with everything.
			b.git(copied, "fetch", "-q")
			b.sound(copied)
			w.same(a, a.clone("whole", "--mirror"))
		})
	}
}

// TestAtomic: all or nothing.
func TestAtomic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	copied := b.clone("notes")
	a.commit(at, "a", "1\n")
	a.git(at, "push", "-q", "--atomic", "origin", "main", "HEAD:refs/heads/x", "HEAD~1:refs/heads/y")
	b.commit(copied, "b", "1\n")
	b.refused(copied, []string{"(fetch first)", "(atomic push failed)"}, "push", "--atomic", "origin", "main", "HEAD:refs/heads/z", ":x")
	b.refused(copied, []string{"(fetch first)"}, "push", "origin", "main", "HEAD:refs/heads/z", ":y")
	refs := b.remoteRefs()
	if refs["refs/heads/x"] == "" || refs["refs/heads/y"] != "" || refs["refs/heads/z"] != b.head(copied) {
		t.Errorf("refs: %v", refs)
	}
}

// TestNamesInTheWay: a branch and a directory of branches of one name cannot be
// fetched by anybody, so that the second is refused.
func TestNamesInTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	at := a.seeded("notes")
	a.git(at, "push", "-q", "origin", "HEAD:refs/heads/a", "HEAD:refs/heads/b/c/d", "HEAD:refs/heads/b-c")
	for _, name := range []string{"a/b", "a/b/c", "b", "b/c", "b/c/d/e"} {
		a.refused(at, []string{"! [remote rejected]", "in the way"}, "push", "origin", "HEAD:refs/heads/"+name)
		a.refused(at, []string{"! [remote rejected]", "in the way"}, "push", "--force", "origin", "HEAD:refs/heads/"+name)
	}
	a.refused(at, []string{"HEAD -> n/m (", "in the way"}, "push", "origin", "HEAD:refs/heads/n", "HEAD:refs/heads/n/m")
	a.git(at, "push", "-q", "origin", "HEAD:refs/heads/b-", "HEAD:refs/heads/b/c-", "HEAD:refs/heads/A/b")
	// Where the other one goes there is room.
	a.git(at, "push", "-q", "origin", ":a", "HEAD:refs/heads/a/b")
	a.git(at, "push", "-q", "--atomic", "origin", "HEAD:refs/heads/a", ":a/b")
	a.git(at, "push", "-q", "origin", ":b-c")
	a.refused(at, []string{"refs/heads/b- is in the way"}, "push", "--atomic", "origin", "HEAD:refs/heads/b-c", "HEAD:refs/heads/b-/x")
	a.git(at, "push", "-q", "origin", "HEAD:refs/heads/b-c")
	b := w.machine("b")
	b.sound(b.clone("all", "--mirror"))
}

// TestNotHere: each thing that cannot be had is refused with what to do, and
// leaves nothing behind.
func TestNotHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	a.seeded("notes")
	at := a.clone("whole")
	for _, flag := range []string{"--depth=1", "--shallow-since=2020-01-01", "--shallow-exclude=main", "--filter=blob:none"} {
		name, _, _ := strings.Cut(flag, "=")
		r := a.refused(a.home, []string{"vexa: error: " + name + " is not supported", "vexa: hint: "}, "clone", flag, w.url, "new")
		if _, err := os.Stat(a.path("new")); !os.IsNotExist(err) {
			t.Errorf("clone %s left something: %v", flag, err)
		}
		if strings.Contains(r.err, "defect") {
			t.Errorf("clone %s:\n%s", flag, r.err)
		}
		a.refused(at, []string{"vexa: error: " + name + " is not supported", "vexa: hint: "}, "fetch", flag)
		if name != "--filter" {
			continue
		}
		// Git itself notes a filter before it asks for it. The hint says how to go on.
		a.refused(at, []string{"git config --unset remote.origin.partialclonefilter", "remote.origin.promisor"}, "fetch")
		a.git(at, "config", "--unset", "remote.origin.partialclonefilter")
		a.git(at, "config", "--unset", "remote.origin.promisor")
	}
	a.refused(at, []string{"vexa: error: --deepen is not supported"}, "fetch", "--deepen=1")
	a.git(at, "fetch", "-q")
	if got := a.git(at, "rev-parse", "--is-shallow-repository"); got != "false" {
		t.Errorf("shallow: %s", got)
	}
	a.sound(at)
}

// TestErrors: what is wrong with an address or a key is said once, with what to
// do, and git adds nothing that misleads.
func TestErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	at := a.seeded("notes")
	file := filepath.Join(w.dir, "file")
	must(t, os.WriteFile(file, []byte("x\n"), 0o600))
	must(t, os.Mkdir(filepath.Join(w.dir, "empty"), 0o700))
	foreign := filepath.Join(w.dir, "foreign")
	must(t, os.Mkdir(foreign, 0o700))
	must(t, os.WriteFile(filepath.Join(foreign, "FORMAT"), []byte("something else\n"), 0o600))
	other := newWorld(t)
	locked := w.machine("locked")
	lockKey(t, locked)
	keyless := w.machine("keyless")
	must(t, os.RemoveAll(filepath.Join(keyless.home, "vexa/data/keys")))

	for name, c := range map[string]struct {
		m    *machine
		url  string
		says []string
	}{
		"an unknown name":       {a, "vexa::nothing", []string{`no workspace "nothing"`, "vexa workspace list"}},
		"an unknown path":       {a, "vexa::" + w.dir + "/none", []string{"there is no bucket at " + w.dir + "/none", "vexa workspace create"}},
		"a file":                {a, "vexa::" + file, []string{"not a directory", "name a directory"}},
		"an empty directory":    {a, "vexa::" + w.dir + "/empty", []string{"there is no bucket at", "vexa workspace create"}},
		"what is no bucket":     {a, "vexa::" + foreign, []string{"is not a bucket", "check the address"}},
		"another scheme":        {a, "vexa::ftp://host/x", []string{"not the address of a bucket", "give the name of a workspace"}},
		"a URL of git's own":    {a, "vexa://host/x", []string{"not the address of a bucket", "give the name of a workspace"}},
		"an empty address":      {a, "vexa::", []string{"vexa: error: ", "vexa: hint: "}},
		"somebody else's":       {a, other.url, []string{"no key of this installation opens", "ask a member"}},
		"a key that is locked":  {locked, w.url, []string{"the key needs its passphrase", "VEXA_NO_INPUT"}},
		"no key at all":         {keyless, w.url, []string{"there is no key at", "vexa init"}},
		"a storage that is not": {a, "vexa::s3://bucket-that-is-not/x", []string{"vexa: error: ", "vexa: hint: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := c.m
			says := append([]string{"vexa: error: ", "vexa: hint: "}, c.says...)
			target := fmt.Sprintf("new-%x", name)
			for _, args := range [][]string{{"clone", c.url, target}, {"ls-remote", c.url}} {
				r := m.refused(m.home, says, args...)
				if strings.Contains(r.err, "defect") || strings.Contains(r.err, "panic") || strings.Count(r.err, "vexa: error: ") != 1 || strings.Contains(r.err, "  ") {
					t.Errorf("%v:\n%s", args, r.err)
				}
			}
			if _, err := os.Stat(m.path(target)); !os.IsNotExist(err) {
				t.Errorf("clone left something: %v", err)
			}
			m.refused(at, says, "push", c.url, "main")
		})
	}
}

// TestRights: who may only read fetches, and who may write some refs writes those.
func TestRights(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rights  []manifestv1.Right
		allowed []string
		refused []string
	}{
		"reader": {[]manifestv1.Right{}, nil, []string{"main", "HEAD:refs/heads/kim/x", "HEAD:refs/tags/v1"}},
		"writer of some": {
			[]manifestv1.Right{{Refs: "refs/heads/kim/*", Allow: []string{"write"}}},
			[]string{"HEAD:refs/heads/kim/x", "+HEAD~1:refs/heads/kim/x", ":refs/heads/kim/x"},
			[]string{"main", "+main", "HEAD:refs/heads/kim", ":refs/heads/side"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, other := newWorld(t), newWorld(t)
			a := w.machine("a")
			at := a.seeded("notes")
			a.git(at, "push", "-q", "origin", "HEAD:refs/heads/side")
			w.share(other, c.rights...)
			kim := other.machine("kim")
			kim.git(kim.home, "clone", "-q", w.url, "notes")
			copied := kim.path("notes")
			kim.commit(copied, "k", "1\n")
			for _, ref := range c.allowed {
				kim.git(copied, "push", "-q", "origin", ref)
			}
			before := w.state()
			for _, ref := range c.refused {
				kim.refused(copied, []string{"! [remote rejected]", "(you may not write this ref)"}, "push", "origin", ref)
			}
			if st := w.state(); st.Generation != before.Generation {
				t.Errorf("a refusal made generation %d", st.Generation)
			}
			a.git(at, "push", "-q", "origin", "HEAD:refs/heads/more")
			kim.git(copied, "fetch", "-q")
			kim.sound(copied)
		})
	}
}
