package screentest_test

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/screentest"
)

// A terminal without grapheme clusters gives each code point its columns, and says that
// it knows nothing of them.
func TestUnclustered(t *testing.T) {
	t.Parallel()
	const text = "👨‍👩‍👧‍👦|👍🏽|❤\ufe0f|e\u0301|漢|"
	for kind, want := range map[screentest.Speaks][]int{
		screentest.Modern:      {2, 5, 8, 10, 13},
		screentest.Unclustered: {8, 13, 15, 17, 20},
	} {
		term := play(t, "write", screentest.Options{Speaks: kind, Env: []string{"SCREENTEST_TEXT=" + text}})
		s, err := term.Wait(within, func(s screentest.Screen) bool { return s.Contains("漢|") })
		if err != nil {
			t.Fatalf("%v\n%s", err, s.Text())
		}
		var got []int
		for x := range s.Cols {
			if s.At(x, 0).Text == "|" {
				got = append(got, x)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("kind %d: %v, want %v", kind, got, want)
		}
		for i, x := range got {
			if x != want[i] {
				t.Errorf("kind %d: bar %d is in column %d, not %d", kind, i, x, want[i])
			}
		}
	}
	for kind, want := range map[screentest.Speaks]string{screentest.Modern: "^[?2027;2$y", screentest.Unclustered: "^[?2027;0$y"} {
		term := start(t, screentest.Options{Command: []string{"sh", "-c", "stty raw -echo; printf '\\033[?2027$p'; head -c 11 | tr '\\033' '^'; exec sleep 100"}, Speaks: kind})
		if s, err := term.Wait(within, func(s screentest.Screen) bool { return s.Contains(want) }); err != nil {
			t.Errorf("kind %d: %v\n%s", kind, err, s.Text())
		}
	}
}

// Margins beyond the screen, as a program sets them that was not told yet that its
// terminal has become smaller, are those of the screen.
func TestMarginsBeyondTheScreen(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"one\x1b[1;40r\x1b[2Tend": "end", // scrolls down below what is there, and goes to the corner
		"one\x1b[30;40rend":       "oneend",
	} {
		term := play(t, "write", screentest.Options{Rows: 10, Cols: 40, Env: []string{"SCREENTEST_TEXT=" + text}})
		if s, err := term.Wait(within, func(s screentest.Screen) bool { return s.Line(0) == want }); err != nil {
			t.Errorf("%q: %v\n%s", text, err, s.Text())
		}
	}
}
