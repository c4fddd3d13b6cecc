package runner

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

// DefaultGrace is how long an interrupted runner has to end by itself where
// its manifest does not say.
const DefaultGrace = 5 * time.Second

// Outcome judges a turn that was not ended from outside: by the exit code and,
// where the dialect has one, by the terminal event. Neither alone is enough.
// The codes are the shell's: 128 plus the signal for a killed process.
func Outcome(m runnerv2.Manifest, r dialect.Result, exit int) wsv2.Outcome {
	switch {
	case slices.Contains(m.Exit.Interrupted, exit):
		return wsv2.OutcomeInterrupted
	case !slices.Contains(m.Exit.OK, exit), r.Failed:
		return wsv2.OutcomeFailed
	case m.Stream.Terminal != "" && !r.Terminal:
		return wsv2.OutcomeTruncated
	default:
		return wsv2.OutcomeCompleted
	}
}

// Interrupt returns the signal that asks a runner to end its turn and how long
// it is given before it is killed.
func Interrupt(m runnerv2.Manifest) (syscall.Signal, time.Duration) {
	if m.Signals == nil {
		return syscall.SIGINT, DefaultGrace
	}
	sig, err := signalByName(m.Signals.Interrupt)
	if err != nil { // Check refuses such a manifest
		sig = syscall.SIGINT
	}
	return sig, time.Duration(m.Signals.GraceSec) * time.Second
}

func signalByName(name string) (syscall.Signal, error) {
	switch name {
	case "SIGINT":
		return syscall.SIGINT, nil
	case "SIGTERM":
		return syscall.SIGTERM, nil
	default:
		return 0, fmt.Errorf("%q is none of SIGINT and SIGTERM", name)
	}
}
