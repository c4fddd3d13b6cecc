package workspace_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace"
)

// The variables that make TestKilledHelper, in a process of its own, seal the
// checkout noted in a directory and kill itself at a step.
const (
	envRoot = "VEXA_TEST_KILL_ROOT"
	envMeta = "VEXA_TEST_KILL_META"
	envStep = "VEXA_TEST_KILL_STEP"
)

func TestKilledHelper(t *testing.T) {
	root, meta, step := os.Getenv(envRoot), os.Getenv(envMeta), os.Getenv(envStep)
	if root == "" {
		t.Skip("only as a child of the tests below")
	}
	w := &world{root: root} // a directory of its own would outlive it
	w.now.Store(1_800_000_000)
	w.ids.Store(1000)
	w.open(t)
	step, accepts := strings.CutPrefix(step, "accept ")
	step, receives := strings.CutPrefix(step, "receive ")
	workspace.SetStep(w.Store, func(name string) {
		if name == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	switch {
	case receives:
		_, _ = w.Lookup(context.Background(), "notes")
	case accepts:
		_, _ = w.AcceptProposal(context.Background(), "notes", "01KILLED", "", jane)
	case step == "made":
		_, _ = w.Create(context.Background(), "second", "", jane)
	case step == "private":
		_ = w.PutPrivate(context.Background(), "notes", "sessions/u/s", 50, []workspace.PrivateFile{{Name: "f", Write: func(out io.Writer) error {
			_, err := out.Write([]byte("x"))
			return err
		}}})
	default:
		c, err := w.OpenCheckout(context.Background(), meta)
		if err != nil {
			t.Fatal(err)
		}
		w.seal(t, c, "killed")
	}
}

// killed runs the helper and reports whether it died of a SIGKILL.
func killed(t *testing.T, root, meta, step string, after time.Duration) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledHelper$")
	cmd.Env = append(os.Environ(), envRoot+"="+root, envMeta+"="+meta, envStep+"="+step)
	if after == 0 {
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
			return true
		}
		t.Logf("%s: %v\n%s", step, err, out)
		return false
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	return cmd.Wait() != nil
}

// TestKilledAtEachStep kills a seal with SIGKILL between each two of its
// durable steps: the repository is sound, and the same seal, made again, ends
// with the change on main and reports it.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	for _, diverged := range []bool{false, true} {
		for _, step := range []string{"walked", "packed", "branch", "merged", "main", "saving"} {
			t.Run(fmt.Sprintf("%s, diverged %v", step, diverged), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				info := w.create(t, "notes", map[string]string{"a.md": "a\n"})
				c := w.checkout(t, "01KILLED")
				write(t, c.Dir(), map[string]string{"b.md": "b\n"})
				if diverged {
					other := w.checkout(t, "01OTHER")
					write(t, other.Dir(), map[string]string{"c.md": "c\n"})
					w.seal(t, other, "other")
				}
				meta := filepath.Join(w.tmp, "units", "01KILLED", "meta")
				if !killed(t, w.root, meta, step, 0) {
					t.Fatal("it was not killed")
				}
				w.fsck(t, info.ID)
				w.recovered(t, info.ID, meta)
			})
		}
	}
}

// TestKilledWhileProposing kills what leaves a proposal, and what accepts it, between
// each two durable steps: it is there once or not at all, and main has it or not.
func TestKilledWhileProposing(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"branch", "proposal", "merged", "published", "main", "saving", "accept proposal", "accept published"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			w := newWorld(t)
			info := w.create(t, "notes", map[string]string{"a.md": "a\n"})
			one, two := w.checkout(t, "01OTHER"), w.checkout(t, "01KILLED")
			write(t, one.Dir(), map[string]string{"a.md": "one\n"})
			w.seal(t, one, "other")
			write(t, two.Dir(), map[string]string{"a.md": "two\n"})
			meta := filepath.Join(w.tmp, "units", "01KILLED", "meta")
			accepts := strings.HasPrefix(step, "accept ")
			if accepts {
				w.seal(t, two, "killed")
				if _, err := w.ResolveProposal(ctx, "notes", "01KILLED", workspace.Resolution{How: "theirs", Author: jane}); err != nil {
					t.Fatal(err)
				}
			}
			if !killed(t, w.root, meta, step, 0) {
				t.Fatal("it was not killed")
			}
			w.fsck(t, info.ID)
			w.ids.Store(5000)
			w.open(t)
			if !accepts {
				c, err := w.OpenCheckout(ctx, meta)
				if err != nil {
					t.Fatal(err)
				}
				if out := w.seal(t, c, "again"); out.Merged || out.Proposal != "01KILLED" {
					t.Fatalf("%+v", out)
				}
				if p, err := w.Proposal(ctx, "notes", "01KILLED"); err != nil || len(p.Events) != 1 || p.Status != "open" {
					t.Errorf("%+v, %v", p, err)
				}
				return
			}
			p, err := w.Proposal(ctx, "notes", "01KILLED")
			if err != nil || p.Problem != "" || (p.Status == "accepted") != (w.read(t, "a.md") == "two\n") {
				t.Fatalf("%+v, %v, %q", p, err, w.read(t, "a.md"))
			}
			if p.Status == "open" {
				if p, err = w.AcceptProposal(ctx, "notes", "01KILLED", "", jane); err != nil {
					t.Fatal(err)
				}
			}
			if p.Status != "accepted" || w.read(t, "a.md") != "two\n" {
				t.Errorf("%+v", p)
			}
			w.fsck(t, info.ID)
		})
	}
}

// recovered opens everything anew, seals again and checks the outcome.
func (w *world) recovered(t *testing.T, id, meta string) {
	t.Helper()
	w.open(t)
	c, err := w.OpenCheckout(context.Background(), meta)
	if err != nil {
		t.Fatal(err)
	}
	out := w.seal(t, c, "again")
	if out.SHA == "" || !out.Merged || out.Files != 1 {
		t.Fatalf("the change was not reported: %+v", out)
	}
	if out := w.seal(t, c, "and again"); out.SHA != "" {
		t.Fatalf("a change was made up: %+v", out)
	}
	data, err := w.ReadFile(context.Background(), id, "", "b.md")
	if err != nil || string(data) != "b\n" {
		t.Fatalf("main has %q, %v", data, err)
	}
	log, err := w.Log(context.Background(), id, workspace.LogQuery{Unit: "01KILLED"})
	if err != nil {
		t.Fatal(err)
	}
	plain := 0
	for _, c := range log {
		if len(c.Parents) == 1 {
			plain++
		}
	}
	if plain != 1 {
		t.Fatalf("%d commits of the dispatch", plain)
	}
	w.fsck(t, id)
}

// TestKilledAtRandom does the same at instants nobody chose.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", map[string]string{"a.md": "a\n"})
	c := w.checkout(t, "01KILLED")
	meta := filepath.Join(w.tmp, "units", "01KILLED", "meta")
	for i := range 8 {
		write(t, c.Dir(), map[string]string{fmt.Sprintf("f%d", i): strings.Repeat("x", i*1000)})
		killed(t, w.root, meta, "none", time.Duration(10+rand.IntN(150))*time.Millisecond)
		w.fsck(t, info.ID)
	}
	w.open(t)
	c, err := w.OpenCheckout(context.Background(), meta)
	if err != nil {
		t.Fatal(err)
	}
	w.seal(t, c, "last")
	files, err := w.Files(context.Background(), "notes", "")
	if err != nil || len(files) != 9 {
		t.Fatalf("main has %d files, %v", len(files), err)
	}
	w.fsck(t, info.ID)
}

func TestKilledElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	info := w.create(t, "notes", nil)
	for _, step := range []string{"made", "private"} {
		if !killed(t, w.root, "", step, 0) {
			t.Fatal("it was not killed")
		}
	}
	w.open(t)
	if _, err := w.Create(context.Background(), "second", "", jane); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(w.root)
	if err != nil || len(entries) != 3 { // two workspaces and the lock
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if refs, err := w.ListPrivate(context.Background(), "notes", "sessions/u/"); err != nil || len(refs) != 0 {
		t.Errorf("refs %v, %v", refs, err)
	}
	w.fsck(t, info.ID)
}
