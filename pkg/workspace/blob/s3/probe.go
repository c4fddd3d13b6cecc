package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// racers is how many try to create one blob at once in a probe.
const racers = 8

// Probe implements blob.Store. It creates a blob of a random name twice, lets
// several create another one at once, and reads what it wrote: the error is
// fault.Denied where two of them succeed and fault.Invalid where what was written
// is not seen at once. It removes old leftovers of uploads, too.
func (s *Store) Probe(ctx context.Context) (err error) {
	twice, raced := "probe/"+rand.Text(), "probe/"+rand.Text()
	defer func() {
		if left := s.removeProbe(ctx, err, twice, raced); err == nil {
			err = left
		}
	}()
	if err := s.probeTwice(ctx, twice); err != nil {
		return err
	}
	if err := s.probeRace(ctx, raced); err != nil {
		return err
	}
	if err := s.Sweep(ctx); err != nil && !errors.Is(err, blob.ErrDenied) && !fault.Is(err, fault.Internal) {
		return err // without the right to see uploads, or with a server that has none, there is nothing to sweep
	}
	return nil
}

// removeProbe removes what a probe made, even where ctx ended. It does not wait
// for a server that did not answer the probe, which ended with err.
func (s *Store) removeProbe(ctx context.Context, err error, names ...string) error {
	patience := s.budget
	if errors.Is(err, blob.ErrUnavailable) {
		patience = min(s.stall, s.budget)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return s.Remove(ctx, names...)
}

// probeTwice creates a blob twice and reads it in between.
func (s *Store) probeTwice(ctx context.Context, name string) error {
	data := []byte(rand.Text())
	if err := s.Create(ctx, name, data); err != nil {
		if errors.Is(err, blob.ErrExist) {
			return s.stale("a blob of a new name is said to exist")
		}
		return err
	}
	got, err := blob.ReadAll(ctx, s, name, 1<<10)
	switch {
	case errors.Is(err, blob.ErrNotExist):
		return s.stale("what was stored is not there when it is read")
	case err != nil:
		return err
	case !bytes.Equal(got, data):
		return s.stale("what was stored is other when it is read")
	}
	listed := false
	err = s.List(ctx, name, "", func(i blob.Info) error {
		listed = i.Name == name
		return nil
	})
	if err != nil {
		return err
	}
	if !listed {
		return s.stale("what was stored is not in the list")
	}
	err = s.Create(ctx, name, []byte(rand.Text()))
	if err == nil {
		return s.careless("it ignores the condition")
	}
	if !errors.Is(err, blob.ErrExist) {
		return err
	}
	return nil
}

// probeRace lets several create one blob at once.
func (s *Store) probeRace(ctx context.Context, name string) error {
	var won atomic.Int32
	errs := make([]error, racers)
	var all sync.WaitGroup
	for i := range racers {
		data := []byte(rand.Text())
		all.Go(func() {
			if errs[i] = s.Create(ctx, name, data); errs[i] == nil {
				won.Add(1)
			} else if errors.Is(errs[i], blob.ErrExist) {
				errs[i] = nil
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if won.Load() != 1 {
		return s.careless("of several at once more than one succeeds")
	}
	return nil
}

// careless refuses a server on which two could create the same blob.
func (s *Store) careless(how string) error {
	return fault.New(fault.Denied, s.URL()+" at "+s.host+" does not create a blob only where there is none (If-None-Match): "+how+", so that of two pushes at once one would be lost",
		"use a server or a version of it that supports conditional writes")
}

// stale refuses a server whose answers are behind.
func (s *Store) stale(how string) error {
	return fault.New(fault.Invalid, s.URL()+" at "+s.host+" does not show at once what was stored: "+how, "use a server that is consistent, without a cache before it")
}
