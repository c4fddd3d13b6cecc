package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/stream"
	"github.com/vexa-ai/vexa/runners"
)

// deadRecords is a journal that takes nothing.
type deadRecords struct{ dispatch.Records }

func (deadRecords) Append(context.Context, []byte) (uint64, error) {
	return 0, fmt.Errorf("flush: %w", journal.ErrStopped)
}

// TestDaemonEndsWithItsJournal: a daemon that can record nothing any more does
// not go on in silence.
func TestDaemonEndsWithItsJournal(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	f.options.Kernel = daemon.NewKernel(t.Context(), daemon.KernelOptions{
		Command: func() (*exec.Cmd, error) { return nil, errors.New("there is none") },
		PID:     func(context.Context) (int, error) { return 0, errors.New("there is none") },
		Log:     slog.New(slog.DiscardHandler),
	})
	f.change = func(o *dispatch.Options) {
		o.Records = deadRecords{o.Records}
		o.Retention.Dispatches = retention.Dispatches{Age: time.Nanosecond}
	}
	ended := make(chan error, 1)
	server := daemon.New(t.Context(), f.options)
	go func() { ended <- server.Serve(t.Context()) }()
	select {
	case err := <-ended:
		if !errors.Is(err, journal.ErrStopped) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on")
	}
	// Its socket is free, and its journals are closed: another one can begin.
	f.change = nil
	ctx, stop := context.WithCancel(t.Context())
	next := daemon.New(ctx, f.options)
	go func() { ended <- next.Serve(ctx) }()
	for deadline := time.Now().Add(20 * time.Second); f.opened.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no other one can begin")
		}
	}
	stop()
	must(t, <-ended)
}

// gone is a runtime kernel that knows no workload.
type gone struct{ noRuntime }

func (gone) Get(context.Context, string) (runtimev1.Status, error) {
	return runtimev1.Status{}, fault.New(fault.NotFound, "no such workload", "")
}

// fullStreams have no room.
type fullStreams struct{ stream.Log }

func (fullStreams) Append(context.Context, string, []byte) (stream.Cursor, error) {
	return "", fmt.Errorf("write: %w", syscall.ENOSPC)
}

// TestFollowerOfADispatchThatStandsStill is told why, and does not wait for
// frames that do not come.
func TestFollowerOfADispatchThatStandsStill(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	const still = "01K00000000000000000ST1111"
	f.change = func(o *dispatch.Options) {
		_, err := o.Records.Append(t.Context(), []byte(`{"type":"accepted","at":"2026-11-23T10:00:00Z","unit":"`+still+`","accepted":{"unit":{"id":"`+still+
			`","identity":{"subject":"u_jane","launcher":"user:jane"},"runner":"vexa","workspaces":[],"trigger":"message","start":{},"limits":{"idleSec":0,"maxSec":60,"diskMb":1}},"session":"s","names":{}}}`))
		must(t, err)
		o.Runtime, o.Streams = gone{}, fullStreams{o.Streams}
		catalog, err := runner.Load(runners.FS)
		must(t, err)
		o.Runners, o.SaveAgain = catalog, time.Hour
	}
	must(t, f.server.Unlock(t.Context(), ""))
	var e api.Error
	for deadline := time.Now().Add(20 * time.Second); e.Code == ""; {
		w := f.ask(t, http.MethodGet, "/v1/dispatches/"+still+"/frames", "")
		if w.Code != http.StatusOK {
			t.Fatalf("without following: %d %s", w.Code, w.Body)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://vexa/v1/dispatches/"+still+"/frames?follow=1", nil)
		w = httptest.NewRecorder()
		f.server.Handler().ServeHTTP(w, r)
		cancel()
		if w.Code != http.StatusOK {
			must(t, json.Unmarshal(w.Body.Bytes(), &e))
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody is told")
		}
	}
	if !strings.Contains(e.Message, "stands still") || !strings.Contains(e.Message, "no space left") || !strings.Contains(e.Hint, "free space") {
		t.Errorf("told: %+v", e)
	}
}
