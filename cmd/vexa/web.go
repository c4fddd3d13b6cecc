package main

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/web"
)

// openPages makes the pages of the browser, which nobody asked for yet.
func openPages(h home.Home, id *seal.Identity, log *slog.Logger) *web.Site {
	return web.New(web.Options{Memory: web.File{Path: filepath.Join(h.Run, "web.age"), Sealer: id}, Now: time.Now, Log: log})
}
