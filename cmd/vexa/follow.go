package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"

	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/watch"
)

// watchFiles returns what tells the daemon of files that change. Where the kernel gives
// this user no more of it there is none, and what is a file is read again when the
// daemon starts, or when it is used.
func watchFiles(ctx context.Context, log *slog.Logger) (files *watch.Watcher, end func()) {
	files, err := watch.New()
	if err != nil {
		log.WarnContext(ctx, "changes of files are not noticed", "error", err)
		return nil, func() {}
	}
	return files, func() { _ = files.Close() }
}

// followRunners reads the person's own runners again whenever they change, and says
// which cannot be used. end ends it.
func followRunners(ctx context.Context, h home.Home, catalog *runner.Catalog, files *watch.Watcher, log *slog.Logger) (end func()) {
	var said []string
	read := func() { said = sayBroken(ctx, log, said, catalog.Own(os.DirFS(h.Runners()))) }
	read()
	if files == nil {
		return func() {}
	}
	w, err := files.Dir(h.Runners(), watch.Options{Depth: 1})
	if err != nil {
		log.WarnContext(ctx, "your runners are read again only when the daemon starts", "error", err)
		return func() {}
	}
	read() // what changed before they were watched
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range w.Changed() {
			read()
		}
		if why := w.Err(); !errors.Is(why, watch.ErrClosed) {
			log.WarnContext(ctx, "your runners are read again only when the daemon starts", "error", why)
		}
	}()
	return func() {
		w.Close()
		<-done
	}
}

// sayBroken logs those runners that cannot be used and were not said before, and
// returns all that cannot.
func sayBroken(ctx context.Context, log *slog.Logger, said []string, broken []error) (now []string) {
	for _, err := range broken {
		text := err.Error()
		if now = append(now, text); !slices.Contains(said, text) {
			log.ErrorContext(ctx, "a runner of yours cannot be used", "error", text)
		}
	}
	return now
}
