package blobtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
)

// TestFaultyConformance: without hooks, or with hooks that say nothing, it is the
// store that it wraps.
func TestFaultyConformance(t *testing.T) {
	t.Parallel()
	nothing := func(string, string) error { return nil }
	late := func(string, string) time.Duration { return time.Microsecond }
	blobtest.Run(t, func(*testing.T) (first, second blob.Store) {
		s := mem.New()
		return &blobtest.Faulty{Store: s.Handle()}, &blobtest.Faulty{Store: s.Handle(), Before: nothing, After: nothing, Delay: late}
	}, blobtest.HoldsInMemory)
}

// everything does each operation once, on names of its own, and returns which
// failed with an error.
func everything(ctx context.Context, s blob.Store) (failed []string) {
	note := func(op string, err error) {
		if err != nil {
			failed = append(failed, op+": "+err.Error())
		}
	}
	st, err := s.Stage(ctx)
	note("stage", err)
	if err == nil {
		_, err = st.Write([]byte("x"))
		note("write", err)
		note("commit", st.Commit(ctx, "commit"))
	}
	note("create", s.Create(ctx, "create", []byte("x")))
	note("replace", s.Replace(ctx, "replace", []byte("x")))
	r, err := s.Open(ctx, "there")
	note("open", err)
	if err == nil {
		_, err = io.ReadAll(r)
		note("read", err)
		r.Close()
	}
	_, err = s.Stat(ctx, "there")
	note("stat", err)
	note("list", s.List(ctx, "t", "", func(blob.Info) error { return nil }))
	note("remove", s.Remove(ctx, "one", "two"))
	note("probe", s.Probe(ctx))
	return failed
}

// TestFaulty: each operation can be refused before it, and lose its answer after
// it; then it was done.
func TestFaulty(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	ops := []string{
		blobtest.OpStage, blobtest.OpWrite, blobtest.OpCommit, blobtest.OpCreate, blobtest.OpReplace, blobtest.OpOpen, blobtest.OpRead, blobtest.OpStat,
		blobtest.OpList, blobtest.OpRemove, blobtest.OpProbe,
	}
	for _, op := range ops {
		for _, after := range []bool{false, true} {
			storage := mem.New()
			plain := storage.Handle()
			for _, name := range []string{"there", "one", "two"} {
				if err := plain.Create(t.Context(), name, []byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			hook := func(at, _ string) error {
				if at == op {
					return boom
				}
				return nil
			}
			s := &blobtest.Faulty{Store: storage.Handle(), Before: hook}
			if after {
				s.Before, s.After = nil, hook
			}
			if got := strings.Join(everything(t.Context(), s), ", "); got != op+": boom" {
				t.Errorf("%s, after %v: failed are %s", op, after, got)
			}
			for _, name := range []string{"commit", "create", "replace"} {
				_, err := plain.Stat(t.Context(), name)
				want := op != name || after
				if name == "commit" && (op == blobtest.OpStage || op == blobtest.OpCreate && !after) {
					want = false // nor does mem show it before a Create
				}
				if err == nil != want {
					t.Errorf("%s, after %v: %s: %v", op, after, name, err)
				}
			}
			_, first := plain.Stat(t.Context(), "one")
			_, second := plain.Stat(t.Context(), "two")
			if op == blobtest.OpRemove && (first == nil == after || second != nil) || op != blobtest.OpRemove && (first == nil || second == nil) {
				t.Errorf("%s, after %v: %v, %v", op, after, first, second)
			}
		}
	}
}

// TestFaultyNames: the hooks are asked in the order of what happens, with names.
func TestFaultyNames(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	note := func(when string) blobtest.Hook {
		return func(op, name string) error {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, fmt.Sprintf("%s %s %s", when, op, name))
			return nil
		}
	}
	s := &blobtest.Faulty{Store: mem.New().Handle(), Before: note("before"), After: note("after")}
	if err := s.Create(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "a", []byte("x")); !errors.Is(err, blob.ErrExist) {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"before create a", "after create a", "before create a", // what failed has no answer to lose
		"before remove a", "after remove a", "before remove b", "after remove b", "before close ",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked was %q, want %q", asked, want)
	}
}

// TestFaultyDelay: an operation takes longer, and its context ends that.
func TestFaultyDelay(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	s := &blobtest.Faulty{Store: mem.New().Handle(), Delay: func(op, _ string) time.Duration {
		if op == blobtest.OpCreate {
			stop()
			return time.Hour
		}
		return 0
	}}
	if err := s.Create(ctx, "a", nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Replace(t.Context(), "a", nil); err != nil {
		t.Error(err)
	}
}
