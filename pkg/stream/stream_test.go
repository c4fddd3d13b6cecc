package stream_test

import (
	"errors"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/stream"
)

func TestCursorOrder(t *testing.T) {
	t.Parallel()
	last := stream.Cursor("")
	for _, seq := range []uint64{0, 1, 9, 10, 255, 256, 1 << 31, 1 << 32, 1<<63 - 1, 1<<64 - 1} {
		c := stream.At(seq)
		if c <= last {
			t.Errorf("cursor %q of %d does not follow %q", c, seq, last)
		}
		if got, err := c.Seq(); err != nil || got != seq {
			t.Errorf("cursor %q: %d, %v", c, got, err)
		}
		last = c
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("0000000000000001")
	f.Add("+00000000000000a")
	f.Add("00000000_0000_01")
	f.Add("000000000000000A")
	f.Fuzz(func(t *testing.T, text string) {
		seq, err := stream.Cursor(text).Seq()
		if err != nil {
			if !errors.Is(err, stream.ErrCursor) || !fault.Is(err, fault.Invalid) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if stream.At(seq) != stream.Cursor(text) {
			t.Fatalf("%q is a second cursor of %d", text, seq)
		}
	})
}
