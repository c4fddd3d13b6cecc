package dispatch_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// heldRecords is a journal that holds where the first record of a dispatch with
// the mark is written.
type heldRecords struct {
	dispatch.Records
	once    *sync.Once
	reached chan struct{}
	release chan struct{}
}

func (h heldRecords) Append(ctx context.Context, p []byte) (uint64, error) {
	if strings.Contains(string(p), `"type":"accepted"`) {
		h.once.Do(func() {
			close(h.reached)
			<-h.release
		})
	}
	return h.Records.Append(ctx, p)
}

// What is being accepted when the daemon is told to stop is answered as
// accepted, and waited for; what comes after that is refused, and no later
// daemon runs it.
func TestAcceptedWhileClosing(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	held := heldRecords{once: &sync.Once{}, reached: make(chan struct{}), release: make(chan struct{})}
	s.restart(func(o *dispatch.Options) {
		held.Records = o.Records
		o.Records = held
	})
	start := func(name string) error {
		_, err := s.m.Start(t.Context(), jane, api.StartRequest{Text: "echo once > " + name, Runner: "text", Limits: limits(0)})
		return err
	}
	accepted, closed := make(chan error, 1), make(chan error, 1)
	go func() { accepted <- start("accepted.md") }()
	<-held.reached
	go func() { closed <- s.m.Close(context.Background(), false) }()
	s.eventually("the manager to close", s.m.Closing)
	close(held.release)
	if err := start("refused.md"); !fault.Is(err, fault.Unreachable) {
		t.Errorf("told while it closes: %v", err)
	}
	if err := <-accepted; err != nil {
		t.Errorf("told what was recorded: %v", err)
	}
	must(t, <-closed)
	if n := s.m.Live(); n != 0 {
		t.Errorf("%d are live after the close", n)
	}
	rows := s.m.List(true)
	s.restart(nil)
	for _, row := range rows {
		s.ended(row.ID)
	}
	if got := s.m.List(true); len(got) != 1 || len(rows) != 1 {
		t.Errorf("rows %+v, then %+v", rows, got)
	}
}
