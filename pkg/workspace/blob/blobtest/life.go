package blobtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// calls are all that a store can be asked, each on the name.
func (f *fixture) calls(ctx context.Context, s blob.Store, name string) map[string]error {
	results := map[string]error{}
	r, err := s.Open(ctx, name)
	if err == nil {
		_, err = io.ReadAll(r)
		r.Close()
	}
	results["open"] = err
	_, results["stat"] = s.Stat(ctx, name)
	results["list"] = s.List(ctx, "", "", func(blob.Info) error { return nil })
	st, err := s.Stage(ctx)
	if err == nil {
		st.Abort()
	}
	results["stage"] = err
	results["create"] = s.Create(ctx, name+"-new", []byte("new"))
	results["replace"] = s.Replace(ctx, name, []byte("new"))
	results["remove"] = s.Remove(ctx, name)
	results["probe"] = s.Probe(ctx)
	return results
}

// cancel: a context that has ended ends whatever is asked, and nothing is done.
func cancel(f *fixture) {
	f.create(f.first, "a/b", "kept")
	ctx, stop := context.WithCancel(f.ctx)
	st, err := f.first.Stage(ctx)
	f.must(err, "stage")
	f.write(st, "x")
	stop()
	results := f.calls(ctx, f.first, "a/b")
	results["commit"] = st.Commit(ctx, "c")
	st.Abort()
	for what, err := range results {
		if !errors.Is(err, context.Canceled) {
			f.Errorf("%s: %v, want %v", what, err, context.Canceled)
		}
	}
	f.create(f.first, "last", "x")
	f.holds("a/b", "kept", f.both()...)
	f.lacks("c", f.both()...)
	f.lacks("a/b-new", f.both()...)
	if got := f.listed(f.second, "", ""); strings.Join(got, " ") != "a/b last" {
		f.Errorf("listed are %q", got)
	}
	// In the middle of a listing.
	ctx, stop = context.WithCancel(f.ctx)
	defer stop()
	err = f.first.List(ctx, "", "", func(blob.Info) error { stop(); return ctx.Err() })
	if !errors.Is(err, context.Canceled) {
		f.Errorf("list: %v", err)
	}
}

// cancelReader: a reader whose context ended says so, or has all of the blob.
func cancelReader(f *fixture) {
	data := strings.Repeat("0123456789abcdef", 64<<10)
	f.create(f.first, "large", data)
	ctx, stop := context.WithCancel(f.ctx)
	defer stop()
	r, err := f.second.Open(ctx, "large")
	f.must(err, "open")
	defer r.Close()
	begin := make([]byte, 1000)
	_, err = io.ReadFull(r, begin)
	f.must(err, "read")
	stop()
	rest, err := io.ReadAll(r)
	if err == nil && string(begin)+string(rest) != data || err != nil && !errors.Is(err, context.Canceled) {
		f.Errorf("%d bytes of %d, %v", len(begin)+len(rest), len(data), err)
	}
}

// probe: it succeeds here, and leaves nothing, as often as it is asked for.
func probe(f *fixture) {
	for range 2 {
		f.must(f.first.Probe(f.ctx), "probe")
		if got := f.listed(f.second, "", ""); len(got) != 0 {
			f.Errorf("left are %q", got)
		}
	}
	f.create(f.first, "a", "kept")
	f.commit(f.first, "b", "kept")
	f.must(f.first.Probe(f.ctx), "probe")
	f.must(f.second.Probe(f.ctx), "probe")
	f.create(f.first, "c", "x")
	if got := f.listed(f.second, "", ""); strings.Join(got, " ") != "a b c" {
		f.Errorf("listed are %q", got)
	}
	f.holds("b", "kept", f.both()...)
}

// probeAtOnce: two may probe while others write.
func probeAtOnce(f *fixture) {
	atOnce(6, func(i int) {
		s := f.both()[i%2]
		for n := range 3 {
			var err error
			if i < 3 {
				err = s.Probe(f.ctx)
			} else {
				err = s.Create(f.ctx, fmt.Sprintf("log/%d.%d", i, n), []byte("x"))
			}
			if err != nil {
				f.Errorf("at once: %v", err)
			}
		}
	})
	if got := f.listed(f.second, "", ""); len(got) != 9 {
		f.Errorf("listed are %q", got)
	}
}

// closing: a closed store does nothing any more and says so. The other one, and
// what is stored, have nothing to do with it.
func closing(f *fixture) {
	f.create(f.first, "a/b", "kept")
	f.must(f.first.Close(), "close")
	f.must(f.first.Close(), "close again")
	for what, err := range f.calls(f.ctx, f.first, "a/b") {
		if err == nil {
			f.Errorf("%s of a closed store", what)
		}
	}
	f.holds("a/b", "kept", f.second)
	f.create(f.second, "a/c", "x")
	if got := f.listed(f.second, "", ""); strings.Join(got, " ") != "a/b a/c" {
		f.Errorf("listed are %q", got)
	}
}

// closeAborts: what was staged and not committed is aborted, and Close may come
// while it is written.
func closeAborts(f *fixture) {
	st, err := f.first.Stage(f.ctx)
	f.must(err, "stage")
	f.write(st, "x")
	other, err := f.first.Stage(f.ctx)
	f.must(err, "stage")
	writing, shut, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		writeUntil(f, other, writing, shut)
	}()
	<-writing
	err = f.first.Close()
	close(shut)
	<-ended
	f.must(err, "close")
	if err := st.Commit(f.ctx, "aborted"); err == nil {
		f.Error("committed to a closed store")
	}
	st.Abort()
	f.create(f.second, "last", "x")
	if got := f.listed(f.second, "", ""); strings.Join(got, " ") != "last" {
		f.Errorf("listed are %q", got)
	}
}

// writeUntil writes until that fails, which it must once shut is closed. It closes
// writing when it is under way.
func writeUntil(f *fixture, st blob.Stage, writing, shut chan struct{}) {
	defer st.Abort()
	begun := sync.OnceFunc(func() { close(writing) })
	defer begun()
	for n := 0; ; n++ {
		closed := false
		select {
		case <-shut:
			closed = true
		default:
		}
		_, err := st.Write([]byte("x"))
		if err != nil {
			return
		}
		if closed {
			f.Error("written to a closed store")
			return
		}
		if n == 10 {
			begun()
		}
	}
}

// together: everything at once, through both stores.
func together(f *fixture) {
	const workers, rounds = 6, 8
	atOnce(workers, func(i int) {
		s, other := f.both()[i%2], f.both()[(i+1)%2]
		for n := range rounds {
			pack, log := fmt.Sprintf("pack/%d/%d", i, n), fmt.Sprintf("log/%d.%d", i, n)
			if err := push(f, s, pack, log); err != nil {
				f.Errorf("push of %s: %v", pack, err)
				return
			}
			f.holds(pack, claim(i), other)
			f.holds(log, pack, other)
			if err := s.Replace(f.ctx, "head", []byte(log)); err != nil {
				f.Errorf("replace: %v", err)
			}
			var seen []string
			if err := s.List(f.ctx, "", "", func(info blob.Info) error { seen = append(seen, info.Name); return nil }); err != nil || !slices.IsSorted(seen) {
				f.Errorf("list: %v, %q", err, seen)
			}
			if n%2 == 1 {
				if err := other.Remove(f.ctx, pack, log); err != nil {
					f.Errorf("remove: %v", err)
				}
			}
		}
	})
	if got := f.listed(f.first, "pack/", ""); len(got) != workers*rounds/2 {
		f.Errorf("left are %q", got)
	}
}

func push(f *fixture, s blob.Store, pack, log string) error {
	st, err := s.Stage(f.ctx)
	if err != nil {
		return err
	}
	defer st.Abort()
	var worker, n int
	if _, err := fmt.Sscanf(pack, "pack/%d/%d", &worker, &n); err != nil {
		return err
	}
	if _, err := io.WriteString(st, claim(worker)); err != nil {
		return err
	}
	if err := st.Commit(f.ctx, pack); err != nil {
		return err
	}
	return s.Create(f.ctx, log, []byte(pack))
}
