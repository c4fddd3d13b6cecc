package steady_test

import (
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/steady"
)

func now(t *testing.T, s steady.Source) steady.Moment {
	t.Helper()
	m, err := s.Moment()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMomentsAreCompared by the machine's own clock, whatever the time of day.
func TestMomentsAreCompared(t *testing.T) {
	t.Parallel()
	m := &machine{wall: time.Unix(1_800_000_000, 0), mono: time.Hour, boot: "one"}
	first := now(t, m.source())
	m.wall, m.mono = m.wall.Add(87600*time.Hour), m.mono+time.Minute
	second := now(t, m.source())
	if d, same := second.Since(first); !same || d != time.Minute {
		t.Errorf("got %s, %t", d, same)
	}
	if d, same := first.Since(second); !same || d != 0 {
		t.Errorf("backwards: got %s, %t", d, same)
	}
	m.boot, m.mono = "two", 2*time.Hour
	if d, same := now(t, m.source()).Since(first); same {
		t.Errorf("after a start of the machine: got %s", d)
	}
}

func TestSystemMomentsGoOn(t *testing.T) {
	t.Parallel()
	first := now(t, steady.System())
	if d, same := now(t, steady.System()).Since(first); !same || d > time.Minute || first.Boot == "" || first.Up <= 0 {
		t.Errorf("got %s, %t from %s", d, same, first)
	}
}

func FuzzParseMoment(f *testing.F) {
	f.Add("one 60000000000")
	for _, text := range []string{"", " ", "one", "one ", " 1", "one -1", "one +1", "one 01", "one 1 ", "one two", "one 9223372036854775808"} {
		if m, ok := steady.ParseMoment(text); ok {
			f.Errorf("%q is taken for %v", text, m)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if m, ok := steady.ParseMoment(text); ok && (m.String() != text || m.Up < 0) {
			t.Errorf("%q is read as %q", text, m)
		}
	})
}
