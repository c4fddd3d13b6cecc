package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/web"
)

// openPages makes the pages of the browser, which nobody asked for yet.
func openPages(h home.Home, id *seal.Identity, trail dispatch.Auditor, log *slog.Logger) (*web.Site, error) {
	who, err := caller()
	if err != nil {
		return nil, err
	}
	return web.New(web.Options{
		Memory: web.File{Path: filepath.Join(h.Run, "web.age"), Sealer: id}, Trail: doorTrail{trail, who}, Now: time.Now, Log: log,
	}), nil
}

// doorTrail puts what happens at the door of the pages into the audit log.
type doorTrail struct {
	trail dispatch.Auditor
	who   dispatch.Caller // who comes in: links are this user's alone
}

// Record is documented at web.Trail.
func (d doorTrail) Record(ctx context.Context, e web.Event) error {
	r := audit.Event{Boundary: audit.Web, Action: e.Action, Effect: audit.Allow, Reason: e.Refused, Detail: e.Detail}
	if e.Refused != "" {
		r.Effect = audit.Deny // on whose behalf nobody knows
	} else {
		r.Subject, r.Launcher = d.who.Subject, d.who.Launcher
	}
	return d.trail.Record(ctx, r)
}
