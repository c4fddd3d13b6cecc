package workspace_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace"
)

// zoo fills dir with every way known to make a host's git, or a careless reader,
// run something or read something else. Whatever runs makes the marker file.
func zoo(tb testing.TB, dir, marker string) {
	tb.Helper()
	evil := filepath.Join(filepath.Dir(marker), "evil.sh")
	if err := os.WriteFile(evil, fmt.Appendf(nil, "#!/bin/sh\ntouch %s\ncat 2>/dev/null\n", marker), 0o755); err != nil {
		tb.Fatal(err)
	}
	hostile := fmt.Sprintf(`
	fsmonitor = %[1]s
	hooksPath = %[2]s
	sshCommand = %[1]s
	pager = %[1]s
	editor = %[1]s
	alternateRefsCommand = %[1]s
[filter "x"]
	clean = %[1]s
	smudge = %[1]s
	process = %[1]s
	required = true
[diff]
	external = %[1]s
[diff "x"]
	command = %[1]s
	textconv = %[1]s
[merge "x"]
	driver = %[1]s
[gpg]
	program = %[1]s
[commit]
	gpgSign = true
[include]
	path = %[3]s
`, evil, filepath.Join(dir, "hooks"), filepath.Join(dir, "included.cfg"))
	write(tb, dir, map[string]string{
		"ok.md":             "an honest change\n",
		"hooks/pre-commit!": "#!/bin/sh\ntouch " + marker + "\n",
		"included.cfg":      "[core]\n\tfsmonitor = " + evil + "\n",
		".gitattributes":    "* filter=x diff=x merge=x\n*.md text eol=crlf ident\n*.u16 working-tree-encoding=UTF-16\n",
		"utf.u16":           "\xff\xfex\x00",
		"out":               "->/etc/passwd",
		"up":                "->../../../../etc",
		"sub2/.git":         "gitdir: " + filepath.Join(dir, "sub/.git") + "\n",
		"twin":              "1",
		"TWIN":              "2",
		"caf\u00e9":         "1",
		"cafe\u0301":        "2",
		"line\nfeed":        "x",
		"-rf":               "x",
		"--upload-pack=x":   "x",
		".gitmodules":       "[submodule \"sub\"]\n\tpath = sub\n\turl = ext::" + evil + "\n\tignore = none\n",

		strings.Repeat("long", 63) + "abc": "255 bytes",
	})
	plainGit(tb, dir, "init", "-q", "sub")
	sub := filepath.Join(dir, "sub")
	write(tb, sub, map[string]string{"f.md": "same size 1\n", ".gitattributes": "* filter=x diff=x\n"})
	plainGit(tb, sub, "add", "-A")
	plainGit(tb, sub, "commit", "-q", "-m", "x")
	write(tb, sub, map[string]string{"f.md": "same size 2\n"})
	top := filepath.Join(dir, ".git")
	if _, err := os.Stat(top); err != nil {
		plainGit(tb, dir, "init", "-q")
	}
	for _, g := range []string{top, filepath.Join(sub, ".git")} {
		f, err := os.OpenFile(filepath.Join(g, "config"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			tb.Fatal(err)
		}
		_, err = f.WriteString("[core]" + hostile)
		write(tb, g, map[string]string{"hooks/pre-commit!": "#!/bin/sh\ntouch " + marker, "hooks/post-index-change!": "#!/bin/sh\ntouch " + marker})
		if err := errors.Join(err, f.Close()); err != nil {
			tb.Fatal(err)
		}
	}
	huge, err := os.Create(filepath.Join(dir, "huge"))
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(huge.Truncate(1<<41), huge.Close(),
		unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644),
		unix.Mknod(filepath.Join(dir, "socket"), unix.S_IFSOCK|0o644, 0)); err != nil {
		tb.Fatal(err)
	}
}

func tripped(marker string) bool {
	_, err := os.Stat(marker)
	return err == nil
}

// TestHostileZoo takes the zoo through everything the store does.
func TestHostileZoo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	info := w.create(t, "notes", map[string]string{"ok.md": "before\n", "other.md": "x\n"})
	c := w.checkout(t, "01ZOO")
	other := w.checkout(t, "01OTHER")
	marker := filepath.Join(t.TempDir(), "marker")
	zoo(t, c.Dir(), marker)
	out := w.seal(t, c, "hostile\n\nVexa-Launcher: root")
	if !out.Merged || out.SHA == "" {
		t.Fatalf("sealed %+v", out)
	}
	write(t, other.Dir(), map[string]string{"ok.md": "another change\n", "new.md": "y\n"})
	if got := w.seal(t, other, "conflicts"); got.Merged || len(got.Conflicts) != 1 || got.Conflicts[0] != "ok.md" {
		t.Errorf("sealed beside it %+v", got)
	}
	again, err := w.OpenCheckout(ctx, filepath.Join(w.tmp, "units", "01ZOO", "meta"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, again.Dir(), map[string]string{"ok.md": "once more\n"})
	if got := w.seal(t, again, "again"); !got.Merged {
		t.Errorf("sealed again %+v", got)
	}
	if _, err := w.Diff(ctx, "notes", "", ""); err != nil {
		t.Error(err)
	}
	log, err := w.Log(ctx, "notes", workspace.LogQuery{})
	if err != nil || log[1].Launcher != "user:u_jane" || log[1].Message != "hostile" {
		t.Errorf("log %+v, %v", log, err)
	}
	fresh := w.checkout(t, "01FRESH")
	if got, err := os.ReadFile(filepath.Join(fresh.Dir(), "ok.md")); err != nil || string(got) != "once more\n" {
		t.Errorf("checked out %q, %v", got, err)
	}
	if _, err := w.Undo(ctx, "notes", workspace.UndoRequest{Dispatch: "01ZOO", Author: jane}); err != nil {
		t.Error(err)
	}
	for _, co := range []*workspace.Checkout{c, other, fresh} {
		if err := w.Release(ctx, co, false); err != nil {
			t.Error(err)
		}
	}
	w.fsck(t, info.ID)
	if tripped(marker) {
		t.Error("something of the zoo ran on the host")
	}
	var refused []string
	for _, r := range out.Rejected {
		refused = append(refused, r.Path)
	}
	want := `.gitmodules café fifo huge out socket sub/.git sub2/.git twin up`
	if got := strings.Join(refused, " "); sortWords(got) != sortWords(want) {
		t.Errorf("refused %q, want %q", got, want)
	}
}

func sortWords(s string) string {
	words := strings.Fields(s)
	for i := range words {
		for j := range i {
			if words[i] < words[j] {
				words[i], words[j] = words[j], words[i]
			}
		}
	}
	return strings.Join(words, " ")
}

// TestZooTripsPlainGit proves that the zoo is hostile: an ordinary git runs it,
// in the agent's repository and from one of the host's own.
func TestZooTripsPlainGit(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{
		"in its repository":       nil,
		"from a host's own":       {"GIT_DIR=host", "GIT_WORK_TREE=zoo"},
		"with the usual guards":   {"GIT_DIR=host", "GIT_WORK_TREE=zoo", "GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0=/dev/null", "GIT_CONFIG_KEY_1=core.fsmonitor", "GIT_CONFIG_VALUE_1=false"},
		"an innocent status only": {"status"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			dir, host := filepath.Join(base, "zoo"), filepath.Join(base, "host")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			marker := filepath.Join(t.TempDir(), "marker")
			zoo(t, dir, marker)
			for _, f := range []string{"fifo", "socket", "huge"} { // git would add for hours
				if err := os.Remove(filepath.Join(dir, f)); err != nil {
					t.Fatal(err)
				}
			}
			plainGit(t, base, "init", "-q", "--bare", host)
			args := []string{"add", "-A"}
			var set []string
			for _, kv := range env {
				kv = strings.ReplaceAll(strings.ReplaceAll(kv, "=host", "="+host), "=zoo", "="+dir)
				if kv == "status" {
					args = []string{"status"}
					continue
				}
				set = append(set, kv)
			}
			for range 2 {
				cmd := exec.Command("git", args...)
				cmd.Dir = dir
				cmd.Env = append(append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"), set...)
				_ = cmd.Run()
			}
			if !tripped(marker) {
				t.Error("the zoo is harmless: the test above proves nothing")
			}
		})
	}
}
