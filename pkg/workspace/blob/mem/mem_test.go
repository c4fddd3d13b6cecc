package mem_test

import (
	"errors"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(*testing.T) (first, second blob.Store) {
		s := mem.New()
		return s.Handle(), s.Handle()
	}, blobtest.HoldsInMemory)
}

// TestLate: what was committed is seen by nobody before the next Create through
// the same handle, or Close.
func TestLate(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	one, two := storage.Handle(), storage.Handle()
	commit := func(name string) {
		t.Helper()
		st, err := one.Stage(t.Context())
		if err == nil {
			err = st.Commit(t.Context(), name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := func(name string, want bool) {
		t.Helper()
		for _, s := range []blob.Store{one, two} {
			if _, err := s.Stat(t.Context(), name); errors.Is(err, blob.ErrNotExist) == want {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	commit("a")
	if err := two.Create(t.Context(), "by-another", nil); err != nil {
		t.Fatal(err)
	}
	seen("a", false)
	if err := one.Create(t.Context(), "by-itself", nil); err != nil {
		t.Fatal(err)
	}
	seen("a", true)
	commit("b")
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	one = storage.Handle()
	seen("b", true)
}
