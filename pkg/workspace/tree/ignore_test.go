package tree_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// TestIgnoreAsGit compares what is left out with git's own answer, on random
// rules over random names.
func TestIgnoreAsGit(t *testing.T) {
	t.Parallel()
	parts := []string{"a", "b", "ab", "*", "?", "**", "[ab]", "[!a]", "[a-c]x", "a*", "*.o", "x.o", `\*`, `\a`, "[[:alpha:]]", "a b", "é"}
	names := []string{"a", "b", "ab", "bx", "x.o", "*", "c", "a b", "é", "build"}
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 7))
			dir := t.TempDir()
			files := make(map[string]string)
			for range 40 {
				var path []string
				for range 1 + rng.IntN(3) {
					path = append(path, names[rng.IntN(len(names))]+strings.Repeat("_", len(path)))
				}
				path[len(path)-1] += ".o"[:2*rng.IntN(2)]
				files[strings.Join(path, "/")+"f"] = "x"
			}
			write(t, dir, files)
			for _, where := range []string{"", "a", "b"} {
				var rules []string
				for range rng.IntN(6) {
					rule := ""
					for i := range 1 + rng.IntN(3) {
						if i > 0 {
							rule += "/"
						}
						rule += parts[rng.IntN(len(parts))]
					}
					rule = []string{"", "", "!", "/"}[rng.IntN(4)] + rule + []string{"", "", "f", "_f", "/", " ", "/**"}[rng.IntN(7)]
					rules = append(rules, rule, "# comment")
				}
				if where == "" || exists(filepath.Join(dir, where)) {
					write(t, dir, map[string]string{filepath.Join(where, ".gitignore"): strings.Join(rules, "\n")})
				}
			}
			res, _ := walk(t, dir, tree.Options{})
			if got, want := res.Index.Root.ID.String(), gitTree(t, dir); got != want {
				env := []string{"GIT_DIR=" + filepath.Join(t.TempDir(), "r"), "GIT_WORK_TREE=" + dir}
				run(t, dir, env, "git", "init", "-q")
				run(t, dir, env, "git", "add", "-A")
				var ours []string
				_ = res.Index.Files(func(p string, _ *tree.Entry) error { ours = append(ours, p); return nil })
				t.Fatalf("ours:\n%s\ngit's:\n%s\n%s", strings.Join(ours, "\n"), run(t, dir, env, "git", "-c", "core.quotePath=false", "ls-files"), run(t, dir, nil, "grep", "-r", "", "--include=.gitignore", "."))
			}
		})
	}
}

func exists(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// TestIgnoredButCommittedStays: a rule is for new paths only.
func TestIgnoredButCommittedStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"keep.o": "1", "d/keep.o": "1"})
	before, _ := walk(t, dir, tree.Options{})
	write(t, dir, map[string]string{".gitignore": "*.o\nnode_modules/\n", "keep.o": "2", "new.o": "1", "d/new.o": "1", "node_modules/x/y.js": "1"})
	res, _ := walk(t, dir, tree.Options{Prev: before.Index})
	if res.Ignored != 3 || res.Index.Lookup("keep.o").ID == before.Index.Lookup("keep.o").ID || res.Index.Lookup("new.o") != nil {
		t.Errorf("%d left out", res.Ignored)
	}
}

func FuzzGlob(f *testing.F) {
	for _, seed := range []string{"a/**/b", "[", "[]a]", "[!a-", `\`, "**", "*/**/*", "[[:alpha:]-z]", "[[:nope:]]", "[z-a]"} {
		f.Add(seed, "a/x/b")
	}
	f.Fuzz(func(_ *testing.T, pattern, path string) {
		if g, err := tree.ParseGlob(pattern); err == nil {
			g.Match(path)
		}
	})
}

func FuzzIndex(f *testing.F) {
	x := &tree.Index{Root: tree.Entry{Mode: 0o40000, Children: []tree.Entry{{Name: "a", Mode: 0o100644}}}}
	data, err := x.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = (&tree.Index{}).UnmarshalBinary(data)
	})
}

func TestIndexRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "1", "d/e/f": "2", "l": "->a", "x!": "3"})
	settle(t, dir)
	res, _ := walk(t, dir, tree.Options{})
	data, err := res.Index.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back tree.Index
	if err := back.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	next, _ := walk(t, dir, tree.Options{Prev: &back})
	if next.Read != 0 || next.Index.Root.ID != res.Index.Root.ID {
		t.Errorf("read %d files again", next.Read)
	}
	data[len(data)/2] ^= 1
	if err := back.UnmarshalBinary(data); err == nil {
		t.Error("a damaged index was read")
	}
}
