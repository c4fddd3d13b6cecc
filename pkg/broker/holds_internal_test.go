package broker

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzHolds: a word that is there is found, wherever it stands and in whatever case.
func FuzzHolds(f *testing.F) {
	for _, s := range []string{"", "u", "ur", "url", "URL", "xuRlx", "uurl", "ururl", "lurl", "fil", "ffil", "fifil", "tool", "TOOL", "ttool", "totool", "tootool", "toolo", "ool", "furl", `\u0055`, "u000", "uu00", "0u0", "u\x00rl", "\x55\x12\x0c", "UR\x4c"} {
		for i := range 6 {
			f.Add([]byte(strings.Repeat("a", i) + s + strings.Repeat("o", i)))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, words := range [][]string{{"url", "fil", "u00"}, {"tool"}, {"aab", "aba"}, {`url"`, `ata"`, `"too`}} {
			want := false
			for i := range text {
				for _, w := range words {
					want = want || i+len(w) <= len(text) && bytes.EqualFold(ascii(text[i:i+len(w)]), []byte(w))
				}
			}
			if got := holds(text, words...); got != want {
				t.Fatalf("%q holds one of %q: %t, not %t", text, words, want, got)
			}
			if i := find(text, words...); want && holds(text[:i+len(words[0])-1], words...) {
				t.Fatalf("%q is not the first of %q in %q", text[i:], words, text)
			}
		}
	})
}

// ascii is a text in which what is no ASCII folds with nothing.
func ascii(text []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r >= 0x80 {
			return '?'
		}
		return r
	}, text)
}
