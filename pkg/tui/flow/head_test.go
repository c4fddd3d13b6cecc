package flow_test

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
)

// Head takes whole characters, as many as there is room for.
func TestHead(t *testing.T) {
	t.Parallel()
	family := "👨‍👩‍👧‍👦" // of 25 bytes
	for name, c := range map[string]struct {
		in   string
		size int
		want string
	}{
		"all of it":                        {"abc", 3, "abc"},
		"a part":                           {"abc", 2, "ab"},
		"nothing":                          {"abc", 0, ""},
		"less than nothing":                {"é", -1, ""},
		"a character of several is whole":  {"a" + family + "b", 26, "a" + family},
		"or is not there":                  {"a" + family + "b", 25, "a"},
		"a mark behind the end belongs to": {"ae\u0301", 2, "a"},
		"wide ones":                        {"漢字", 4, "漢"},
	} {
		if got := flow.Head(c.in, c.size); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// FuzzHead: it is what is left when the last character is taken until it fits.
func FuzzHead(f *testing.F) {
	f.Add("a👨‍👩‍👧‍👦e\u0301🇩🇪🇫🇷", 7)
	f.Add(strings.Repeat("\u0301", 9), 5)
	f.Fuzz(func(t *testing.T, s string, size int) {
		s = strings.ToValidUTF8(s[:min(len(s), 200)], "")
		want := s
		for len(want) > max(size, 0) {
			want = flow.Trim(want)
		}
		if got := flow.Head(s, min(size, 1<<20)); got != want {
			t.Fatalf("Head(%q, %d) = %q, want %q", s, size, got, want)
		}
	})
}
