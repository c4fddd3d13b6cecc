package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace"
)

const (
	wipePatience = time.Minute      // for what is still to be saved
	idleFor      = 30 * time.Minute // after which a workspace is closed that nobody used
	idleCheck    = 5 * time.Minute
)

// wipe removes what is readable of the workspaces, after it was saved. What
// cannot be saved stays, in memory, for the next daemon.
func wipe(ws *workspace.Store, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), wipePatience)
	defer cancel()
	err := ws.ShutAll(ctx)
	if err != nil {
		log.ErrorContext(ctx, "a workspace stays open: it could not be saved", "error", err)
	}
	return err
}

// tend brings keys that were added meanwhile into the workspaces, verifies packs
// that were not verified yet, and closes workspaces that nobody used for a while,
// until it is told to end.
func tend(ws *workspace.Store, log *slog.Logger) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		rekey(ctx, ws, log)
		tick := time.NewTicker(idleCheck)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := ws.VerifyOpen(ctx); err != nil && ctx.Err() == nil {
					log.WarnContext(ctx, "the packs of a workspace could not be verified", "error", err)
				}
				if err := ws.ShutIdle(ctx, idleFor); err != nil && ctx.Err() == nil {
					log.WarnContext(ctx, "an idle workspace was not closed", "error", err)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() error {
		cancel()
		<-done
		return nil
	}
}

func rekey(ctx context.Context, ws *workspace.Store, log *slog.Logger) {
	rows, err := ws.Rekey(ctx)
	for _, r := range rows {
		err = errors.Join(err, r.Err)
	}
	if err != nil && ctx.Err() == nil {
		log.WarnContext(ctx, "a workspace has not taken the keys of this installation over", "error", err)
	}
}
