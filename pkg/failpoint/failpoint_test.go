package failpoint_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/failpoint"
)

const point failpoint.Point = "test.point"

func arm(t *testing.T, a failpoint.Action) (*failpoint.Set, string) {
	t.Helper()
	dir := t.TempDir()
	if err := failpoint.Arm(dir, point, a); err != nil {
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

func TestFailsOnce(t *testing.T) {
	t.Parallel()
	s, dir := arm(t, failpoint.NoRoom)
	if err := s.At(t.Context(), "test.other"); err != nil || failpoint.Reached(dir, point) {
		t.Fatalf("another point failed: %v", err)
	}
	if err := s.At(t.Context(), point); !errors.Is(err, syscall.ENOSPC) || !failpoint.Reached(dir, point) {
		t.Fatalf("got %v", err)
	}
	if err := s.At(t.Context(), point); err != nil {
		t.Errorf("it failed twice: %v", err)
	}
}

func TestHoldsUntilReleased(t *testing.T) {
	t.Parallel()
	s, dir := arm(t, failpoint.Hold)
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
}

func TestHeldEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, _ := arm(t, failpoint.Hold)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.At(ctx, point); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestKills(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(failpoint.Env); dir != "" {
		t.Fatal("it lives: ", failpoint.New(dir).At(t.Context(), point))
	}
	_, dir := arm(t, failpoint.Kill)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKills$")
	cmd.Env = append(os.Environ(), failpoint.Env+"="+dir)
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the child ended with %v", err)
	}
}
