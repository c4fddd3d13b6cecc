package gitref_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/gitref"
)

const branch = "refs/heads/vexa-bucket"

// asVexa makes a commit that looks like the store's own.
func asVexa(t *testing.T, dir, tree string, parents ...string) string {
	t.Helper()
	args := []string{"--git-dir=" + dir, "commit-tree", "-m", "bucket", tree}
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	cmd := exec.Command("git", args...)
	const date = "1577836800 +0000"
	cmd.Env = append(
		os.Environ(), "GIT_AUTHOR_NAME=vexa", "GIT_AUTHOR_EMAIL=vexa@localhost", "GIT_COMMITTER_NAME=vexa", "GIT_COMMITTER_EMAIL=vexa@localhost",
		"GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date,
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s", out)
	}
	return strings.TrimSpace(string(out))
}

// rawTree writes a tree of any bytes.
func rawTree(t *testing.T, dir string, entries ...string) string {
	t.Helper()
	var data strings.Builder
	for _, e := range entries { // "mode name hex"
		head, id := e[:strings.LastIndexByte(e, ' ')], e[strings.LastIndexByte(e, ' ')+1:]
		data.WriteString(head + "\x00")
		for i := 0; i < len(id); i += 2 {
			var b byte
			if _, err := fmt.Sscanf(id[i:i+2], "%02x", &b); err != nil {
				t.Fatal(err)
			}
			data.WriteByte(b)
		}
	}
	return plainGitIn(t, dir, data.String(), "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
}

// calls are all that a store can be asked about the remote.
func calls(t *testing.T, s *gitref.Store) map[string]error {
	t.Helper()
	_, stat := s.Stat(t.Context(), "m/1")
	_, open := s.Open(t.Context(), "m/1")
	return map[string]error{
		"stat": stat, "open": open, "list": s.List(t.Context(), "", "", func(blob.Info) error { return nil }),
		"create": s.Create(t.Context(), "m/1", []byte("x")), "remove": s.Remove(t.Context(), "m/1"), "squash": s.Squash(t.Context()), "probe": s.Probe(t.Context()),
	}
}

// TestForeignCommits: what is not ours at the tip is refused and left alone.
func TestForeignCommits(t *testing.T) {
	t.Parallel()
	for name, tip := range map[string]func(dir, file string) string{
		"a person's commit": func(dir, file string) string {
			return plainGit(t, dir, "-c", "user.name=jane", "-c", "user.email=jane@localhost", "commit-tree", "-m", "bucket", rawTree(t, dir, "100644 m "+file))
		},
		"a merge": func(dir, file string) string {
			tree := rawTree(t, dir, "100644 m "+file)
			return asVexa(t, dir, tree, asVexa(t, dir, tree), asVexa(t, dir, rawTree(t, dir)))
		},
		"a tag": func(dir, file string) string {
			commit := asVexa(t, dir, rawTree(t, dir, "100644 m "+file))
			return plainGitIn(t, dir, "object "+commit+"\ntype commit\ntag x\ntagger a <a> 1 +0000\n\nx\n", "mktag")
		},
		"a file":      func(_, file string) string { return file },
		"a directory": func(dir, file string) string { return rawTree(t, dir, "100644 m "+file) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := remote(t)
			refused(t, dir, tip(dir, plainGitIn(t, dir, "x", "hash-object", "-w", "--stdin")))
		})
	}
}

// refused has a store meet a tip that it must refuse, from the beginning and
// after it was well.
func refused(t *testing.T, dir, id string) {
	t.Helper()
	was := store(t, "file://"+dir, options(t))
	if err := was.Create(t.Context(), "m/0", nil); err != nil {
		t.Fatal(err)
	}
	good := plainGit(t, dir, "rev-parse", branch)
	point(t, dir, id)
	for when, s := range map[string]*gitref.Store{"new": store(t, "file://"+dir, options(t)), "known": was} {
		for what, err := range calls(t, s) {
			if err == nil || errors.Is(err, blob.ErrNotExist) || errors.Is(err, blob.ErrExist) || errors.Is(err, blob.ErrUnavailable) || !strings.Contains(err.Error(), s.URL()) {
				t.Errorf("%s, %s: %v", when, what, err)
			}
		}
	}
	if now := plainGit(t, dir, "rev-parse", branch); now != id {
		t.Errorf("it was moved to %s", now)
	}
	point(t, dir, good)
	if err := store(t, "file://"+dir, options(t)).Create(t.Context(), "m/1", nil); err != nil {
		t.Errorf("put right: %v", err)
	}
}

// point writes a ref of any kind.
func point(t *testing.T, dir, id string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, branch), []byte(id+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestForeignTrees: no tree that no store made leads anywhere.
func TestForeignTrees(t *testing.T) {
	t.Parallel()
	for name, tree := range map[string]func(dir, file, sub string) string{
		"a link":              func(dir, file, _ string) string { return rawTree(t, dir, "120000 m "+file) },
		"a program":           func(dir, file, _ string) string { return rawTree(t, dir, "100755 m "+file) },
		"a submodule":         func(dir, file, _ string) string { return rawTree(t, dir, "160000 m "+file) },
		"..":                  func(dir, _, sub string) string { return rawTree(t, dir, "40000 .. "+sub) },
		"../..":               func(dir, file, _ string) string { return rawTree(t, dir, "100644 ../../x "+file) },
		".git":                func(dir, _, sub string) string { return rawTree(t, dir, "40000 .git "+sub) },
		"an empty name":       func(dir, file, _ string) string { return rawTree(t, dir, "100644  "+file) },
		"a dot":               func(dir, file, _ string) string { return rawTree(t, dir, "100644 .m "+file) },
		"an option":           func(dir, file, _ string) string { return rawTree(t, dir, "100644 -m "+file) },
		"a line":              func(dir, file, _ string) string { return rawTree(t, dir, "100644 m\nn "+file) },
		"a mark":              func(dir, file, _ string) string { return rawTree(t, dir, "100644 m+ "+file) },
		"twice":               func(dir, file, _ string) string { return rawTree(t, dir, "100644 m "+file, "100644 m "+file) },
		"in the wrong order":  func(dir, file, sub string) string { return rawTree(t, dir, "100644 z "+file, "40000 m "+sub) },
		"a link below":        func(dir, file, _ string) string { return rawTree(t, dir, "40000 m "+rawTree(t, dir, "120000 1 "+file)) },
		"a file that is none": func(dir, _, sub string) string { return rawTree(t, dir, "40000 m "+rawTree(t, dir, "100644 1 "+sub)) },
		"a missing part": func(dir, file, _ string) string {
			return rawTree(t, dir, "40000 m "+rawTree(t, dir, "40000 1+ "+rawTree(t, dir, "100644 00001 "+file)))
		},
		"no parts": func(dir, _, _ string) string {
			return rawTree(t, dir, "40000 m "+rawTree(t, dir, "40000 1+ "+rawTree(t, dir)))
		},
		"parts in parts": func(dir, _, sub string) string {
			return rawTree(t, dir, "40000 m "+rawTree(t, dir, "40000 1+ "+rawTree(t, dir, "40000 00000 "+sub)))
		},
		"something that is not": func(dir, _, _ string) string { return rawTree(t, dir, "100644 m "+strings.Repeat("1", 40)) },
		"cut short":             func(dir, file, _ string) string { return rawTree(t, dir, "100644 m "+file[:20]) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := remote(t)
			file := plainGitIn(t, dir, "x", "hash-object", "-w", "--stdin")
			meet(t, dir, asVexaRaw(t, dir, tree(dir, file, rawTree(t, dir, "100644 1 "+file))))
		})
	}
	t.Run("too deep", func(t *testing.T) {
		t.Parallel()
		dir := remote(t)
		tree := rawTree(t, dir, "100644 m "+plainGitIn(t, dir, "x", "hash-object", "-w", "--stdin"))
		for range 300 {
			tree = rawTree(t, dir, "40000 m "+tree)
		}
		point(t, dir, asVexaRaw(t, dir, tree))
		s := store(t, "file://"+dir, options(t))
		if err := s.List(t.Context(), "", "", func(i blob.Info) error { return fmt.Errorf("%s is listed", i.Name) }); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v", err)
		}
	})
}

// asVexaRaw is asVexa for a tree that git would look at.
func asVexaRaw(t *testing.T, dir, tree string) string {
	t.Helper()
	const who = "vexa <vexa@localhost> 1577836800 +0000"
	return plainGitIn(t, dir, "tree "+tree+"\nauthor "+who+"\ncommitter "+who+"\n\nbucket\n", "hash-object", "-t", "commit", "-w", "--literally", "--stdin")
}

// meet has a store read a tree in which m/1 is nothing that it may believe.
func meet(t *testing.T, dir, id string) {
	t.Helper()
	point(t, dir, id)
	s := store(t, "file://"+dir, options(t))
	if err := s.List(t.Context(), "", "", func(i blob.Info) error { t.Errorf("%s is listed", i.Name); return nil }); err == nil {
		t.Error("it is listed")
	}
	_, err := s.Stat(t.Context(), "m/1")
	if err == nil {
		t.Error("it is there")
	}
	if data, err := blob.ReadAll(t.Context(), s, "m/1", 100); err == nil {
		t.Errorf("it holds %q", data)
	}
	if now := plainGit(t, dir, "rev-parse", branch); now != id {
		t.Errorf("it was moved to %s", now)
	}
}

// TestGoingBack: who reads refuses a remote that lost what the cache has seen,
// until somebody says that this is right. Who writes gives it back, as far as
// nobody wrote something else there.
func TestGoingBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := remote(t)
	opt := options(t)
	opt.Fresh = -1
	s, fresh := store(t, "file://"+dir, opt), store(t, "file://"+dir, options(t))
	for i := range 3 {
		if err := s.Create(ctx, fmt.Sprintf("m/%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, back := range []string{"~1", "~2"} {
		last := plainGit(t, dir, "rev-parse", branch)
		plainGit(t, dir, "update-ref", branch, last+back)
		for what, err := range map[string]error{
			"list": s.List(ctx, "", "", func(blob.Info) error { return nil }), "remove": s.Remove(ctx, "m/0", "none"), "squash": s.Squash(ctx),
		} {
			if !fault.Is(err, fault.Conflict) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), last) {
				t.Errorf("%s after %s: %v", what, back, err)
			}
		}
		if now := plainGit(t, dir, "rev-parse", branch); now != plainGit(t, dir, "rev-parse", last+back) {
			t.Errorf("it was moved to %s", now)
		}
		if err := s.Create(ctx, "m/after"+back[1:], nil); err != nil {
			t.Error(err)
		}
		if now := plainGit(t, dir, "rev-parse", branch+"~1"); now != last {
			t.Errorf("it was not given back: %s", now)
		}
	}
	plainGit(t, dir, "update-ref", branch, branch+"~1")
	if err := fresh.Create(ctx, "m/9", nil); err != nil {
		t.Fatal(err)
	}
	other := plainGit(t, dir, "rev-parse", branch)
	if err := s.Create(ctx, "m/10", nil); err != nil { // as after a Squash
		t.Error(err)
	}
	if now := plainGit(t, dir, "rev-parse", branch+"~1"); now != other {
		t.Errorf("it was overwritten: %s", now)
	}
	plainGit(t, dir, "update-ref", "-d", branch)
	if err := s.List(ctx, "", "", func(blob.Info) error { return nil }); !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" || errors.Is(err, blob.ErrNotExist) {
		t.Errorf("gone: %v", err)
	}
	// It is remembered by who opens the cache next, and forgotten by Probe.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = store(t, "file://"+dir, opt)
	if err := s.Create(ctx, "m/9", nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("gone: %v", err)
	}
	if err := s.Probe(ctx); err != nil {
		t.Error(err)
	}
	if err := s.Create(ctx, "m/0", []byte("anew")); err != nil {
		t.Error(err)
	}
	if data, err := blob.ReadAll(ctx, store(t, "file://"+dir, options(t)), "m/0", 10); err != nil || string(data) != "anew" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestOtherBranches: an ordinary repository, and a large one, may be a bucket,
// too.
func TestOtherBranches(t *testing.T) {
	t.Parallel()
	dir := remote(t)
	person := plainGit(t, dir, "-c", "user.name=jane", "-c", "user.email=jane@localhost", "commit-tree", "-m", "hello", rawTree(t, dir))
	var refs strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&refs, "%s refs/heads/other-%d\n", person, i)
	}
	if err := os.WriteFile(filepath.Join(dir, "packed-refs"), []byte(refs.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	before := plainGit(t, dir, "for-each-ref")
	s := store(t, "file://"+dir, options(t))
	if err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := plainGit(t, dir, "for-each-ref"); after != before {
		t.Error("Probe left something")
	}
	if err := s.Create(t.Context(), "m/1", nil); err != nil {
		t.Fatal(err)
	}
	if after := plainGit(t, dir, "for-each-ref"); strings.Count(after, "\n") != strings.Count(before, "\n")+1 {
		t.Error("Create did more than its branch")
	}
}

// TestOtherHash: a repository of the other kind of ids says what it is.
func TestOtherHash(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "r.git")
	if out, err := exec.Command("git", "init", "-q", "--bare", "--object-format=sha256", dir).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	s := store(t, "file://"+dir, options(t))
	for what, err := range map[string]error{"create": s.Create(t.Context(), "x", nil), "probe": s.Probe(t.Context())} {
		if err == nil || errors.Is(err, blob.ErrNotExist) || !strings.Contains(err.Error(), "hash algorithm") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
