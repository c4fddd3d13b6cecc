// Package sleep waits for a time that can be cut short.
package sleep

import (
	"context"
	"time"
)

// For waits for d. The error is that of ctx, where it ends before or has ended.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
