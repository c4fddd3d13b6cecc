package stage1

import (
	"testing"

	"github.com/vexa-ai/vexa/evals/harness"
)

// TestClaims runs the scripts beside it.
func TestClaims(t *testing.T) { harness.Run(t, "stage1", ".") }
