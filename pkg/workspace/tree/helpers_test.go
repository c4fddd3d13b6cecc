package tree_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

var ctx = context.Background()

// memory is a Writer that keeps objects by id.
type memory map[object.ID][]byte

func (m memory) Add(kind object.Kind, data []byte) (object.ID, error) {
	id, err := object.Name(kind, data)
	m[id] = slices.Clone(data)
	return id, err
}

func write(tb testing.TB, dir string, files map[string]string) {
	tb.Helper()
	for name, text := range files {
		path := filepath.Join(dir, strings.TrimSuffix(name, "!"))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if target, ok := strings.CutPrefix(text, "->"); ok {
			if err := os.Symlink(target, path); err != nil {
				tb.Fatal(err)
			}
			continue
		}
		perm := os.FileMode(0o644)
		if strings.HasSuffix(name, "!") {
			perm = 0o755
		}
		if err := os.WriteFile(path, []byte(text), perm); err != nil {
			tb.Fatal(err)
		}
	}
}

func run(tb testing.TB, dir string, env []string, args ...string) string {
	tb.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("%v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// gitTree is the tree that an ordinary "git add -A" makes of dir.
func gitTree(tb testing.TB, dir string) string {
	tb.Helper()
	env := []string{"GIT_DIR=" + filepath.Join(tb.TempDir(), "repo"), "GIT_WORK_TREE=" + dir}
	run(tb, dir, env, "git", "init", "-q")
	run(tb, dir, env, "git", "add", "-A")
	return run(tb, dir, env, "git", "write-tree")
}

func walk(tb testing.TB, dir string, opt tree.Options) (tree.Result, memory) {
	tb.Helper()
	out := memory{}
	res, err := tree.Walk(ctx, dir, opt, out)
	if err != nil {
		tb.Fatal(err)
	}
	return res, out
}

func reasons(list []tree.Rejected) map[string]string {
	m := make(map[string]string)
	for _, r := range list {
		m[r.Path] = r.Reason
	}
	return m
}

// benign makes a random tree of ordinary files.
func benign(tb testing.TB, dir string, rng *rand.Rand) {
	tb.Helper()
	names := []string{"a", "a.b", "a-b", "a0", "ab", "A_", "z", ".hidden", "é", "日本", "with space", "-rf", "x'y", "tab\tname", "new\nline", "back\\slash", "$(x)", "*"}
	var fill func(dir string, depth int)
	fill = func(dir string, depth int) {
		for _, n := range names {
			path := filepath.Join(dir, n)
			var err error
			switch k := rng.IntN(10); {
			case k < 3 && depth < 2:
				if err = os.Mkdir(path, 0o755); err == nil && rng.IntN(5) > 0 {
					fill(path, depth+1)
				}
			case k < 6:
				err = os.WriteFile(path, []byte(strings.Repeat(n, rng.IntN(50))), 0o644)
			case k == 6:
				err = os.WriteFile(path, []byte("#!"), 0o755)
			case k == 7:
				err = os.Symlink([]string{"a", "./z", "a/b"}[rng.IntN(3)], path)
			case k == 8 && depth > 0:
				err = os.Symlink("../a", path)
			}
			if err != nil {
				tb.Fatal(err)
			}
		}
	}
	fill(dir, 0)
}

func names(m map[string]string) string {
	var out []string
	for k, v := range m {
		out = append(out, fmt.Sprintf("%s (%s)", k, v))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func (m memory) AddStream(kind object.Kind, size int64, r io.Reader) (object.ID, error) {
	data, err := io.ReadAll(io.LimitReader(r, size+1))
	if err != nil {
		return object.ID{}, err
	}
	if int64(len(data)) != size {
		return object.ID{}, object.ErrMoved
	}
	return m.Add(kind, data)
}
