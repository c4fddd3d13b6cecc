package dir_test

import (
	"context"
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func ctx() context.Context { return context.Background() }

// open opens a store that the test closes.
func open(tb testing.TB, path string, o dir.Options) *dir.Store {
	tb.Helper()
	s, err := dir.Open(path, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func shut(tb testing.TB, s *dir.Store) {
	tb.Helper()
	must(tb, s.Close())
}

// kinds are the ways in which a store may have to work.
func kinds() map[string]func(*dir.Store) {
	return map[string]func(*dir.Store){
		"AsFound":              func(*dir.Store) {},
		"AsFoundNoHardLinks":   dir.SetNoLinks,
		"Ordered":              func(s *dir.Store) { dir.SetOrdered(s, true) },
		"Unordered":            func(s *dir.Store) { dir.SetOrdered(s, false) },
		"OrderedNoHardLinks":   func(s *dir.Store) { dir.SetOrdered(s, true); dir.SetNoLinks(s) },
		"UnorderedNoHardLinks": func(s *dir.Store) { dir.SetOrdered(s, false); dir.SetNoLinks(s) },
	}
}

func TestConformance(t *testing.T) { //nolint:tparallel // each begins with a measurement
	t.Parallel()
	for name, as := range kinds() {
		if name == "AsFoundNoHardLinks" {
			continue // it is one of the others
		}
		t.Run(name, func(t *testing.T) {
			blobtest.Run(t, func(t *testing.T) (first, second blob.Store) {
				t.Helper()
				path := t.TempDir()
				one, two := open(t, path, dir.Options{}), open(t, path, dir.Options{})
				as(one)
				as(two)
				return one, two
			})
		})
	}
}
