package workspace

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// A workspace that is open is brought up to its bucket when somebody uses it, and where
// the bucket's storage tells of a change, as a directory does, at once: whoever looks
// then waits for nothing. That writes nothing to the bucket. What was delivered to the
// inbox is therefore not taken up: of two machines that share a directory through a
// program which copies files, both would, each in a generation of its own.

// What comes in pieces, a manifest before its pack, is looked at again: after one
// second, then after twice as long each time.
const (
	firstAgain = time.Second
	lastAgain  = time.Minute
)

// watch begins to keep an open workspace up to its bucket, unless that was begun.
func (s *Store) watch(ctx context.Context, r repo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.opens[r.id]
	if o == nil || o.rest != nil || o.bucket != r.bucket {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it goes on when who opened the workspace is done
	done := make(chan struct{})
	o.rest = func() {
		cancel()
		<-done
	}
	go func() {
		defer close(done)
		r.keepUp(ctx, o)
	}()
}

// keepUp does so until ctx ends, the workspace is open no more, or nothing is told of
// its bucket.
func (r *repo) keepUp(ctx context.Context, o *opened) {
	log := r.store.opt.Log
	changed, stop, err := r.bucket.Watch()
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			log.WarnContext(ctx, "changes of a bucket are seen only when its workspace is used", "workspace", r.id, "error", err)
		}
		return
	}
	defer stop()
	again := time.NewTimer(0) // what came before it was watched
	defer again.Stop()
	for wait := firstAgain; ; {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-changed:
			if !ok {
				log.WarnContext(ctx, "changes of a bucket are seen only when its workspace is used", "workspace", r.id)
				return
			}
			wait = firstAgain
		case <-again.C:
		}
		open, err := r.catchUp(ctx, o)
		if !open {
			return
		}
		if err != nil && ctx.Err() == nil {
			log.DebugContext(ctx, "a workspace could not be brought up to its bucket", "workspace", r.id, "error", err)
			if wait <= lastAgain {
				again.Reset(wait)
				wait *= 2
			}
		}
	}
}

// catchUp brings the repository up to the bucket, where it still is open as it was. It
// counts as no use of the workspace.
func (r *repo) catchUp(ctx context.Context, o *opened) (open bool, err error) {
	if !r.isOpen(o) {
		return false, nil
	}
	st, err := r.head(ctx)
	if err != nil {
		return true, err
	}
	if r.isAt(st) {
		return true, nil
	}
	unlock, err := r.lock(ctx)
	if err != nil {
		return true, err
	}
	defer unlock()
	switch _, err := r.followed(); {
	case errors.Is(err, fs.ErrNotExist) || !r.isOpen(o): // it was closed meanwhile, and stays so
		return false, nil
	case r.isAt(st):
		return true, nil
	}
	return true, r.sync(ctx, st)
}

func (r *repo) isAt(st *bucket.State) bool {
	seen, err := r.seen()
	return err == nil && seen == r.mark(st)
}

// isOpen reports whether o is what is kept of the workspace.
func (r *repo) isOpen(o *opened) bool {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	return r.store.opens[r.id] == o
}
