package harness

import (
	"strings"
	"testing"
)

// What a command prints is kept by its beginning and its end, whatever else is printed.
func TestEvidenceIsForReaders(t *testing.T) {
	t.Parallel()
	long := "begin" + strings.Repeat("é", 1<<20) + "end\n"
	log := "# a claim\n> one\n[stdout]\nfirst\n> two\n" + long + "> three\nthird\n"
	got := shortened(log)
	for _, want := range []string{"# a claim\n> one\n[stdout]\nfirst\n> two\nbegin", " bytes …]", "end\n> three\nthird\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not kept", want)
		}
	}
	if len(got) > keptHead+keptTail+200 || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("%d bytes are kept", len(got))
	}
	if all := "> one\nfirst\nwithout an end"; shortened(all) != all {
		t.Errorf("%q", shortened(all))
	}
}

// Of a script that failed its end is shown, and little else.
func TestTheEndOfAFailedScript(t *testing.T) {
	t.Parallel()
	first := "# begins\n" + strings.Repeat("> early\n", 200)
	if got, want := ending(first+"# fails\n> one\nFAIL: here\n\n"), "# fails\n> one\nFAIL: here\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	got := ending(first + "FAIL: here\n")
	if n := strings.Count(got, "\n"); n > shownLines+1 {
		t.Errorf("%d lines are shown", n)
	}
	if !strings.HasPrefix(got, "# begins\n[…]\n> early\n") || !strings.HasSuffix(got, "> early\nFAIL: here\n") {
		t.Errorf("%q", got)
	}
}
