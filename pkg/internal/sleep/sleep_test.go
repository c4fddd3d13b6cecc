package sleep_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/sleep"
)

func TestFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := sleep.For(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if err := sleep.For(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("cut short, after %s: %v", time.Since(began), err)
		}
		for d, want := range map[context.Context]error{t.Context(): nil, ctx: context.DeadlineExceeded} {
			if err := sleep.For(d, 0); !errors.Is(err, want) {
				t.Errorf("for no time: %v, want %v", err, want)
			}
		}
	})
}
