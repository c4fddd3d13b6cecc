package blobtest

import (
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// replace: the last writer wins, and everybody sees it.
func replace(f *fixture) {
	f.must(f.first.Replace(f.ctx, "head", []byte("one")), "replace")
	f.holds("head", "one", f.both()...)
	f.must(f.second.Replace(f.ctx, "head", []byte("two, longer")), "replace")
	f.holds("head", "two, longer", f.both()...)
	f.must(f.first.Replace(f.ctx, "head", []byte("3")), "replace")
	f.holds("head", "3", f.both()...)
	f.must(f.first.Replace(f.ctx, "deep/er/head", []byte("4")), "replace")
	f.holds("deep/er/head", "4", f.both()...)
	f.fails(f.first.Create(f.ctx, "head", []byte("5")), blob.ErrExist, "head", "create")
	if got := f.listed(f.second, "", ""); strings.Join(got, " ") != "deep/er/head head" {
		f.Errorf("listed are %q", got)
	}
	f.must(f.second.Remove(f.ctx, "head"), "remove")
	f.lacks("head", f.both()...)
}

// replaceIsWhole: whoever reads while others replace reads what one of them
// wrote, all of it.
func replaceIsWhole(f *fixture) {
	value := func(i int) string { return strings.Repeat(strconv.Itoa(i%10), 20_000+i) }
	f.must(f.first.Replace(f.ctx, "head", []byte(value(0))), "replace")
	var done atomic.Bool
	atOnce(4, func(i int) {
		if i < 2 {
			for n := range 15 {
				if err := f.both()[i].Replace(f.ctx, "head", []byte(value(n))); err != nil {
					f.Errorf("replace: %v", err)
				}
			}
			done.Store(true)
			return
		}
		for !done.Load() {
			got, err := blob.ReadAll(f.ctx, f.both()[i-2], "head", 1<<20)
			if err != nil || len(got) < 20_000 || string(got) != value(len(got)-20_000) {
				f.Errorf("read %d bytes, %v", len(got), err)
				return
			}
		}
	})
	f.holds("head", value(14), f.both()...)
}

// remove: what is removed is gone for everybody, and its name is free.
func remove(f *fixture) {
	for _, name := range []string{"a", "b/1", "b/2", "c"} {
		f.create(f.first, name, "of "+name)
	}
	f.must(f.second.Remove(f.ctx, "a", "none", "b/2", "a", "b/none"), "remove")
	f.lacks("a", f.both()...)
	f.lacks("b/2", f.both()...)
	f.holds("b/1", "of b/1", f.both()...)
	f.must(f.first.Remove(f.ctx, "b/1"), "remove")
	f.must(f.second.Remove(f.ctx, "b/1"), "remove again")
	if got := f.listed(f.first, "", ""); strings.Join(got, " ") != "c" {
		f.Errorf("listed are %q", got)
	}
	f.create(f.second, "b/1", "anew")
	f.holds("b/1", "anew", f.both()...)
}

// removeUnderReader: a reader whose blob is removed gets all of it, or an error.
func removeUnderReader(f *fixture) {
	data := strings.Repeat("0123456789abcdef", 64<<10)
	f.create(f.first, "large", data)
	r, err := f.second.Open(f.ctx, "large")
	f.must(err, "open")
	defer r.Close()
	begin := make([]byte, 1000)
	if _, err := io.ReadFull(r, begin); err != nil || string(begin) != data[:1000] {
		f.Fatalf("the beginning: %v", err)
	}
	f.must(f.first.Remove(f.ctx, "large"), "remove")
	rest, err := io.ReadAll(r)
	switch {
	case err == nil && string(rest) != data[1000:]:
		f.Errorf("%d bytes of %d, and no error", len(rest), len(data)-1000)
	case err != nil && !strings.HasPrefix(data[1000:], string(rest)):
		f.Errorf("other bytes before the error %v", err)
	case err != nil && !strings.Contains(err.Error(), "large"):
		f.Errorf("the error does not name the blob: %v", err)
	}
	f.lacks("large", f.both()...)
	// Another blob of the name is none of an old reader's business.
	f.create(f.second, "large", "small")
	f.holds("large", "small", f.both()...)
}
