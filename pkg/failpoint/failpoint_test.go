package failpoint_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/failpoint"
)

const point failpoint.Point = "test.point"

func arm(t *testing.T) (*failpoint.Set, string) {
	t.Helper()
	dir := t.TempDir()
	if err := failpoint.Arm(dir, point); err != nil {
		t.Fatal(err)
	}
	return failpoint.New(dir), dir
}

func TestOffWithoutADirectory(t *testing.T) {
	t.Parallel()
	if s := failpoint.New(""); s != nil || s.At(t.Context(), point) != nil {
		t.Errorf("%v is on", s)
	}
}

func TestHoldsUntilReleased(t *testing.T) {
	t.Parallel()
	s, dir := arm(t)
	if err := s.At(t.Context(), "test.other"); err != nil || failpoint.Reached(dir, point) {
		t.Fatalf("another point: %v", err)
	}
	passed := make(chan error, 1)
	go func() { passed <- s.At(context.WithoutCancel(t.Context()), point) }()
	for !failpoint.Reached(dir, point) {
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-passed:
		t.Fatalf("it went on by itself: %v", err)
	default:
	}
	if err := failpoint.Release(dir, point); err != nil {
		t.Fatal(err)
	}
	if err := <-passed; err != nil {
		t.Error(err)
	}
	if err := s.At(t.Context(), point); err != nil { // once
		t.Error(err)
	}
}

func TestHeldEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, _ := arm(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.At(ctx, point); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
