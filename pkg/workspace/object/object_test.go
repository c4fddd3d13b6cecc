package object_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

func gitIn(t *testing.T, dir, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"--git-dir=" + dir}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", args, out)
	}
	return strings.TrimSpace(string(out))
}

func repository(t *testing.T) (dir, packs string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "r.git")
	gitIn(t, dir, "", "init", "-q", "--bare", "-b", "main")
	return dir, filepath.Join(dir, "objects/pack")
}

// TestPackIsGits writes every kind of object and lets git read and check them.
func TestPackIsGits(t *testing.T) {
	t.Parallel()
	dir, packs := repository(t)
	p := object.NewPack(packs, nil)
	var entries []object.TreeEntry
	for i := range 300 {
		text := strings.Repeat(fmt.Sprintf("line %d\n", i), i*7)
		id, err := p.Add(object.KindBlob, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if i == 17 && id.String() != gitIn(t, dir, text, "hash-object", "--stdin") {
			t.Fatalf("git does not call it %s", id)
		}
		entries = append(entries, object.TreeEntry{Name: fmt.Sprintf("f%d", i), Mode: object.ModeFile, ID: id})
	}
	large := strings.Repeat("0123456789", 1<<19)
	id, err := p.AddStream(object.KindBlob, int64(len(large)), strings.NewReader(large))
	if err != nil {
		t.Fatal(err)
	}
	entries = append(entries, object.TreeEntry{Name: "f", Mode: object.ModeExec, ID: id}, object.TreeEntry{Name: "l", Mode: object.ModeLink, ID: id})
	for size, text := range map[int64]string{10: "short", 3: "long enough"} {
		if _, err := p.AddStream(object.KindBlob, size, strings.NewReader(text)); !errors.Is(err, object.ErrMoved) {
			t.Errorf("%d bytes announced, %d there: %v", size, len(text), err)
		}
	}
	sub, err := p.Add(object.KindTree, object.EncodeTree(entries[:3]))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"f1x", "f1", "f1.x", "f1-x", "f1/"} { // sorted as "f1/" for a directory
		e := object.TreeEntry{Name: "s" + strings.TrimSuffix(name, "/"), Mode: object.ModeFile, ID: id}
		if name == "f1/" {
			continue
		}
		if name == "f1" {
			e.Mode, e.ID = object.ModeDir, sub
		}
		entries = append(entries, e)
	}
	root, err := p.Add(object.KindTree, object.EncodeTree(entries))
	if err != nil {
		t.Fatal(err)
	}
	when := object.Signature{Name: "A <evil>\n", Email: "a\x00@b", Time: time.Unix(1_700_000_000, 0)}
	commit, err := p.Add(object.KindCommit, object.Commit{Tree: root, Author: when, Committer: object.Signature{Time: time.Unix(-5, 0)}, Message: "x\x00y\xff"}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	name, err := p.Finish()
	if err != nil || !strings.HasPrefix(name, "pack-") {
		t.Fatalf("%q, %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "refs/heads/main"), []byte(commit.String()+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := gitIn(t, dir, "", "fsck", "--full", "--strict"); out != "" {
		t.Errorf("fsck: %s", out)
	}
	gitIn(t, dir, "", "verify-pack", filepath.Join(packs, name+".idx"))
	if got := gitIn(t, dir, "", "cat-file", "blob", commit.String()+":f"); got != large {
		t.Errorf("read %d bytes", len(got))
	}
	if left, _ := filepath.Glob(filepath.Join(packs, "tmp_*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPackSkipsTheKnown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	known, err := object.Name(object.KindBlob, []byte("known"))
	if err != nil {
		t.Fatal(err)
	}
	p := object.NewPack(dir, func(id object.ID) bool { return id == known })
	for _, text := range []string{"known", "new", "new", "known"} {
		if _, err := p.Add(object.KindBlob, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.AddStream(object.KindBlob, int64(len(text)), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	if p.Len() != 1 {
		t.Errorf("%d objects", p.Len())
	}
	p.Abort()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	empty := object.NewPack(dir, nil)
	if name, err := empty.Finish(); err != nil || name != "" {
		t.Errorf("%q, %v", name, err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	id, err := object.Name(object.KindBlob, nil)
	if err != nil || id.String() != "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" {
		t.Errorf("%s, %v", id, err)
	}
	back, err := object.ParseID(id.String())
	if err != nil || back != id || back.IsZero() {
		t.Errorf("%s, %v", back, err)
	}
	for _, bad := range []string{"", "abc", strings.Repeat("g", 40), strings.Repeat("a", 41)} {
		if _, err := object.ParseID(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestLoose(t *testing.T) {
	t.Parallel()
	dir, _ := repository(t)
	objects := filepath.Join(dir, "objects")
	data := bytes.Repeat([]byte("text\x00"), 1000)
	id, err := object.WriteLoose(objects, object.KindBlob, data)
	if err != nil {
		t.Fatal(err)
	}
	if got := gitIn(t, dir, "", "cat-file", "-t", id.String()); got != "blob" {
		t.Errorf("git reads a %s", got)
	}
	want := gitIn(t, dir, "x", "hash-object", "-w", "--stdin")
	kind, got, err := object.ReadLoose(filepath.Join(objects, want[:2], want[2:]))
	if err != nil || kind != object.KindBlob || string(got) != "x" {
		t.Errorf("%s %q, %v", kind, got, err)
	}
	for _, bad := range []string{"", "nonsense"} {
		path := filepath.Join(t.TempDir(), "o")
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := object.ReadLoose(path); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
