package steady_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/steady"
)

// machine is one whose clocks are set by hand.
type machine struct {
	wall time.Time
	mono time.Duration
	boot string
}

func (m *machine) source() steady.Source {
	return steady.Source{
		Wall: func() time.Time { return m.wall },
		Mono: func() (time.Duration, error) { return m.mono, nil },
		Boot: func() (string, error) { return m.boot, nil },
	}
}

func open(t *testing.T, s steady.Source, path string) func() time.Time {
	t.Helper()
	now, err := s.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func TestNobodySetsIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clock")
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	m := &machine{wall: start, mono: time.Hour, boot: "one"}
	first := open(t, m.source(), path)
	for _, jump := range []time.Duration{24 * time.Hour, -time.Hour, 87600 * time.Hour, -87600 * time.Hour} {
		m.wall = m.wall.Add(jump)
		m.mono += time.Minute
		second := open(t, m.source(), path) // another process
		want := start.Add(m.mono - time.Hour)
		if !first().Equal(want) || !second().Equal(want) {
			t.Errorf("after %s: %s and %s, not %s", jump, first(), second(), want)
		}
	}
	m.boot, m.mono, m.wall = "two", time.Second, start.Add(48*time.Hour)
	if now := open(t, m.source(), path)(); !now.Equal(m.wall) {
		t.Errorf("after a start of the machine: %s, not %s", now, m.wall)
	}
}

func TestDamagedIsBegunAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clock")
	m := &machine{wall: time.Unix(1_800_000_000, 0), mono: time.Hour, boot: "one"}
	for _, text := range []string{"", "one", "one yesterday", "nonsense"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if now := open(t, m.source(), path)(); !now.Equal(m.wall) {
			t.Errorf("%q: %s", text, now)
		}
	}
}

func TestProcessesAgree(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clock")
	var wg sync.WaitGroup
	clocks := make([]func() time.Time, 16)
	for i := range clocks {
		wg.Go(func() {
			now, err := steady.System().Open(path)
			if err != nil {
				t.Error(err)
			}
			clocks[i] = now
		})
	}
	wg.Wait()
	for _, now := range clocks {
		if now == nil {
			t.Fatal("one did not open")
		}
		if d := time.Since(now()).Abs(); d > time.Second {
			t.Errorf("it is %s off", d)
		}
	}
}
