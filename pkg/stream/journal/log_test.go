package streamjournal_test

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/stream"
	streamjournal "github.com/vexa-ai/vexa/pkg/stream/journal"
	"github.com/vexa-ai/vexa/pkg/stream/streamtest"
)

func key() []byte { return bytes.Repeat([]byte{7}, journal.KeySize) }

func open(tb testing.TB, o streamjournal.Options) *streamjournal.Log {
	tb.Helper()
	if o.Key == nil {
		o.Key = key()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l, err := streamjournal.Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]streamjournal.Options{
		"Default":       {},
		"SmallSegments": {SegmentBytes: 512},
		"OneOpen":       {MaxOpen: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			streamtest.Run(t, func(tb testing.TB) streamtest.Store {
				tb.Helper()
				var ahead atomic.Int64
				o := o
				o.Root = tb.TempDir()
				o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
				return streamtest.Store{
					Open:    func(tb testing.TB) stream.Sized { tb.Helper(); return open(tb, o) },
					Advance: func(d time.Duration) { ahead.Add(int64(d)) },
				}
			})
		})
	}
}
