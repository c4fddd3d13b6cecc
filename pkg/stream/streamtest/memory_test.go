package streamtest_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/stream"
	"github.com/vexa-ai/vexa/pkg/stream/streamtest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	streamtest.Run(t, func(testing.TB) streamtest.Store {
		var ahead atomic.Int64
		memory := streamtest.NewMemoryAt(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
		return streamtest.Store{
			Open:    func(testing.TB) stream.Sized { memory = memory.Reopen(); return memory },
			Advance: func(d time.Duration) { ahead.Add(int64(d)) },
		}
	})
}
