package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

func report(size int) func() (wsv2.Report, error) {
	return func() (wsv2.Report, error) {
		return wsv2.Report{Type: wsv2.ReportFrame, Turn: strings.Repeat("x", size)}, nil
	}
}

// A host that takes nothing holds the agent up, not the worker's memory.
func TestOutboxWaitsWhenItIsFull(t *testing.T) {
	t.Parallel()
	b := newOutbox()
	added := 0
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for {
		if _, full, _ := b.state(); full {
			break
		}
		if err := b.add(ctx, report(1<<20)); err != nil {
			t.Fatal(err)
		}
		added++
	}
	if added < outboxBytes>>20-1 || added > outboxBytes>>20+1 {
		t.Fatalf("%d MiB fit", added)
	}
	if err := b.force(report(1)); err != nil {
		t.Errorf("the end of a turn must not wait: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- b.add(ctx, report(1)) }()
	select {
	case err := <-done:
		t.Fatalf("a full outbox took more (%v)", err)
	case <-time.After(20 * time.Millisecond):
	}
	b.ack(2)
	if err := <-done; err != nil {
		t.Error(err)
	}
	for range 4 {
		_ = b.force(report(1 << 20))
	}
	short, cancelShort := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancelShort()
	if err := b.add(short, report(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the wait ends with %v", err)
	}
	b.close()
	if err := b.add(t.Context(), report(1)); !errors.Is(err, errClosed) {
		t.Errorf("a closed outbox gives %v", err)
	}
}

func TestOutboxAcksAndBatches(t *testing.T) {
	t.Parallel()
	b := newOutbox()
	for range 2*batchLines + 10 {
		if err := b.add(t.Context(), report(0)); err != nil {
			t.Fatal(err)
		}
	}
	lines, next, _ := b.from(0)
	if len(lines) != batchLines || next != batchLines+1 {
		t.Errorf("the first batch has %d, then %d", len(lines), next)
	}
	b.ack(batchLines + 4)
	b.ack(3) // an old receipt changes nothing
	lines, next, _ = b.from(0)
	if !strings.Contains(string(lines[0]), `"agentSeq":261`) || next != 261+batchLines-0 && len(lines) != batchLines {
		t.Errorf("after the ack it begins with %s", lines[0])
	}
	b.ack(1 << 62) // more than there is: a host that errs must not break the count
	if empty, _, _ := b.state(); !empty {
		t.Error("not everything is acknowledged")
	}
	if err := b.add(t.Context(), report(0)); err != nil {
		t.Fatal(err)
	}
	if lines, _, _ := b.from(0); len(lines) != 1 || !strings.Contains(string(lines[0]), `"agentSeq":523`) {
		t.Errorf("the next report is %s", lines)
	}
}
