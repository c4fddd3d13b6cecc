package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestCollectLater: after the first collection everything is as it was.
func TestCollectLater(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	percent, limit := debug.SetGCPercent(77), debug.SetMemoryLimit(-1)
	defer func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}()
	collectLater()
	for deadline := time.Now().Add(20 * time.Second); debug.SetMemoryLimit(-1) != math.MaxInt64; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the first collection changed nothing")
		}
		runtime.GC()
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		now := debug.SetGCPercent(77)
		if now == 77 {
			break
		}
		debug.SetGCPercent(now)
		if time.Now().After(deadline) {
			t.Fatalf("GOGC is %d", now)
		}
	}
	t.Setenv("GOGC", "50")
	collectLater()
	if debug.SetGCPercent(77) != 77 {
		t.Error("what the person set was changed")
	}
}
