package blobtest

import (
	"errors"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// names: each name that CheckName allows is kept as it is.
func names(f *fixture) {
	all := []string{
		"0", "z", "Z", "a.b", "a_b", "a-b", "a.", "a..b", "log/00000001", "tmp", "lock", "HEAD", "refs/heads/main", "objects/aa/" + strings.Repeat("b", 64),
		strings.Repeat("n", 200), strings.Repeat("d/", 99) + "dd",
	}
	for i, name := range all {
		if i%2 == 0 {
			f.create(f.first, name, "of "+name)
		} else {
			f.commit(f.first, name, "of "+name)
		}
	}
	f.create(f.first, "last", "x")
	for _, name := range all {
		f.holds(name, "of "+name, f.both()...)
	}
	if got := f.listed(f.second, "", ""); len(got) != len(all)+1 {
		f.Errorf("%d names, want %d: %q", len(got), len(all)+1, got)
	}
}

// badNames are names that CheckName refuses.
func badNames() []string {
	return []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".a", "a/.b", "-a", "_a", "a b", "a\x00b", "a\nb", "ä", "a\\b", "a:b", "%61",
		".tmp/a", strings.Repeat("n", 201),
	}
}

// namesRefused: what is not the name of a blob is refused by all that takes one,
// and does nothing.
func namesRefused(f *fixture) {
	f.create(f.first, "a", "kept")
	f.create(f.first, "b/a", "kept")
	for _, name := range badNames() {
		refused := func(err error, what string) {
			if err == nil || errors.Is(err, blob.ErrNotExist) || errors.Is(err, blob.ErrExist) {
				f.Errorf("%s of %q: %v", what, name, err)
			}
		}
		r, err := f.first.Open(f.ctx, name)
		refused(err, "open")
		if err == nil {
			r.Close()
		}
		_, err = f.first.Stat(f.ctx, name)
		refused(err, "stat")
		refused(f.first.Create(f.ctx, name, []byte("x")), "create")
		refused(f.first.Replace(f.ctx, name, []byte("x")), "replace")
		refused(f.first.Remove(f.ctx, "a", name), "remove")
		f.first.Create(f.ctx, "a", []byte("kept")) //nolint:errcheck // it may have been removed before the name was refused
		st, err := f.first.Stage(f.ctx)
		f.must(err, "stage")
		f.write(st, "x")
		refused(st.Commit(f.ctx, name), "commit")
		st.Abort()
	}
	f.create(f.first, "last", "x")
	if got := f.listed(f.second, "", ""); strings.Join(got, " ") != "a b/a last" {
		f.Errorf("left are %q", got)
	}
	for _, prefix := range []string{"..", "../", "/", ".", "./", ".tmp", ".tmp/", "\x00", "a//", "b/../"} {
		_ = f.first.List(f.ctx, prefix, "", func(info blob.Info) error { // an error is as good as nothing
			f.Errorf("a list of %q has %q", prefix, info.Name)
			return nil
		})
	}
}

// namesOfNothing: whatever is asked of a blob that is not there, the error says
// so and names it, and removing it is none.
func namesOfNothing(f *fixture) {
	for _, name := range []string{"none", "none/of/these", "log/00000001"} {
		f.lacks(name, f.both()...)
		f.must(f.first.Remove(f.ctx, name), "remove "+name)
	}
	if got := f.listed(f.first, "", ""); len(got) != 0 {
		f.Errorf("an empty storage lists %q", got)
	}
	f.create(f.first, "log/00000001", "x")
	// Neither the first part of a name nor what would lie below a blob is one.
	for _, name := range []string{"log", "log/0", "log/00000001/x", "log/00000001/x/y", "log/00000002"} {
		f.lacks(name, f.both()...)
		f.must(f.first.Remove(f.ctx, name), "remove "+name)
	}
	f.holds("log/00000001", "x", f.both()...)
	f.must(f.first.Remove(f.ctx), "remove nothing")
}
