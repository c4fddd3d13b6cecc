package inference

import (
	"context"
	"time"
)

// DetectBudget is what Detect takes at most in tests, on machines that are busy besides.
const DetectBudget = 3 * time.Second

// DetectUnhurried is Detect with that.
func DetectUnhurried(ctx context.Context, env func(string) string, dial DialFunc) []Found {
	return detect(ctx, env, dial, DetectBudget)
}
