package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pathCalls are the calls that follow links, or look at whatever a path names.
func pathCalls() map[string][]string {
	return map[string][]string{
		"os": {
			"Chdir", "Chmod", "Chown", "Chtimes", "CopyFS", "Create", "CreateTemp", "DirFS", "Lchown", "Link", "Lstat", "Mkdir", "MkdirAll", "Open",
			"OpenFile", "OpenInRoot", "OpenRoot", "ReadDir", "ReadFile", "Readlink", "Remove", "RemoveAll", "Rename", "Stat", "Symlink", "Truncate", "WriteFile",
		},
		"filepath": {"EvalSymlinks", "Glob", "Walk", "WalkDir"},
		"unix":     {"Chmod", "Creat", "Link", "Lstat", "Mkdir", "Open", "Openat", "Openat2", "Readlink", "Rename", "Rmdir", "Stat", "Symlink", "Truncate", "Unlink"},
		"syscall":  {"Chmod", "Creat", "Link", "Lstat", "Mkdir", "Open", "Openat", "Readlink", "Rename", "Rmdir", "Stat", "Symlink", "Truncate", "Unlink"},
	}
}

// hostFile says which of these calls one file makes, and on what.
type hostFile struct{ calls, on string }

// hostFiles are the files of the packages that handle a unit's directory and use
// paths at all. Below ws/ and session/ an agent writes: there a path may lead
// anywhere, at any time. Nothing on the host opens one there but the tree walker,
// the disk meter and removetree, each name by the descriptor of its directory and
// without following it.
func hostFiles() map[string]hostFile {
	const (
		beneath     = "an agent's tree: from a descriptor of its root, following nothing"
		before      = "a directory that the host makes before any container starts; and notes that are never mounted"
		bucket      = "a person's bucket: from a descriptor of its root, following nothing"
		aws         = "a person's settings for S3, in their home"
		bucketState = "what the host knows of a bucket; and a person's own clone or a repository of the host's, which are never mounted"
		ours        = "the host's repository and what is beside it, which is never mounted"
	)
	return map[string]hostFile{
		"pkg/broker/listen.go":                  {"os.Open os.OpenRoot", "run/, which is mounted read-only"},
		"pkg/dispatch/prepare.go":               {"os.MkdirAll", before},
		"pkg/dispatch/recover.go":               {"os.Stat", "the unit's directory itself, which is not mounted"},
		"pkg/internal/removetree/removetree.go": {"os.Remove unix.Chmod unix.Openat", beneath},
		"pkg/runtime/disk.go":                   {"unix.Open unix.Openat", beneath},
		"pkg/runtime/held.go":                   {"os.Open os.ReadFile unix.Stat", "/proc: what the container's processes hold open is looked at, and never opened"},
		"pkg/runtime/image/cache.go":            {"os.Stat", "the busybox program of the host"},
		"pkg/runtime/image/image.go":            {"os.Open", "this binary"},
		"pkg/runtime/mounts.go":                 {"filepath.EvalSymlinks os.Lstat os.Stat", before},
		"pkg/workspace/blob/dir/order.go":       {"os.ReadFile os.Readlink", "/sys: what the kernel says of a file system"},
		"pkg/workspace/blob/dir/root.go":        {"os.Mkdir unix.Open unix.Openat2 unix.Stat", bucket},
		"pkg/workspace/blob/gitref/cache.go":    {"os.Lstat os.MkdirAll os.ReadDir os.ReadFile os.Remove os.Rename os.WriteFile", "the private copy of a bucket, which holds ciphertext"},
		"pkg/workspace/blob/gitref/stage.go":    {"os.CreateTemp os.Open os.Remove", "the same"},
		"pkg/workspace/blob/gitref/tidy.go":     {"os.ReadDir", "the same"},
		"pkg/workspace/blob/s3/ini.go":          {"os.ReadFile", aws},
		"pkg/workspace/blob/s3/settings.go":     {"os.ReadFile", aws},
		"pkg/workspace/blob/s3/stage.go":        {"os.CreateTemp os.Remove", "the host's spool of what is to be sent: encrypted, without a name, and never mounted"},
		"pkg/workspace/bucket/accept.go":        {"os.RemoveAll", bucketState},
		"pkg/workspace/bucket/bucket.go":        {"os.MkdirAll", bucketState},
		"pkg/workspace/bucket/damagedopen.go":   {"os.ReadDir os.Stat", bucketState},
		"pkg/workspace/bucket/fetch.go":         {"os.Open os.OpenFile os.ReadDir os.ReadFile os.Remove os.Rename os.Stat os.WriteFile", bucketState},
		"pkg/workspace/bucket/local.go":         {"os.MkdirAll os.ReadDir os.ReadFile os.Remove os.Stat", bucketState},
		"pkg/workspace/bucket/maintain.go":      {"os.ReadFile", bucketState},
		"pkg/workspace/bucket/pack.go":          {"os.Open", bucketState},
		"pkg/workspace/bucket/packlist.go":      {"os.Open", bucketState},
		"pkg/workspace/bucket/place.go":         {"os.ReadFile os.Remove", bucketState},
		"pkg/workspace/bucket/repair_refs.go":   {"os.Open", bucketState},
		"pkg/workspace/bucket/repo.go":          {"os.ReadFile os.Stat", bucketState},
		"pkg/workspace/bucket/restore.go":       {"os.MkdirAll", bucketState},
		"pkg/workspace/bucket/rewrite.go":       {"os.Open os.Remove", bucketState},
		"pkg/workspace/bucket/scratchrepo.go":   {"os.MkdirAll os.Open os.Remove os.WriteFile", bucketState},
		"pkg/workspace/bucket/survey.go":        {"os.ReadFile os.Remove", bucketState},
		"pkg/workspace/bucket/verified.go":      {"os.OpenFile os.ReadFile os.Stat", bucketState},
		"pkg/workspace/bucket/workbench.go":     {"os.Create os.Remove os.Stat os.WriteFile", bucketState},
		"pkg/workspace/checkout.go":             {"os.Chmod os.MkdirAll os.ReadDir os.ReadFile os.Remove", before},
		"pkg/workspace/close.go":                {"os.ReadDir os.Stat", ours},
		"pkg/workspace/create.go":               {"os.Mkdir os.MkdirAll os.ReadDir os.RemoveAll os.Rename os.Stat", ours},
		"pkg/workspace/git/note.go":             {"os.ReadFile unix.Stat", "the binary of git, and a note of Vexa's own"},
		"pkg/workspace/git/git.go":              {"os.Stat", "the git program"},
		"pkg/workspace/git/mergefile.go":        {"os.RemoveAll os.WriteFile", "the sides of a page that is merged, in a directory of Vexa's own or beside git's files of it"},
		"pkg/workspace/gitdir.go":               {"os.Chmod os.Mkdir os.WriteFile", before},
		"pkg/workspace/gitremote/seen.go":       {"os.MkdirAll os.ReadFile os.Remove", "a note in the git directory of the person's own clone"},
		"pkg/workspace/history.go":              {"os.Chmod os.Link os.Mkdir os.MkdirAll os.Open os.OpenFile os.ReadDir os.ReadFile os.Remove os.Stat", "the pack cache; and history/, which is mounted read-only"},
		"pkg/workspace/bucket/repodeliver.go":   {"os.Open", bucketState},
		"pkg/workspace/inbox/follow.go":         {"os.ReadFile os.Remove", bucketState},
		"pkg/workspace/inbox/delivered.go":      {"os.ReadFile", bucketState},
		"pkg/workspace/inbox/inbox.go":          {"os.Remove os.Stat", bucketState},
		"pkg/workspace/inbox/notice.go":         {"os.ReadFile", bucketState},
		"pkg/workspace/integrity.go":            {"os.Mkdir os.MkdirAll os.Remove os.Stat", ours},
		"pkg/workspace/maintain.go":             {"os.OpenFile os.ReadDir os.Remove os.Stat os.WriteFile", ours},
		"pkg/workspace/materialise.go":          {"unix.Open unix.Openat", before},
		"pkg/workspace/merge.go":                {"os.Mkdir os.RemoveAll", ours},
		"pkg/workspace/migrate.go":              {"os.Remove", ours},
		"pkg/workspace/object/loose.go":         {"os.Lstat os.MkdirAll os.Open os.WriteFile", ours},
		"pkg/workspace/object/pack.go":          {"os.CreateTemp os.Open os.Remove os.Rename", ours},
		"pkg/workspace/open.go":                 {"os.ReadFile os.RemoveAll os.Stat os.WriteFile", ours},
		"pkg/workspace/private.go":              {"os.CreateTemp os.Remove", ours},
		"pkg/workspace/record.go":               {"os.ReadDir os.ReadFile os.Stat", ours},
		"pkg/workspace/refs.go":                 {"filepath.WalkDir os.MkdirAll os.OpenFile os.ReadFile os.Remove os.Rename", ours},
		"pkg/workspace/repo.go":                 {"os.Lstat os.MkdirAll os.ReadFile", ours},
		"pkg/workspace/session/capsule.go":      {"os.MkdirAll os.OpenRoot os.ReadDir os.RemoveAll", before},
		"pkg/workspace/sweep.go":                {"os.Stat", ours},
		"pkg/workspace/status.go":               {"os.ReadFile", ours},
		"pkg/workspace/tree/open.go":            {"unix.Chmod unix.Open unix.Openat unix.Openat2", beneath},
	}
}

// TestHostReads: in the packages that handle what an agent wrote, every use of a
// path is known, with what it is used on.
func TestHostReads(t *testing.T) {
	t.Parallel()
	scope := []string{"pkg/broker", "pkg/daemon", "pkg/dispatch", "pkg/internal/removetree", "pkg/runtime", "pkg/workspace"}
	known := hostFiles()
	for _, file := range files(t, ".go") {
		dir := filepath.Dir(file)
		if !underAny(dir, scope) || strings.HasSuffix(file, "_test.go") || strings.HasSuffix(dir, "test") || under(dir, "pkg/runtime/podman") {
			continue
		}
		calls := strings.Join(callsOf(t, file), " ")
		want, listed := known[file]
		switch {
		case calls == want.calls && (!listed || want.on != ""):
		case calls == "":
			t.Errorf("%s uses no path any more: drop it from the list", file)
		default:
			t.Errorf("%s calls %s; known is %q. Below a unit's ws/ and session/ use pkg/workspace/tree or pkg/internal/removetree; elsewhere list it, with what it is used on", file, calls, want.calls)
		}
		delete(known, file)
	}
	for file := range known {
		t.Errorf("%s is listed and does not exist", file)
	}
}

// callsOf are the calls of a file that take a path, sorted, each once.
func callsOf(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	watched := pathCalls()
	var found []string
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := sel.X.(*ast.Ident); ok && slices.Contains(watched[pkg.Name], sel.Sel.Name) {
			found = append(found, pkg.Name+"."+sel.Sel.Name)
		}
		return true
	})
	slices.Sort(found)
	return slices.Compact(found)
}
