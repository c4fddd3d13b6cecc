package gitremote_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRoundTrip: two machines work through one bucket with nothing but git.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	there := a.seeded("notes")
	here := b.clone("notes")
	b.commit(here, "second.md", "from b\n")
	b.git(here, "push", "-q")
	a.commit(there, "third.md", "from a\n")
	r := a.refused(there, []string{"(fetch first)", "Updates were rejected because the remote contains work that you do"}, "push")
	if strings.Contains(r.err, "vexa: error") {
		t.Errorf("a rejected push is no error of the helper's:\n%s", r.err)
	}
	a.git(there, "pull", "-q", "--rebase")
	a.git(there, "push", "-q")
	b.git(here, "pull", "-q")
	if a.head(there) != b.head(here) {
		t.Errorf("the machines have %s and %s", a.head(there), b.head(here))
	}
	if r := a.try(there, "push"); r.code != 0 || !strings.Contains(r.err, "Everything up-to-date") {
		t.Errorf("a second push: %+v", r)
	}
	a.sound(there)
	b.sound(here)
	w.same(b, here)
}

// TestHead: HEAD means the branch of the first push, whatever its name is.
func TestHead(t *testing.T) {
	t.Parallel()
	for _, branch := range []string{"main", "master", "trunk/β"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.machine("a")
			r := a.try(a.home, "clone", w.url, "empty")
			if r.code != 0 || !strings.Contains(r.err, "You appear to have cloned an empty repository.") {
				t.Fatalf("clone of an empty bucket: %+v", r)
			}
			empty := a.path("empty")
			a.git(empty, "symbolic-ref", "HEAD", "refs/heads/"+branch)
			id := a.commit(empty, "a", "1\n")
			a.git(empty, "push", "-q", "-u", "origin", branch)
			b := w.machine("b")
			copied := b.clone("notes")
			if got := b.git(copied, "symbolic-ref", "HEAD"); got != "refs/heads/"+branch || b.head(copied) != id {
				t.Errorf("HEAD of the clone is %s at %s", got, b.head(copied))
			}
			if got := b.git(copied, "symbolic-ref", "refs/remotes/origin/HEAD"); got != "refs/remotes/origin/"+branch {
				t.Errorf("origin/HEAD is %s", got)
			}
			if refs := b.remoteRefs(); refs["HEAD"] != id {
				t.Errorf("ls-remote: %v", refs)
			}
			// The current branch stays; others come and go.
			a.git(empty, "push", "-q", "origin", "HEAD:refs/heads/other")
			a.refused(empty, []string{"[remote rejected]", "deletion of the current branch prohibited"}, "push", "origin", "--delete", branch)
			a.git(empty, "push", "-q", "origin", "--delete", "other")
			b.git(copied, "fetch", "-q", "--prune")
		})
	}
}

// TestSeveralBranchesFirst: where a first push brings several branches HEAD is
// main, as before, or nothing.
func TestSeveralBranchesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	at := a.init("notes")
	id := a.commit(at, "a", "1\n")
	a.git(at, "branch", "one")
	a.git(at, "branch", "two")
	a.git(at, "push", "-q", "origin", "one", "two")
	if refs := a.remoteRefs(); refs["HEAD"] != "" || refs["refs/heads/one"] != id {
		t.Fatalf("refs: %v", refs)
	}
	b := w.machine("b")
	copied := b.clone("two", "-b", "two")
	if got := b.git(copied, "symbolic-ref", "HEAD"); got != "refs/heads/two" {
		t.Errorf("HEAD is %s", got)
	}
	b.git(b.home, "clone", "-q", w.url, "none") // git warns that HEAD means nothing, and clones
	a.git(at, "push", "-q", "origin", "main")
	if refs := a.remoteRefs(); refs["HEAD"] != id {
		t.Errorf("refs: %v", refs)
	}
}

// TestDetached: what no branch has is pushed by id, by expression and from a
// detached HEAD.
func TestDetached(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	at := a.seeded("notes")
	first := a.head(at)
	second := a.commit(at, "dir/with space.md", "fix the otters: again\n")
	a.git(at, "checkout", "-q", "--detach")
	third := a.commit(at, "x", "detached\n")
	a.git(at, "push", "-q", "origin", "HEAD:refs/heads/detached")
	a.git(at, "push", "-q", "origin", second+":refs/heads/by-id", "HEAD~2:refs/heads/by-expression")
	a.git(at, "push", "-q", "origin", "HEAD:dir/with space.md:refs/tags/a-blob", "HEAD^{tree}:refs/tags/a-tree", "HEAD^{/with space}:refs/heads/by-message")
	refs := a.remoteRefs()
	for name, want := range map[string]string{
		"refs/heads/detached": third, "refs/heads/by-id": second, "refs/heads/by-expression": first, "refs/heads/by-message": second,
		"refs/tags/a-blob": a.git(at, "rev-parse", "HEAD:dir/with space.md"), "refs/tags/a-tree": a.git(at, "rev-parse", "HEAD^{tree}"),
	} {
		if refs[name] != want {
			t.Errorf("%s is %q, want %s", name, refs[name], want)
		}
	}
	a.refused(at, []string{"a branch points at a commit only"}, "push", "origin", "HEAD^{tree}:refs/heads/tree")
	b := w.machine("b")
	b.sound(b.clone("notes"))
	if got := b.git(b.path("notes"), "cat-file", "-p", "a-blob"); got != "fix the otters: again" {
		t.Errorf("the blob: %q", got)
	}
}

// TestFetch: refspecs, single branches, pruning, and what is fetched by name
// alone.
func TestFetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	a.git(at, "checkout", "-q", "-b", "side")
	side := a.commit(at, "side.md", "side\n")
	a.git(at, "push", "-q", "origin", "side")
	single := b.clone("single", "--single-branch", "--branch", "main")
	if got := b.git(single, "for-each-ref", "--format=%(refname)", "refs/remotes"); strings.Contains(got, "side") {
		t.Errorf("a single branch: %s", got)
	}
	b.git(single, "fetch", "-q", "origin", "side")
	if got := b.git(single, "rev-parse", "FETCH_HEAD"); got != side {
		t.Errorf("FETCH_HEAD is %s", got)
	}
	b.git(single, "fetch", "-q", w.url, "+refs/heads/*:refs/elsewhere/*")
	if got := b.git(single, "rev-parse", "refs/elsewhere/side"); got != side {
		t.Errorf("by another refspec: %s", got)
	}
	all := b.clone("all")
	a.git(at, "push", "-q", "origin", "--delete", "side")
	b.git(all, "fetch", "-q", "--prune")
	if got := b.git(all, "for-each-ref", "--format=%(refname)", "refs/remotes"); strings.Contains(got, "side") {
		t.Errorf("after --prune: %s", got)
	}
	b.refused(all, []string{"couldn't find remote ref side"}, "fetch", "origin", "side")
	b.git(all, "fetch", "-q", "--dry-run")
	bare := b.path("bare.git")
	b.git(b.home, "clone", "-q", "--bare", w.url, bare)
	b.sound(bare)
	b.git(b.home, "clone", "-q", "--no-checkout", "--no-tags", w.url, "no-checkout")
	if got := b.git(b.path("no-checkout"), "rev-parse", "origin/main"); got != a.git(at, "rev-parse", "main") {
		t.Errorf("without a checkout: %s", got)
	}
	b.sound(single)
	b.sound(all)
}

// TestTags: annotated, lightweight, moved, deleted, followed; and notes.
func TestTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	at := a.seeded("notes")
	copied := b.clone("notes")
	first := a.head(at)
	a.git(at, "tag", "light")
	a.git(at, "tag", "-a", "-m", "Release 1", "v1")
	a.git(at, "tag", "-a", "-m", "A tag of a tag", "nested", "v1")
	a.git(at, "push", "-q", "origin", "light")
	second := a.commit(at, "a", "2\n")
	a.git(at, "push", "-q", "--follow-tags")
	a.git(at, "push", "-q", "--tags")
	b.git(copied, "fetch", "-q", "--tags")
	for _, name := range []string{"light", "v1", "nested"} {
		if got, want := b.git(copied, "rev-parse", name), a.git(at, "rev-parse", name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	a.git(at, "tag", "-f", "light", second)
	a.refused(at, []string{"(already exists)", "Updates were rejected because the tag already exists"}, "push", "origin", "light")
	b.git(copied, "tag", "-f", "v1", first)
	b.refused(copied, []string{"(already exists)"}, "push", "origin", "v1")
	a.git(at, "push", "-q", "--force", "origin", "light")
	a.git(at, "push", "-q", "origin", "--delete", "nested", "v1")
	if refs := a.remoteRefs(); refs["refs/tags/light"] != second || refs["refs/tags/v1"] != "" || refs["refs/tags/nested"] != "" {
		t.Errorf("tags: %v", refs)
	}
	b.refused(copied, []string{"would clobber existing tag"}, "fetch", "--tags")
	b.git(copied, "fetch", "-q", "--tags", "--force")

	a.git(at, "notes", "add", "-m", "seen an otter")
	a.git(at, "push", "-q", "origin", "refs/notes/*")
	b.git(copied, "fetch", "-q", "origin", "refs/notes/*:refs/notes/*")
	if got := b.git(copied, "log", "-1", "--format=%N", "origin/main"); strings.TrimSpace(got) != "seen an otter" {
		t.Errorf("the note: %q", got)
	}
	b.git(copied, "notes", "append", "-m", "and another", "origin/main")
	b.git(copied, "push", "-q", "origin", "refs/notes/commits")
	a.git(at, "notes", "append", "-m", "meanwhile")
	a.refused(at, []string{"(fetch first)"}, "push", "origin", "refs/notes/commits")
	a.sound(at)
	b.sound(copied)
}

// TestMirrorAndAll: whole repositories at once, and a mirror that deletes.
func TestMirrorAndAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	plain := a.path("plain")
	a.git(a.home, "init", "-q", "plain")
	for _, name := range []string{"one", "two", "three"} {
		a.git(plain, "checkout", "-q", "--orphan", name)
		a.commit(plain, name+".md", name+"\n")
		a.git(plain, "tag", "-a", "-m", name, "tag-"+name)
	}
	a.git(plain, "notes", "add", "-m", "noted")
	a.git(plain, "push", "-q", "--all", w.url)
	if refs := a.remoteRefs(); len(refs) != 3 {
		t.Errorf("--all: %v", refs)
	}
	a.git(plain, "push", "-q", "--tags", w.url)
	if refs := a.remoteRefs(); len(refs) != 6 || refs["refs/notes/commits"] != "" {
		t.Errorf("--tags: %v", refs)
	}
	a.git(plain, "push", "-q", "--mirror", w.url)
	w.same(a, plain)
	a.git(plain, "checkout", "-q", "one")
	a.git(plain, "branch", "-q", "-D", "two")
	a.git(plain, "tag", "-d", "tag-three")
	a.git(plain, "replace", "one", "three")
	a.git(plain, "push", "-q", "--mirror", w.url)
	w.same(a, plain)
	a.git(plain, "push", "-q", "--prune", w.url, "refs/heads/*:refs/heads/*")
	w.same(a, plain)
}

// TestBundle: what was cloned is as good as any repository.
func TestBundle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.machine("a"), w.machine("b")
	a.seeded("notes")
	copied := b.clone("notes")
	bundle := b.path("notes.bundle")
	b.git(copied, "bundle", "create", "-q", bundle, "--all")
	b.git(b.home, "clone", "-q", bundle, "from-bundle")
	b.commit(b.path("from-bundle"), "x", "1\n")
	b.git(b.path("from-bundle"), "push", "-q", w.url, "main")
	b.git(copied, "pull", "-q")
	if b.head(copied) != b.head(b.path("from-bundle")) {
		t.Error("what came from a bundle did not arrive")
	}
}

// TestPlaces: directories with any name, -C, GIT_DIR, GIT_WORK_TREE, a relative
// address, a PATH that holds nothing else.
func TestPlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	a.seeded("notes")
	for i, name := range []string{"with space", `quote"s and 'others'`, "ünïcode-メモ", "-dash", "new\nline", "$HOME", "a:b"} {
		at := filepath.Join(a.home, name)
		if r := a.try(a.home, "clone", "-q", "--", w.url, name); r.code != 0 || r.err != "" {
			t.Fatalf("clone to %q: %+v", name, r)
		}
		a.clean(at)
		a.commit(at, "file-"+string(rune('a'+i)), name+"\n")
		a.git(a.home, "-C", at, "pull", "-q", "--rebase")
		a.git(a.home, "-C", at, "push", "-q")
		inGitDir := a.with("GIT_DIR="+filepath.Join(at, ".git"), "GIT_WORK_TREE="+at)
		inGitDir.git("/", "fetch", "-q")
		below := filepath.Join(at, "deep/er")
		must(t, os.MkdirAll(below, 0o700))
		a.git(below, "fetch", "-q")
		a.with("GIT_DIR=../../.git").git(below, "fetch", "-q")
		a.sound(at)
	}
	// A bucket in such a directory, by an absolute and by a relative path.
	for _, name := range []string{"buck et", `b"u'ck`, "büc", "b%20c"} {
		path := filepath.Join(w.dir, name)
		w.makeBucket(path)
		at := a.path("notes")
		a.git(at, "push", "-q", "vexa::"+path, "main")
		a.git(at, "push", "-q", "vexa::../../"+name, "HEAD:refs/heads/relative")
		a.git(w.dir, "clone", "-q", "vexa::./"+name, filepath.Join(a.home, "from", name))
	}
	// As a program without a terminal starts it.
	gui := *a
	gui.env = []string{"PATH=/usr/bin:/bin:" + w.bin, "HOME=" + a.lookup("HOME"), "VEXA_HOME=" + a.lookup("VEXA_HOME")}
	for _, kv := range []string{"XDG_RUNTIME_DIR", "VEXA_PLAINTEXT_DIR"} {
		gui.env = append(gui.env, kv+"="+a.lookup(kv))
	}
	gui.git("/", "-C", a.path("notes"), "pull", "-q", "--rebase")
	gui.commit(a.path("notes"), "gui", "1\n")
	gui.git(a.path("notes"), "push", "-q")
	gui.env[0] = "PATH=/usr/bin:/bin"
	gui.refused(a.path("notes"), []string{"remote-vexa"}, "fetch")
}

// TestOptions: what git can ask of a push or fetch besides.
func TestOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	at := a.seeded("notes")
	a.commit(at, "a", "1\n")
	before := w.state().Generation
	if r := a.try(at, "push", "--dry-run"); r.code != 0 || !strings.Contains(r.err, "main -> main") || w.state().Generation != before {
		t.Errorf("--dry-run: %+v", r)
	}
	r := a.try(at, "push", "--porcelain")
	if r.code != 0 || !strings.Contains(r.out, "refs/heads/main:refs/heads/main") || !strings.Contains(r.out, "Done") {
		t.Errorf("--porcelain: %+v", r)
	}
	a.commit(at, "a", "2\n")
	if r := a.try(at, "push", "--progress"); r.code != 0 || !strings.Contains(r.err, "Counting objects") {
		t.Errorf("--progress: %+v", r)
	}
	a.commit(at, "a", "3\n")
	if r := a.try(at, "push", "--quiet"); r.code != 0 || r.err != "" {
		t.Errorf("--quiet: %+v", r)
	}
	a.commit(at, "a", "4\n")
	a.git(at, "push", "-q", "--force-if-includes", "--force-with-lease")
	a.refused(at, []string{"does not support 'push-option'"}, "push", "-o", "x", "origin", "HEAD~1:refs/heads/x")
	a.refused(at, []string{"does not support --signed"}, "push", "--signed", "origin", "HEAD~1:refs/heads/x")
	a.git(at, "-c", "push.followTags=true", "push", "-q")
	a.git(at, "-c", "fetch.parallel=4", "fetch", "-q", "--multiple", "--jobs=4", "origin")
	a.git(at, "fetch", "-q", "--atomic", "--write-fetch-head", "--verbose")
	a.git(at, "remote", "update")
	a.git(at, "remote", "show", "origin")
	a.git(at, "-c", "protocol.version=0", "fetch", "-q")
	a.git(at, "-c", "core.quotePath=true", "push", "-q", "--force-with-lease", "origin", "HEAD:refs/heads/"+`ü"q`)
	a.git(at, "fetch", "-q")
	a.commit(at, "a", "5\n")
	a.git(at, "commit", "-q", "--amend", "-m", "Amended")
	a.git(at, "push", "-q", "--force-with-lease", "origin", "HEAD:refs/heads/"+`ü"q`)
	if refs := a.remoteRefs(); refs[`refs/heads/ü"q`] != a.head(at) {
		t.Errorf("refs: %v", refs)
	}
}
