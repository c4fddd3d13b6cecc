package worker_test

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/worker"
)

// locked is a buffer for several goroutines.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// A link that ends and comes back is nothing to warn of.
func TestLinkEndIsNoWarning(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.breakAt[1] = afterAck
	o := options(t, h, launchOf(shell()))
	var out locked
	o.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w := start(t, o)
	h.turn("t1", "echo one")
	h.end("t1")
	h.await("another connection", func() bool { return len(h.hellos) == 2 })
	h.send(wsv2.Input{Type: wsv2.InputStop})
	w.exit(worker.ExitOK)
	if log := out.b.String(); !contains(log, "no link to the broker") || contains(log, "level=WARN") {
		t.Errorf("logged:\n%s", log)
	}
}
