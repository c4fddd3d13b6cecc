package tree_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// hooked is a Writer that runs hooks while the walk reads: before an object is
// taken, and in the middle of a large one.
type hooked struct {
	memory
	add    func(data []byte)
	middle func()
}

func (h hooked) Add(kind object.Kind, data []byte) (object.ID, error) {
	if h.add != nil {
		h.add(data)
	}
	return h.memory.Add(kind, data)
}

func (h hooked) AddStream(kind object.Kind, size int64, r io.Reader) (object.ID, error) {
	half, err := io.ReadAll(io.LimitReader(r, size/2))
	if err != nil {
		return object.ID{}, err
	}
	h.middle()
	return h.memory.AddStream(kind, size, io.MultiReader(bytes.NewReader(half), r))
}

// TestContentThatMoves: a file that changes while it is read is read again, and
// what never comes to rest is refused.
func TestContentThatMoves(t *testing.T) {
	t.Parallel()
	for times, want := range map[int]string{1: "b", 2: "b", 100: ""} {
		dir := t.TempDir()
		path := filepath.Join(dir, "f")
		const size = 2 << 20
		write(t, dir, map[string]string{"f": strings.Repeat("a", size)})
		n := 0
		res, err := tree.Walk(ctx, dir, tree.Options{}, hooked{memory: memory{}, middle: func() {
			if n++; n > times {
				return
			}
			settle(t, dir)
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Error(err)
				return
			}
			_, err = f.WriteString(strings.Repeat("b", size)) // in place, the same size
			if err := errors.Join(err, f.Close()); err != nil {
				t.Error(err)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			if len(res.Rejected) != 1 || !strings.Contains(res.Rejected[0].Reason, "changed") || res.Index.Lookup("f") != nil {
				t.Errorf("%d times: %v", times, res.Rejected)
			}
			continue
		}
		id, err := object.Name(object.KindBlob, []byte(strings.Repeat(want, size)))
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Index.Lookup("f"); got == nil || got.ID != id || n != times+1 {
			t.Errorf("%d times: it took another state, after %d reads", times, n)
		}
	}
}

// TestFileThatBecomesAnother swaps a file, after the walk has seen its name, for
// things that would block or lead elsewhere.
func TestFileThatBecomesAnother(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		swap func(path string) error
		why  string
	}{
		"FIFO":      {func(p string) error { return unix.Mkfifo(p, 0o644) }, "FIFO"},
		"socket":    {func(p string) error { return unix.Mknod(p, unix.S_IFSOCK|0o644, 0) }, "not a file"},
		"link":      {func(p string) error { return os.Symlink("/etc/hostname", p) }, "changed"},
		"directory": {func(p string) error { return os.Mkdir(p, 0o755) }, "changed"},
		"nothing":   {func(string) error { return nil }, ""},
		"grown":     {func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("x"), 5000), 0o644) }, "grew"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"a": "first", "b": "second"})
			out := hooked{memory: memory{}, add: func(data []byte) {
				if string(data) == "first" {
					if err := errors.Join(os.Remove(filepath.Join(dir, "b")), c.swap(filepath.Join(dir, "b"))); err != nil {
						t.Error(err)
					}
				}
			}}
			done := make(chan tree.Result, 1)
			go func() {
				res, err := tree.Walk(ctx, dir, tree.Options{Limits: tree.Limits{FileBytes: 4000}}, out)
				if err != nil {
					t.Error(err)
				}
				done <- res
			}()
			select {
			case res := <-done:
				if res.Index == nil || res.Index.Lookup("a") == nil || res.Index.Lookup("b") != nil {
					t.Fatal("it took the wrong files")
				}
				if got := reasons(res.Rejected)["b"]; (c.why == "") != (got == "") || !strings.Contains(got, c.why) {
					t.Errorf("refused: %q", got)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the walk hangs")
			}
		})
	}
}

// TestRacyStatIsNotRemembered: of a file that changed in the tick in which it was
// read nothing is remembered, since a change right after would not show.
func TestRacyStatIsNotRemembered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		res, _ := walk(t, dir, tree.Options{})
		clock := tree.Clock()
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			t.Fatal(err)
		}
		if st.Ctim.Nano() < clock {
			continue // the clock has moved on
		}
		if got := res.Index.Lookup("f").Stat; got != (tree.Stat{}) {
			t.Errorf("remembered %+v at %d", got, clock)
		}
		return
	}
	t.Fatal("no walk was quicker than the clock")
}
