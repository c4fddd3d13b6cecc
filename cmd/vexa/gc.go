package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
)

// unhurried is how much memory a process that lives for a moment may fill before
// its garbage is looked at, in bytes.
const unhurried = 48 << 20

// collectLater has the first collection wait until there is something to gain:
// one push of a few lines ends before. From the first one on everything is as it
// would have been. What the person set for Go's runtime stands.
func collectLater() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	percent := debug.SetGCPercent(-1)
	debug.SetMemoryLimit(unhurried)
	runtime.AddCleanup(new([64]byte), func(percent int) {
		debug.SetMemoryLimit(math.MaxInt64)
		debug.SetGCPercent(percent)
	}, percent)
}
