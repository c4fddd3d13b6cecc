package session_test

import (
	"slices"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/retention"
)

func TestTrim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	write(t, dir, "keep/a", "x")
	for _, id := range []string{"s1", "s2", "s3", "s4", "s5"} {
		save(t, w, dir, id)
		w.clock.Add(int64(24 * time.Hour / time.Millisecond))
	}
	var asked []string
	trim := func(p retention.Sessions) []string {
		t.Helper()
		asked = nil
		err := w.Trim(ctx, p, time.UnixMilli(w.clock.Load()), func(subject, session string, drop func() error) error {
			asked = append(asked, subject+" "+session)
			if session == "s1" {
				return nil // in use
			}
			return drop()
		})
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.List(ctx, "u_jane")
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, m := range list {
			left = append(left, m.Session)
		}
		return left
	}
	if left := trim(retention.Sessions{}); len(left) != 5 || asked != nil {
		t.Errorf("no limit left %v", left)
	}
	if left := trim(retention.Sessions{Count: 4}); len(left) != 5 || !slices.Equal(asked, []string{"u_jane s1"}) {
		t.Errorf("4 left %v, asked for %v", left, asked)
	}
	if left := trim(retention.Sessions{Count: 4, Age: 84 * time.Hour}); !slices.Equal(left, []string{"s5", "s4", "s3", "s1"}) {
		t.Errorf("84 hours left %v", left)
	}
	if left := trim(retention.Sessions{Count: 2}); !slices.Equal(left, []string{"s5", "s4", "s1"}) {
		t.Errorf("2 left %v", left)
	}
	if _, err := w.Get(ctx, "u_jane", "s5"); err != nil {
		t.Errorf("what is kept: %v", err)
	}
}
