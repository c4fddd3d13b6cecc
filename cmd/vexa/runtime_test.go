package main

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// A kernel waits for the one before it to end, and for none that serves.
func TestAKernelSucceedsOneThatEnds(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	tries := 0
	open := func() (int, error) {
		if tries++; tries < 4 {
			return 0, fault.New(fault.Conflict, "another process serves it", "")
		}
		return tries, nil
	}
	if got, err := succeed(t.Context(), answers(t.Context(), socket), open); err != nil || got != 4 {
		t.Errorf("after one that ends: %d, %v", got, err)
	}
	tries = 0
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := succeed(ctx, answers(t.Context(), socket), open); !fault.Is(err, fault.Conflict) || tries != 1 {
		t.Errorf("told to end: %v after %d tries", err, tries)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tries = 0
	if _, err := succeed(t.Context(), answers(t.Context(), socket), open); !fault.Is(err, fault.Conflict) || tries != 1 {
		t.Errorf("beside one that serves: %v after %d tries", err, tries)
	}
}
