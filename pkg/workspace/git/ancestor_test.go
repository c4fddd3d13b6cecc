package git_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// commitIn makes a commit with an empty tree and returns its id.
func commitIn(t *testing.T, dir, message string, parents ...string) string {
	t.Helper()
	args := []string{"-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", inRepo(t, dir, "", "hash-object", "-w", "-t", "tree", "--stdin"), "-m", message}
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	return inRepo(t, dir, "", args...)
}

// TestIsAncestor: near and far, the answer is that of git.
func TestIsAncestor(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			inRepo(t, dir, "", "init", "-q", "--bare", "--object-format="+format, dir)
			line := []string{commitIn(t, dir, "0")}
			for i := range 30 {
				line = append(line, commitIn(t, dir, fmt.Sprint(i+1), line[i]))
			}
			other := commitIn(t, dir, "other")
			merge := commitIn(t, dir, "merge", other, line[30])
			tag := inRepo(t, dir, "object "+line[3]+"\ntype commit\ntag x\ntagger x <x@x> 1 +0000\n\nx\n", "mktag")
			missing := strings.Repeat("a", len(other))
			cut := inRepo(t, dir, "tree "+inRepo(t, dir, "", "rev-parse", other+"^{tree}")+"\nparent "+missing+"\nauthor x <x@x> 1 +0000\ncommitter x <x@x> 1 +0000\n\nx\n", "hash-object", "-w", "-t", "commit", "--literally", "--stdin")

			repo := open(t, "").Repo(dir)
			defer repo.Close()
			for _, c := range []struct {
				ancestor, descendant string
				want                 bool
			}{
				{line[5], line[5], true},
				{line[4], line[5], true},
				{line[5], line[4], false},
				{line[0], line[30], true},
				{line[30], line[0], false},
				{other, merge, true},
				{line[2], merge, true},
				{merge, line[30], false},
				{other, line[30], false},
				{line[30], other, false},
				{line[3], tag, true},
				{missing, cut, true},
			} {
				if got, err := repo.IsAncestor(ctx, c.ancestor, c.descendant); err != nil || got != c.want {
					t.Errorf("%.8s of %.8s: %v, %v", c.ancestor, c.descendant, got, err)
				}
			}
			if got, _ := repo.IsAncestor(ctx, line[9], cut); got { // git says no, or that it cannot know
				t.Error("a history that is not there has a commit")
			}
			for _, c := range [][2]string{{missing, line[9]}, {line[9], missing}, {line[0], inRepo(t, dir, "x", "hash-object", "-w", "--stdin")}} {
				got, err := repo.IsAncestor(ctx, c[0], c[1])
				if _, ok := errors.AsType[*git.Error](err); !ok && c[0] != missing || got {
					t.Errorf("%.8s of %.8s: %v, %v", c[0], c[1], got, err)
				}
			}
		})
	}
}

// TestLook: names are looked up as git means them, and what they do not mean is
// said of each by itself.
func TestLook(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			inRepo(t, dir, "", "init", "-q", "--bare", "--object-format="+format, dir)
			first := commitIn(t, dir, "first")
			second := commitIn(t, dir, "second", first)
			inRepo(t, dir, "", "update-ref", "refs/heads/main", second)
			tree := inRepo(t, dir, "", "rev-parse", second+"^{tree}")
			repo := open(t, "").Repo(dir)
			defer repo.Close()

			names := []string{"main", "refs/heads/main~1", "no such name", first + " missing", first + " commit 7", "main^{tree}", second, strings.Repeat("0", len(first)), "-x", "missing", strings.Repeat("n", 9000)}
			want := []git.Object{{ID: second, Type: "commit"}, {ID: first, Type: "commit"}, {}, {}, {}, {ID: tree, Type: "tree"}, {ID: second, Type: "commit"}, {}, {}, {}, {}}
			var got []git.Object
			err := repo.Look(ctx, names, func(o git.Object) error {
				o.Size = 0
				got = append(got, o)
				return nil
			})
			if err != nil || len(got) != len(want) {
				t.Fatalf("%v, %v", got, err)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%.50q is %v", names[i], got[i])
				}
			}
			for _, bad := range []string{"", "main\nmain", "x\x00", strings.Repeat("n", 1<<20)} {
				if err := repo.Look(ctx, []string{"main", bad}, func(git.Object) error { return nil }); !fault.Is(err, fault.Invalid) {
					t.Errorf("%.20q: %v", bad, err)
				}
			}
		})
	}
}
