package textform_test

import (
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// FuzzName: a Name means what the regular expression means.
func FuzzName(f *testing.F) {
	forms := []struct {
		expr string
		name textform.Name
	}{
		{`^[a-z0-9][a-z0-9._-]{0,63}$`, textform.Name{First: textform.Lower + textform.Digit, Rest: textform.Lower + textform.Digit + "._-", Max: 64}},
		{`^[A-Za-z_][A-Za-z0-9]{0,2}$`, textform.Name{First: textform.Upper + textform.Lower + "_", Rest: textform.Alnum, Max: 3}},
		{`^[0-9a-f]{4,40}$`, textform.Name{First: textform.Hex, Rest: textform.Hex, Min: 4, Max: 40}},
	}
	for _, s := range []string{"", "a", "-a", "a-", "a\n", "abc", "abcd", "ä", "0123", "a/b", "a\x00", strings.Repeat("a", 40), strings.Repeat("a", 41), strings.Repeat("a", 64), strings.Repeat("a", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, form := range forms {
			if got, want := form.name.MatchString(s), regexp.MustCompile(form.expr).MatchString(s); got != want {
				t.Errorf("%s of %q: %v", form.expr, s, got)
			}
		}
	})
}

func TestRegexp(t *testing.T) {
	t.Parallel()
	textform.Regexp(`(`) // is not compiled
	p := textform.Regexp(`b(.)`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if !p.MatchString("abc") || p.MatchString("ab") || p.FindStringSubmatch("abc")[1] != "c" || p.ReplaceAllString("abcd", "x$1") != "axcd" || p.ReplaceAllLiteralString("abc", "$1") != "a$1" {
				t.Error("it means something else")
			}
		})
	}
	wg.Wait()
}
