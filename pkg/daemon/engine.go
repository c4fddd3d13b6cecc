package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/probe"
	"github.com/vexa-ai/vexa/pkg/stream"
	"github.com/vexa-ai/vexa/pkg/transcript"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
)

// Recording is the person's setting of what is recorded; transcript.ConfigFile is
// one.
type Recording interface {
	On() (bool, error)
	Set(on bool) error
}

// Engine is an unlocked installation.
type Engine struct {
	Dispatch    *dispatch.Manager
	Streams     stream.Log
	Workspaces  *workspace.Store
	Sessions    *session.Store
	Models      *inference.Table
	Keys        Keys
	Transcripts *transcript.Log // of what is sent to models
	Recording   Recording       // whether that is kept
	Audit       dispatch.Auditor
	Pages       Pages // nil: there is none
	// Test tries out a model of a provider, and tells begin what is tried next.
	Test func(ctx context.Context, p inference.Provider, model string, begin func(probe.Name, inference.Protocol)) (probe.Report, error)
	// Close releases the journals and keys; the dispatches are closed first.
	Close func() error
}

// engine returns the engine, or says that the installation is locked.
func (s *Server) engine() (*Engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		return nil, fault.New(fault.Locked, "the installation is locked", "open it with: vexa unlock")
	}
	return s.open, nil
}

// Unlock opens the engine with an identity; "" means the one that rests
// without a passphrase. Unlocking twice is no error.
func (s *Server) Unlock(ctx context.Context, identity string) error {
	s.turning.Lock()
	defer s.turning.Unlock()
	if _, err := s.engine(); err == nil {
		return nil
	}
	e, err := s.o.Open(ctx, identity)
	if err != nil {
		return err
	}
	if err := s.o.Kernel.Start(ctx); err != nil {
		s.o.Log.ErrorContext(ctx, "start the runtime kernel", "error", err) // dispatches are refused until it runs
	}
	if err := e.Dispatch.Recover(ctx); err != nil {
		return errors.Join(err, e.Close())
	}
	s.mu.Lock()
	s.open = e
	s.mu.Unlock()
	if e.Pages != nil {
		if err := e.Pages.Resume(ctx, s.Handler()); err != nil {
			s.o.Log.ErrorContext(ctx, "serve the pages again", "error", err) // vexa web opens them anew
		}
	}
	go func() {
		select {
		case err := <-e.Dispatch.Failed():
			s.dead <- err
		case <-e.Dispatch.Gone():
		}
	}()
	return nil
}

// abandon leaves everything as it is, as a kill of the process would.
func (s *Server) abandon(ctx context.Context) {
	s.turning.Lock()
	defer s.turning.Unlock()
	s.mu.Lock()
	e := s.open
	s.open = nil
	s.mu.Unlock()
	if e == nil {
		return
	}
	e.Dispatch.Leave()
	if err := e.Close(); err != nil {
		s.o.Log.ErrorContext(ctx, "close what failed", "error", err)
	}
}

// lockAfter locks the installation once d has passed; 0 means never. A later
// call replaces an earlier one. What cannot be saved then keeps it open, and
// is tried again after the same time.
func (s *Server) lockAfter(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if d == 0 {
		return
	}
	s.timer = time.AfterFunc(d, func() {
		ctx, cancel := context.WithTimeout(s.life, lockPatience)
		defer cancel()
		if err := s.lockAway(ctx); err != nil {
			s.o.Log.ErrorContext(ctx, "lock after the time that was asked for", "error", err)
			s.lockAfter(d)
		}
	})
}

// lockAway locks the installation because somebody wants it locked: who was
// signed in to the pages is not any more, also when it is opened again, or when
// what was written cannot be saved and it stays open.
func (s *Server) lockAway(ctx context.Context) error {
	return s.lockUp(ctx, false, func(e *Engine) error {
		if e.Pages == nil {
			return nil
		}
		return e.Pages.Shut(ctx)
	})
}

// lockPatience is how long the dispatches may take to end and be saved.
const lockPatience = time.Minute

// Lock ends every dispatch, saves what they wrote and forgets the keys. Pages go
// on with the next daemon.
func (s *Server) Lock(ctx context.Context, force bool) error {
	return s.lockUp(ctx, force, func(*Engine) error { return nil })
}

// lockUp is Lock, with what to do to the pages. That is done while it can be
// recorded still, and once more when nobody can ask for them any more.
func (s *Server) lockUp(ctx context.Context, force bool, pages func(*Engine) error) error {
	s.turning.Lock()
	defer s.turning.Unlock()
	s.mu.Lock()
	e := s.open
	s.mu.Unlock()
	if e == nil {
		return nil
	}
	if err := e.Dispatch.Close(ctx, force); err != nil {
		return errors.Join(err, pages(e))
	}
	s.mu.Lock()
	s.open = nil
	s.mu.Unlock()
	s.lockAfter(0)
	return errors.Join(pages(e), e.Close(), pages(e))
}
