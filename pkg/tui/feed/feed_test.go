package feed_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/tui/feed"
)

// source is a stream that a test writes.
type source func(q client.FrameQuery, yield func(client.Entry, error) bool)

func (s source) Frames(_ context.Context, _ string, q client.FrameQuery) iter.Seq2[client.Entry, error] {
	return func(yield func(client.Entry, error) bool) { s(q, yield) }
}

func entry(n int) client.Entry { return client.Entry{Cursor: fmt.Sprint(n)} }

// What comes while a view draws is one batch, in order and whole, and there are no more
// than 30 in a second.
func TestBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const frames = 3000 // one each millisecond
		f := feed.New(source(func(q client.FrameQuery, yield func(client.Entry, error) bool) {
			if q.From != "c0" || !q.Follow {
				t.Errorf("asked for %+v", q)
			}
			for i := range frames {
				time.Sleep(time.Millisecond)
				if !yield(entry(i), nil) {
					return
				}
			}
		}), "u", "c0")
		go f.Run(t.Context())
		began, batches, next := time.Now(), 0, 0
		for {
			b, err := f.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			batches++
			for _, e := range b.Entries {
				if e.Cursor != fmt.Sprint(next) {
					t.Fatalf("frame %s, want %d", e.Cursor, next)
				}
				next++
			}
			if b.Ended {
				if b.Err != nil {
					t.Error(b.Err)
				}
				break
			}
		}
		if next != frames || batches > 31*int(time.Since(began)/time.Second+1) || batches < 60 {
			t.Errorf("%d frames in %d batches, %s", next, batches, time.Since(began))
		}
	})
}

// A view that does not draw holds up the stream, and loses nothing.
func TestAViewThatDoesNotDraw(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		f := feed.New(source(func(_ client.FrameQuery, yield func(client.Entry, error) bool) {
			for i := range 10_000 {
				if sent = i; !yield(entry(i), nil) {
					return
				}
			}
		}), "u", "")
		go f.Run(t.Context())
		synctest.Wait()
		if sent > 5000 {
			t.Errorf("%d frames wait", sent)
		}
		got := 0
		for {
			b, err := f.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got += len(b.Entries); b.Ended {
				break
			}
		}
		if got != 10_000 {
			t.Errorf("%d frames", got)
		}
	})
}

// That the connection broke, is back, or is gone for good is told, each at once.
func TestBroken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broke, gone := errors.New("broke"), errors.New("gone")
		f := feed.New(source(func(q client.FrameQuery, yield func(client.Entry, error) bool) {
			yield(entry(1), nil)
			time.Sleep(time.Second)
			q.Broken(broke)
			time.Sleep(time.Second)
			q.Broken(nil)
			time.Sleep(time.Second)
			yield(entry(2), nil)
			time.Sleep(time.Second)
			yield(client.Entry{}, gone)
		}), "u", "")
		go f.Run(t.Context())
		for i, want := range []feed.Batch{{Entries: []client.Entry{entry(1)}}, {Broken: broke}, {}, {Entries: []client.Entry{entry(2)}}, {Ended: true, Err: gone}} {
			b, err := f.Next(t.Context())
			if err != nil || fmt.Sprint(b) != fmt.Sprint(want) {
				t.Errorf("%d: %+v, %v, want %+v", i, b, err, want)
			}
		}
	})
}

// Whoever leaves is not held up.
func TestLeaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := feed.New(source(func(_ client.FrameQuery, yield func(client.Entry, error) bool) {
			for i := 0; yield(entry(i), nil); i++ {
			}
		}), "u", "")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { f.Run(ctx); close(ended) }()
		synctest.Wait()
		cancel()
		<-ended
		if _, err := f.Next(ctx); err == nil {
			if _, err = f.Next(ctx); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	})
}

// Whoever waits for a stream is told that it is there, though no frame comes.
func TestAStreamThatIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		f := feed.New(source(func(q client.FrameQuery, _ func(client.Entry, error) bool) {
			q.Opened()
			<-ctx.Done()
		}), "u", "")
		go f.Run(ctx)
		if b, err := f.Next(ctx); err != nil || len(b.Entries) > 0 || b.Ended || b.Broken != nil {
			t.Errorf("%+v, %v", b, err)
		}
		stop()
	})
}
