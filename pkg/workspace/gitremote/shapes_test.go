package gitremote_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPopulated: a repository with a history of its own gets the bucket as a
// remote, before and after others pushed.
func TestPopulated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.init("notes")
	for range 5 {
		a.commit(at, "a", strings.Repeat("x", 100)+w.dir+a.try(at, "rev-parse", "-q", "HEAD").out)
	}
	a.git(at, "push", "-q", "-u", "origin", "main")
	own := b.init("own")
	mine := b.commit(own, "b", "another history\n")
	b.refused(own, []string{"(fetch first)"}, "push", "origin", "main")
	b.git(own, "fetch", "-q")
	b.refused(own, []string{"(non-fast-forward)"}, "push", "origin", "main")
	b.git(own, "push", "-q", "origin", "main:theirs")
	b.git(own, "merge", "-q", "--allow-unrelated-histories", "-m", "Both", "origin/main")
	b.git(own, "push", "-q", "origin", "main")
	a.git(at, "pull", "-q")
	if got := a.git(at, "merge-base", "HEAD", mine); got != mine {
		t.Errorf("the other history is not there: %s", got)
	}
	a.sound(at)
	b.sound(own)
}

// TestWorktrees: a linked worktree pushes and fetches like the main one.
func TestWorktrees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	linked := a.path("linked")
	a.git(at, "worktree", "add", "-q", "-b", "side", linked)
	id := a.commit(linked, "side.md", "side\n")
	a.git(linked, "push", "-q", "-u", "origin", "HEAD")
	copied := b.clone("notes")
	b.git(copied, "checkout", "-q", "side")
	if b.head(copied) != id {
		t.Errorf("side is %s", b.head(copied))
	}
	next := b.commit(copied, "side.md", "more\n")
	b.git(copied, "push", "-q", "origin", "HEAD")
	a.git(linked, "pull", "-q")
	if a.head(linked) != next {
		t.Errorf("pulled %s", a.head(linked))
	}
	a.git(linked, "checkout", "-q", "--detach")
	third := a.commit(linked, "x", "1\n")
	a.git(linked, "push", "-q", "origin", "HEAD:refs/heads/detached")
	if refs := b.remoteRefs(); refs["refs/heads/detached"] != third {
		t.Errorf("refs: %v", refs)
	}
	if notes, err := filepath.Glob(filepath.Join(at, ".git/vexa/*.json")); err != nil || len(notes) != 1 {
		t.Errorf("what was fetched is noted in %v, %v", notes, err)
	}
	if _, err := os.Stat(filepath.Join(at, ".git/worktrees/linked/vexa")); !os.IsNotExist(err) {
		t.Errorf("a note in a worktree: %v", err)
	}
	a.sound(at)
}

// TestSubmodules: a submodule is fetched once the person allows it, as git wants
// it of every transport that is not its own.
func TestSubmodules(t *testing.T) {
	t.Parallel()
	w, library := newWorld(t), newWorld(t)
	l := library.machine("l")
	l.seeded("library")
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	const allow = "protocol.vexa.allow=always"
	for _, m := range []*machine{a, b} { // one person: both buckets open with either key
		must(t, os.RemoveAll(m.path("vexa", "data", "keys")))
		adopt(t, m, library)
	}
	w.share(library)
	a.refused(at, []string{"transport 'vexa' not allowed"}, "submodule", "add", library.url, "library")
	a.git(at, "-c", allow, "submodule", "--quiet", "add", "--force", library.url, "library")
	a.git(at, "commit", "-q", "-m", "Add the library")
	a.git(at, "push", "-q", "--recurse-submodules=check")
	copied := b.clone("notes")
	b.refused(copied, []string{"transport 'vexa' not allowed"}, "submodule", "update", "--init")
	b.git(copied, "config", "--global", "protocol.vexa.allow", "always")
	b.git(copied, "submodule", "--quiet", "update", "--init")
	if got, err := os.ReadFile(filepath.Join(copied, "library/first.md")); err != nil || string(got) != "first\n" {
		t.Errorf("the submodule: %q, %v", got, err)
	}
	b.git(b.home, "clone", "-q", "--recurse-submodules", w.url, "recursive")
	b.git(b.path("recursive"), "fetch", "-q", "--recurse-submodules")
	b.git(b.path("recursive"), "pull", "-q", "--recurse-submodules")
	b.commit(filepath.Join(copied, "library"), "second.md", "2\n")
	b.git(copied, "commit", "-q", "-a", "-m", "Bump")
	b.refused(copied, []string{"The following submodule paths contain changes"}, "push", "--recurse-submodules=check")
	b.git(filepath.Join(copied, "library"), "push", "-q", "origin", "HEAD:refs/heads/main")
	b.git(copied, "push", "-q", "--recurse-submodules=on-demand")
	l.git(l.path("library"), "pull", "-q")
}

// TestReplaced: what git shows in an object's place is not what is pushed.
func TestReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	honest := a.commit(at, "a", "real\n")
	a.git(at, "checkout", "-q", "-b", "other", "HEAD~1")
	fake := a.commit(at, "a", "fake\n")
	a.git(at, "checkout", "-q", "main")
	a.git(at, "replace", honest, fake)
	a.git(at, "push", "-q", "origin", "main")
	copied := b.clone("notes")
	if got := b.git(copied, "show", "HEAD:a"); got != "real" || b.head(copied) != honest {
		t.Errorf("the clone has %q at %s", got, b.head(copied))
	}
	a.git(at, "push", "-q", "origin", "refs/replace/*:refs/replace/*")
	b.git(copied, "fetch", "-q", "origin", "refs/replace/*:refs/replace/*")
	if got := b.git(copied, "show", "HEAD:a"); got != "fake" {
		t.Errorf("with what is in its place: %q", got)
	}
	b.sound(copied)
}

// TestShallow: a repository that lacks history pushes what the bucket's history
// leads to, and nothing else: nobody could clone it.
func TestShallow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	a.commit(at, "a", "1\n")
	a.commit(at, "a", "2\n")
	a.git(at, "push", "-q")
	a.git(a.home, "clone", "-q", "--depth", "1", "file://"+at, "shallow")
	shallow := a.path("shallow")
	a.git(shallow, "remote", "set-url", "origin", w.url)
	a.commit(shallow, "a", "3\n")
	a.git(shallow, "push", "-q", "origin", "main") // it builds on what the bucket has
	elsewhere := a.path("elsewhere")
	a.git(a.home, "init", "-q", elsewhere)
	for _, text := range []string{"1", "2", "3"} {
		a.commit(elsewhere, "other", text)
	}
	a.git(a.home, "clone", "-q", "--depth", "1", "file://"+elsewhere, "cut")
	cut := a.path("cut")
	a.git(cut, "tag", "v1")
	a.git(cut, "tag", "-a", "-m", "v2", "v2")
	a.commit(cut, "other", "4")
	a.git(cut, "remote", "add", "bucket", w.url)
	before := w.state().Generation
	for _, ref := range []string{"HEAD:refs/heads/cut", "v1", "v2", "+HEAD:refs/heads/main"} {
		a.refused(cut, []string{"[remote rejected]", "(shallow update not allowed)"}, "push", "bucket", ref)
	}
	if got := w.state().Generation; got != before {
		t.Errorf("a refusal made generation %d of %d", got, before)
	}
	a.git(cut, "fetch", "-q", "--unshallow", "origin")
	a.git(cut, "push", "-q", "bucket", "HEAD:refs/heads/cut", "v1", "v2")
	a.git(shallow, "fetch", "-q")
	b.sound(b.clone("notes"))
	w.state()
}

// TestPartial: a repository that has not every object itself says so.
func TestPartial(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	from := a.path("from")
	a.git(a.home, "init", "-q", from)
	a.commit(from, "a", "1\n")
	a.commit(from, "a", "2\n")
	a.git(from, "config", "uploadpack.allowFilter", "true")
	a.git(a.home, "clone", "-q", "--filter=blob:none", "file://"+from, "partial")
	a.refused(a.path("partial"), []string{"vexa: error: ", "vexa: hint: ", "partial clone", "git fetch --refetch --no-filter"}, "push", w.url, "main")
	if st := w.state(); len(st.Refs) != 0 {
		t.Errorf("refs: %v", st.Refs)
	}
	a.git(a.path("partial"), "fetch", "-q", "--refetch", "--no-filter")
	a.git(a.path("partial"), "push", "-q", w.url, "main")
	b := w.machine("b")
	b.sound(b.clone("notes"))
}

// TestAlternates: repositories that borrow objects of others.
func TestAlternates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	at := a.seeded("notes")
	a.commit(at, "a", "1\n")
	a.git(at, "push", "-q")
	for name, args := range map[string][]string{
		"reference": {"clone", "-q", "--reference", at, w.url}, "dissociate": {"clone", "-q", "--reference", at, "--dissociate", w.url},
		"shared": {"clone", "-q", "--shared", at},
	} {
		a.git(a.home, append(args, name)...)
		copied := a.path(name)
		if name == "shared" {
			a.git(copied, "remote", "set-url", "origin", w.url)
		}
		a.git(copied, "fetch", "-q")
		a.commit(copied, name, "2\n")
		a.git(copied, "pull", "-q", "--rebase")
		a.git(copied, "push", "-q", "origin", "main")
		a.sound(copied)
	}
	b := w.machine("b")
	b.sound(b.clone("notes"))
}

// TestLostObjects: what nothing refers to goes with git gc. The next fetch that
// needs it brings it again.
func TestLostObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	a.git(at, "checkout", "-q", "-b", "side")
	long := strings.Repeat("a line that is long enough to be worth a delta\n", 200)
	a.commit(at, "side.md", long)
	a.git(at, "push", "-q", "origin", "side")
	copied := b.clone("notes", "--single-branch", "--branch", "main")
	side := a.head(at)
	b.git(copied, "cat-file", "-e", side) // everything came
	b.git(copied, "reflog", "expire", "--expire=now", "--all")
	b.git(copied, "gc", "-q", "--prune=now")
	if r := b.try(copied, "cat-file", "-e", side); r.code == 0 {
		t.Fatal("git gc kept what nothing refers to")
	}
	// A thin pack whose base is gone.
	a.commit(at, "side.md", long+"more\n")
	a.git(at, "push", "-q", "origin", "side")
	b.git(copied, "fetch", "-q", "origin")
	b.git(copied, "fetch", "-q", "origin", "side:side")
	b.git(copied, "cat-file", "-e", a.head(at))
	b.sound(copied)
	// Something that is there in the bucket and nowhere here.
	b.git(copied, "branch", "-q", "-D", "side")
	must(t, os.RemoveAll(filepath.Join(copied, ".git/FETCH_HEAD")))
	b.git(copied, "reflog", "expire", "--expire=now", "--all")
	b.git(copied, "gc", "-q", "--prune=now")
	b.git(copied, "fetch", "-q", "origin", "side:side")
	b.git(copied, "cat-file", "-e", a.head(at))
	b.sound(copied)
	// The note itself is wrong, or no note.
	for _, text := range []string{"", "{", `{"generation": 1000}`, `{"generation": -1}`, `{"generation": "x"}`, `[]`} {
		notes, err := filepath.Glob(filepath.Join(copied, ".git/vexa/*.json"))
		must(t, err)
		must(t, os.WriteFile(notes[0], []byte(text), 0o600))
		a.commit(at, "side.md", long+text)
		a.git(at, "push", "-q", "origin", "side")
		b.git(copied, "fetch", "-q", "origin", "side:side")
		if got := b.git(copied, "rev-parse", "side"); got != a.head(at) {
			t.Errorf("with the note %q: %s", text, got)
		}
	}
	b.sound(copied)
}

// TestFormats: repositories of SHA-256, and none of both.
func TestFormats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	early := b.clone("early") // of a bucket that has no format yet: git makes it SHA-1
	at := a.init("notes", "--object-format=sha256")
	id := a.commit(at, "a", "1\n")
	a.git(at, "push", "-q", "-u", "origin", "main")
	if len(id) != 64 {
		t.Fatalf("not a SHA-256: %s", id)
	}
	copied := b.clone("notes")
	if got := b.git(copied, "rev-parse", "--show-object-format"); got != "sha256" || b.head(copied) != id {
		t.Fatalf("the clone is %s at %s", got, b.head(copied))
	}
	b.commit(copied, "b", "2\n")
	b.git(copied, "push", "-q")
	a.git(at, "pull", "-q")
	a.git(at, "tag", "-a", "-m", "v1", "v1")
	a.git(at, "push", "-q", "--force", "origin", "v1", "HEAD:refs/heads/side")
	b.git(copied, "fetch", "-q")
	a.sound(at)
	b.sound(copied)
	b.refused(early, []string{"format"}, "fetch")
	b.commit(early, "x", "1\n")
	b.refused(early, []string{"format"}, "push", "origin", "HEAD:refs/heads/sha1")
	before := w.state()
	other := newWorld(t)
	c := other.machine("c")
	sha1 := c.seeded("sha1")
	sha256 := c.init("sha256", "--object-format=sha256")
	c.commit(sha256, "x", "1\n")
	c.refused(sha256, []string{"format"}, "push", "origin", "HEAD:refs/heads/sha256")
	c.refused(sha256, []string{"format"}, "fetch")
	c.sound(sha1)
	c.sound(sha256)
	if st := w.state(); st.Generation != before.Generation || st.ObjectFormat != "sha256" {
		t.Errorf("a refusal made generation %d of format %s", st.Generation, st.ObjectFormat)
	}
}

// TestParanoid: nothing is taken over that was not looked at here.
func TestParanoid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	a.commit(at, "a", "1\n")
	a.git(at, "push", "-q")
	b.git(b.home, "-c", "vexa.paranoid=true", "clone", "-q", w.url, "notes")
	copied := b.path("notes")
	b.sound(copied)
	b.git(copied, "config", "vexa.paranoid", "true")
	a.commit(at, "a", "2\n")
	a.git(at, "push", "-q")
	b.git(copied, "pull", "-q")
	b.sound(copied)
	// An object that another git took and this one does not.
	tree := a.git(at, "mktree", "--missing")
	broken := a.path("broken")
	must(t, os.WriteFile(broken, []byte("tree "+tree+"\nauthor no address 1 +0000\ncommitter no address 1 +0000\n\nBroken\n"), 0o600))
	id := a.git(at, "hash-object", "-t", "commit", "-w", "--literally", broken)
	a.git(at, "push", "-q", "origin", id+":refs/heads/broken")
	b.refused(copied, []string{"vexa: error: ", "fsck error"}, "fetch")
	b.refused(b.home, []string{"vexa: error: ", "fsck error"}, "-c", "vexa.paranoid=true", "clone", w.url, "again")
	b.git(b.home, "clone", "-q", w.url, "trusting")
}
