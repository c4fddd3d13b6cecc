package blobtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// list: names come with their sizes, by prefix.
func list(f *fixture) {
	sizes := map[string]int{"log/1": 1, "log/2": 2, "log2/1": 3, "pack/aa/1": 4, "pack/ab/1": 5, "lo": 6, "meta": 7}
	for name, size := range sizes {
		f.create(f.first, name, strings.Repeat("x", size))
	}
	for prefix, want := range map[string]string{
		"":          "lo log/1 log/2 log2/1 meta pack/aa/1 pack/ab/1",
		"lo":        "lo log/1 log/2 log2/1",
		"log":       "log/1 log/2 log2/1",
		"log/":      "log/1 log/2",
		"log/2":     "log/2",
		"log/3":     "",
		"pack/":     "pack/aa/1 pack/ab/1",
		"pack/a":    "pack/aa/1 pack/ab/1",
		"pack/ab":   "pack/ab/1",
		"pack/ab/1": "pack/ab/1",
		"none/":     "",
		"meta/":     "",
		"meta/x":    "",
	} {
		for _, s := range f.both() {
			var got []string
			f.must(s.List(f.ctx, prefix, "", func(info blob.Info) error {
				got = append(got, info.Name)
				if info.Size != int64(sizes[info.Name]) {
					f.Errorf("%s has %d bytes", info.Name, info.Size)
				}
				return nil
			}), "list "+prefix)
			if strings.Join(got, " ") != want {
				f.Errorf("a list of %q is %q, want %q", prefix, got, want)
			}
		}
	}
}

// trickyNames are in the order of their bytes, in which a slash lies between a
// dot and a digit.
func trickyNames() []string {
	return []string{
		"A", "Z/a", "a-b", "a-b-c", "a-b.d/e", "a.b", "a.b/c", "a/b", "a/b-c", "a/b.c", "a/c/d", "a/c0", "a0", "a0/b", "aA", "a_", "aa", "b",
	}
}

// listOrder: names come in the order of their bytes, whatever the storage makes
// of slashes. A name that is the beginning of another's path is left out.
func listOrder(f *fixture) {
	want := slices.DeleteFunc(trickyNames(), func(name string) bool {
		return slices.ContainsFunc(trickyNames(), func(other string) bool { return strings.HasPrefix(other, name+"/") })
	})
	for _, name := range slices.Backward(want) {
		f.create(f.first, name, "x")
	}
	if !slices.IsSorted(want) {
		f.Fatal("the names are not sorted")
	}
	for _, s := range f.both() {
		if got := f.listed(s, "", ""); !slices.Equal(got, want) {
			f.Errorf("listed are\n%q, want\n%q", got, want)
		}
	}
}

// listAfter: a listing goes on from any name, whether there is a blob of it or
// not.
func listAfter(f *fixture) {
	all := []string{"a-b", "a/b", "a/c/d", "a/c0", "a0", "log/0001", "log/0002", "log/0010", "z"}
	for _, name := range all {
		f.create(f.first, name, "x")
	}
	afters := append([]string{"", "a", "a.", "a/", "a/b", "a/c", "a/c/", "a/c/d/e", "a/z", "log", "log/", "log/0005", "log/0010", "log/9", "zz", "~"}, all...)
	for _, after := range afters {
		for _, prefix := range []string{"", "a", "a/", "a/c", "log/", "log/00", "log/0002", "z", "none"} {
			want := []string{}
			for _, name := range all {
				if strings.HasPrefix(name, prefix) && name > after {
					want = append(want, name)
				}
			}
			if got := f.listed(f.second, prefix, after); !slices.Equal(got, want) {
				f.Errorf("a list of %q after %q is %q, want %q", prefix, after, got, want)
			}
		}
	}
}

// listEnds: an error of the caller's ends a listing at once, and is returned as
// it is.
func listEnds(f *fixture) {
	for i := range 5 {
		f.create(f.first, fmt.Sprintf("log/%d", i), "x")
	}
	enough := errors.New("enough")
	calls := 0
	err := f.first.List(f.ctx, "log/", "log/0", func(info blob.Info) error {
		calls++
		if info.Name == "log/2" {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || calls != 2 {
		f.Errorf("%v after %d calls", err, calls)
	}
	// An error of a store's that the caller passes on is the caller's.
	_, missing := f.first.Stat(f.ctx, "none")
	if err := f.first.List(f.ctx, "", "", func(blob.Info) error { return missing }); !errors.Is(err, blob.ErrNotExist) {
		f.Errorf("passed on: %v", err)
	}
}

// listMany: more than one page of any storage.
func listMany(f *fixture) {
	const n = 1100
	want := make([]string, n)
	for i := range want {
		want[i] = fmt.Sprintf("many/%06d", i*7919%n)
		f.commit(f.first, want[i], "x")
	}
	slices.Sort(want)
	f.create(f.first, "last", "x")
	if got := f.listed(f.second, "many/", ""); !slices.Equal(got, want) {
		f.Errorf("%d are listed, of %d", len(got), n)
	}
	if got := f.listed(f.second, "many/", want[99]); !slices.Equal(got, want[100:]) {
		f.Errorf("%d are listed after the hundredth, of %d", len(got), n-100)
	}
	f.must(f.first.Remove(f.ctx, want...), "remove all")
	if got := f.listed(f.second, "", ""); !slices.Equal(got, []string{"last"}) {
		f.Errorf("left are %d", len(got))
	}
}

// listCallsBack: the caller may use the store while it is called.
func listCallsBack(f *fixture) {
	for i := range 4 {
		f.create(f.first, fmt.Sprintf("log/%d", i), "x")
	}
	err := f.first.List(f.ctx, "log/", "", func(info blob.Info) error {
		if _, err := blob.ReadAll(f.ctx, f.first, info.Name, 10); err != nil {
			return err
		}
		if err := f.first.Create(f.ctx, "copy/"+info.Name, []byte("x")); err != nil {
			return err
		}
		return f.first.Remove(f.ctx, info.Name)
	})
	f.must(err, "list")
	if got := f.listed(f.second, "", ""); strings.Join(got, " ") != "copy/log/0 copy/log/1 copy/log/2 copy/log/3" {
		f.Errorf("listed are %q", got)
	}
}
