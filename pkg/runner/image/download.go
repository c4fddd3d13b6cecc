package image

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner/image/store"
)

// fetchers is how many inputs are fetched at a time: mirrors give one connection
// less than the line has.
const fetchers = 3

// Download fetches what the lock says and writes it to the directory to, for a
// machine without a network: see Options.Import.
func Download(ctx context.Context, lock Lock, o Options, to string) (fetched, cached int64, err error) {
	inputs, err := lock.resolve(o.Arch, o.Sources)
	if err != nil {
		return 0, 0, err
	}
	held, err := o.Cache.Lock(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer held.Release()
	if fetched, err = fetch(ctx, inputs, o); err != nil {
		return fetched, cached, err
	}
	out := store.Cache{Dir: to}
	for _, in := range inputs {
		cached += in.Size
		if err := carry(in, o.Cache, out); err != nil {
			return fetched, cached, err
		}
	}
	return fetched, cached - fetched, nil
}

// fetch brings all inputs into the cache, and returns how many bytes that took.
func fetch(ctx context.Context, inputs []store.Input, o Options) (fetched int64, err error) {
	if o.Import != "" {
		if err := importAll(inputs, o); err != nil {
			return 0, err
		}
	}
	f := &store.Fetcher{Cache: o.Cache, Client: o.Client, Offline: o.Offline || o.Import != "", Stall: o.Stall}
	if f.Client == nil {
		f.Client = store.NewClient()
		defer f.Client.CloseIdleConnections()
	}
	var mu sync.Mutex
	if o.Notice != nil {
		f.Notice = func(in store.Input) {
			mu.Lock()
			defer mu.Unlock()
			o.Notice(in)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, fetchers)
	var wg sync.WaitGroup
	for _, in := range inputs {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			n, getErr := f.Get(ctx, in)
			mu.Lock()
			defer mu.Unlock()
			fetched += n
			if getErr != nil && err == nil {
				err = getErr
				cancel()
			}
		})
	}
	wg.Wait()
	if err == nil && ctx.Err() != nil {
		err = fault.Wrap(fault.Interrupted, "download", ctx.Err())
	}
	return fetched, err
}

// importAll takes what the cache lacks from the directory of a download.
func importAll(inputs []store.Input, o Options) error {
	from := store.Cache{Dir: o.Import}
	if info, err := os.Stat(o.Import); err != nil || !info.IsDir() {
		return fault.New(fault.NotFound, "there is no directory "+o.Import, "vexa runner build NAME --download-only DIR writes one, where there is a network")
	}
	for _, in := range inputs {
		if err := carry(in, from, o.Cache); err != nil {
			return err
		}
	}
	return nil
}

// carry copies an input to a cache that does not have it whole: one that is damaged
// there is replaced.
func carry(in store.Input, from, to store.Cache) error {
	f, err := to.Open(in.Digest)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return from.Copy(in.What, in.Digest, to)
}
