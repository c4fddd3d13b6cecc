package tool_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/agent/tool"
	"github.com/vexa-ai/vexa/pkg/internal/againtest"
)

// world is a workspace, a second one, and something outside of both.
type world struct {
	t       *testing.T
	workdir string
	others  string
	outside string
	box     *tool.Box
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, workdir: filepath.Join(dir, "workspace"), others: filepath.Join(dir, "workspaces"), outside: filepath.Join(dir, "outside")}
	for _, d := range []string{w.workdir, filepath.Join(w.others, "w2"), w.outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.put(filepath.Join(w.outside, "secret"), "outside")
	w.box = tool.New(tool.Options{Workdir: w.workdir, Others: w.others, Shell: "/bin/sh", Env: []string{"PATH=/usr/bin:/bin"}})
	return w
}

func (w *world) put(path, content string) {
	w.t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(w.workdir, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(path string) string {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.workdir, path))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

func (w *world) call(name string, arguments map[string]any) model.Result {
	w.t.Helper()
	data, err := json.Marshal(arguments)
	if err != nil {
		w.t.Fatal(err)
	}
	r := w.box.Run(w.t.Context(), model.Call{ID: "c", Name: name, Arguments: data})
	if r.ID != "c" || r.Name != name {
		w.t.Errorf("result %+v answers another call", r)
	}
	return r
}

func (w *world) ok(name string, arguments map[string]any) string {
	w.t.Helper()
	r := w.call(name, arguments)
	if !r.OK {
		w.t.Fatalf("%s %v: %s", name, arguments, r.Output)
	}
	return r.Output
}

func (w *world) fails(want, name string, arguments map[string]any) {
	w.t.Helper()
	r := w.call(name, arguments)
	if r.OK || !strings.Contains(r.Output, want) {
		w.t.Errorf("%s %v: ok %v, %q; want an error with %q", name, arguments, r.OK, r.Output, want)
	}
}

type args = map[string]any

func TestReadWriteEdit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok("write", args{"path": "notes/deep/a.md", "content": "one\ntwo\nthree"})
	if got := w.ok("read", args{"path": "notes/deep/a.md"}); got != "one\ntwo\nthree" {
		t.Errorf("read %q", got)
	}
	if got := w.ok("read", args{"path": filepath.Join(w.workdir, "notes/deep/a.md"), "offset": 2, "limit": 1}); !strings.HasPrefix(got, "two\n[") || !strings.Contains(got, "offset 3") {
		t.Errorf("a part reads %q", got)
	}
	w.fails("3 lines only", "read", args{"path": "notes/deep/a.md", "offset": 9})
	w.ok("edit", args{"path": "notes/deep/a.md", "old": "two", "new": "2 $1"})
	if got := w.get("notes/deep/a.md"); got != "one\n2 $1\nthree" {
		t.Errorf("after edit %q", got)
	}
	w.fails("not in", "edit", args{"path": "notes/deep/a.md", "old": "two", "new": "x"})
	w.fails("3 times", "edit", args{"path": "notes/deep/a.md", "old": "e", "new": "x", "all": false, "x": 1})
	w.ok("edit", args{"path": "notes/deep/a.md", "old": "e", "new": "E", "all": true})
	if got := w.get("notes/deep/a.md"); got != "onE\n2 $1\nthrEE" {
		t.Errorf("after edit of all %q", got)
	}
	w.fails("empty", "edit", args{"path": "notes/deep/a.md", "old": "", "new": "x"})
	w.fails("does not exist", "read", args{"path": "none"})
	w.fails("use list", "read", args{"path": "notes"})
	w.fails("directory", "write", args{"path": "notes", "content": ""})
	w.ok("write", args{"path": filepath.Join(w.others, "w2", "b"), "content": "b"})
	if data, err := os.ReadFile(filepath.Join(w.others, "w2", "b")); err != nil || string(data) != "b" {
		t.Errorf("the second workspace: %q, %v", data, err)
	}
}

func TestWriteKeepsModesAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("run.sh", "old")
	if err := os.Chmod(filepath.Join(w.workdir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.put("target", "old")
	if err := os.Symlink("target", filepath.Join(w.workdir, "link")); err != nil {
		t.Fatal(err)
	}
	w.ok("write", args{"path": "run.sh", "content": "new"})
	w.ok("write", args{"path": "link", "content": "new"})
	if info, err := os.Stat(filepath.Join(w.workdir, "run.sh")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if w.get("target") != "new" {
		t.Error("a link was not written through")
	}
	entries, err := os.ReadDir(w.workdir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

func TestNothingLeavesTheWorkspace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for link, target := range map[string]string{"up": "../outside", "abs": w.outside, "file": "../outside/secret"} {
		if err := os.Symlink(target, filepath.Join(w.workdir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{
		"../outside/secret", w.outside + "/secret", "/etc/passwd", "up/secret", "abs/secret", "file", "a/../../outside/secret",
		w.workdir + "/../outside/secret", w.others, w.others + "/w2/../../outside/secret", w.workdir + "x",
	} {
		for name, a := range map[string]args{
			"read": {"path": path}, "write": {"path": path, "content": "x"}, "edit": {"path": path, "old": "outside", "new": "x"},
			"search": {"path": path, "pattern": "outside"},
		} {
			if r := w.call(name, a); r.OK && !strings.Contains(r.Output, "nothing found") {
				t.Errorf("%s %s: %s", name, path, r.Output)
			}
		}
	}
	if data, err := os.ReadFile(filepath.Join(w.outside, "secret")); err != nil || string(data) != "outside" {
		t.Errorf("what is outside was changed: %q, %v", data, err)
	}
	if got := w.ok("search", args{"pattern": "outside"}); got != "nothing found" {
		t.Errorf("search followed a link: %s", got)
	}
}

// TestReadOnlyWorkspace mounts one, for which it runs again in namespaces of
// its own, where any user may mount.
func TestReadOnlyWorkspace(t *testing.T) {
	t.Parallel()
	if !againtest.Mounting(t) {
		return
	}
	w := newWorld(t)
	dir := filepath.Join(w.others, "w2")
	w.put(filepath.Join(dir, "a"), "text")
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"a", "new", "deep/new"} {
		w.fails("read-only in this run", "write", args{"path": filepath.Join(dir, path), "content": "x"})
	}
	w.fails("read-only in this run", "edit", args{"path": filepath.Join(dir, "a"), "old": "text", "new": "x"})
	if got := w.ok("read", args{"path": filepath.Join(dir, "a")}); got != "text" {
		t.Errorf("read %q", got)
	}
}

func TestOnlyText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("bin", "a\x00b")
	w.put("latin", "caf\xe9")
	w.put("long", strings.Repeat("é", 200_000)+"\nlast\n")
	w.fails("not text", "read", args{"path": "bin"})
	w.fails("not text", "read", args{"path": "latin"})
	if err := syscall.Mkfifo(filepath.Join(w.workdir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.fails("no regular file", "read", args{"path": "pipe"}) // and does not wait for ever
	w.fails("no regular file", "write", args{"path": "pipe", "content": "x"})
	got := w.ok("read", args{"path": "long"})
	if len(got) > 64<<10 || !strings.Contains(got, "more bytes in this line]\nlast\n") {
		t.Errorf("%d bytes that end with %q", len(got), got[len(got)-60:])
	}
	w.put("many", strings.Repeat("line\n", 5000))
	if got := w.ok("read", args{"path": "many"}); !strings.HasSuffix(got, "[the file goes on: read again with offset 2001]") {
		t.Errorf("it ends with %q", got[len(got)-60:])
	}
	if got := w.ok("read", args{"path": "many", "offset": 4999}); got != "line\nline\n" {
		t.Errorf("the end reads %q", got)
	}
	w.put("empty", "")
	if got := w.ok("read", args{"path": "empty"}); got != "" {
		t.Errorf("nothing reads %q", got)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.ok("list", args{}); got != "(empty)" {
		t.Errorf("%q", got)
	}
	w.put("b.md", "12345")
	w.put("a/one.md", "1")
	w.put("a/deep/two.md", "1")
	w.put(".git/config", "x")
	if err := os.Symlink("b.md", filepath.Join(w.workdir, "l")); err != nil {
		t.Fatal(err)
	}
	if got := w.ok("list", args{"path": ""}); got != "a/\nb.md  5\nl  (link)\n" {
		t.Errorf("%q", got)
	}
	if got := w.ok("list", args{"path": ".", "depth": 2}); got != "a/\na/deep/\na/one.md  1\nb.md  5\nl  (link)\n" {
		t.Errorf("%q", got)
	}
	if got := w.ok("list", args{"path": "a", "depth": 9}); got != "deep/\ndeep/two.md  1\none.md  1\n" {
		t.Errorf("%q", got)
	}
	w.fails("use read", "list", args{"path": "b.md"})
	for i := range 1200 {
		w.put(fmt.Sprintf("many/%04d", i), "")
	}
	if got := w.ok("list", args{"path": "many"}); strings.Count(got, "\n") != 1001 || !strings.Contains(got, "there is more") {
		t.Errorf("%d lines", strings.Count(got, "\n"))
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("a.md", "Hello there\nsecond (x)\n")
	w.put("d/b.txt", "say hello\n")
	w.put(".git/c.md", "Hello\n")
	w.put("bin", "Hello\x00")
	for want, a := range map[string]args{
		"a.md:1: Hello there\n":                       {"pattern": "Hello"},
		"a.md:2: second (x)\n":                        {"pattern": "(x)"},
		"a.md:1: Hello there\nd/b.txt:1: say hello\n": {"pattern": "hello", "ignoreCase": true},
		"d/b.txt:1: say hello\n":                      {"pattern": "^say [a-z]+$", "regexp": true},
		"b.txt:1: say hello\n":                        {"pattern": "hello", "path": "d"},
		"a.md:2: second (x)\n ":                       {"pattern": "second", "path": "a.md"},
		"a.md:1: Hello there\n ":                      {"pattern": "hello", "ignoreCase": true, "name": "*.md"},
		"nothing found":                               {"pattern": "absent"},
	} {
		if got := w.ok("search", a); got != strings.TrimSuffix(want, " ") {
			t.Errorf("%v gives %q, want %q", a, got, want)
		}
	}
	w.fails("regular expression", "search", args{"pattern": "(", "regexp": true})
	w.fails("empty", "search", args{"pattern": ""})
	w.fails("glob", "search", args{"pattern": "x", "name": "["})
	w.put("many", strings.Repeat("needle "+strings.Repeat("x", 500)+"\n", 500))
	got := w.ok("search", args{"pattern": "needle"})
	if len(got) > 70<<10 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestShell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.ok("shell", args{"command": "pwd; echo err >&2; env | sort | grep -v -e PWD -e SHLVL -e ^_="}); got != w.workdir+"\nerr\nPATH=/usr/bin:/bin\n" {
		t.Errorf("%q", got)
	}
	w.fails("before\nerror: exit code 3", "shell", args{"command": "echo before; exit 3"})
	w.fails("signal: killed", "shell", args{"command": "kill -9 $$"})
	began := time.Now()
	w.fails("killed after 1s", "shell", args{"command": "echo x; sleep 60 & sleep 60", "timeoutSec": 1})
	w.ok("shell", args{"command": "sleep 60 &"}) // does not wait for what stays behind
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	got := w.ok("shell", args{"command": "echo first; head -c 1000000 /dev/zero | tr '\\0' x; echo; echo last"})
	if len(got) > 64<<10 || !strings.HasPrefix(got, "first\n") || !strings.HasSuffix(got, "last\n") || !strings.Contains(got, "left out") {
		t.Errorf("%d bytes: %.20q … %q", len(got), got, got[len(got)-20:])
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	r := w.box.Run(ctx, model.Call{Name: "shell", Arguments: json.RawMessage(`{"command":"sleep 60"}`)})
	if r.OK || !strings.Contains(r.Output, "interrupted") {
		t.Errorf("%+v", r)
	}
}

func TestCallsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fails(`no tool "fly"`, "fly", args{})
	w.fails("schema", "read", args{"path": 7})
	r := w.box.Run(t.Context(), model.NewCall("c", "read", `{"path":"a`))
	if r.OK || !strings.Contains(r.Output, "not a complete JSON object") {
		t.Errorf("%+v", r)
	}
}

func TestTools(t *testing.T) {
	t.Parallel()
	names := func(shell string) (out []string) {
		for _, tl := range tool.New(tool.Options{Shell: shell}).Tools() {
			if !json.Valid(tl.Schema) || tl.Description == "" {
				t.Errorf("%s: schema %s", tl.Name, tl.Schema)
			}
			out = append(out, tl.Name)
		}
		return out
	}
	if got := strings.Join(names(""), " "); got != "read write edit list search" {
		t.Errorf("without a shell there is %s", got)
	}
	if got := names("/bin/sh"); got[len(got)-1] != "shell" {
		t.Errorf("with a shell there is %v", got)
	}
}
