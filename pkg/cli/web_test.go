package cli_test

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// The link goes to the person's browser and then nowhere else; where there is no
// browser, or it is not wanted, it is the result.
func TestWebOpensTheBrowser(t *testing.T) {
	t.Parallel()
	const link = "http://abcdefghijklmnopqrstuvwxyz.localhost:4711/#sign-in=only-once"
	for name, c := range map[string]struct {
		args  []string
		fails bool
		shown bool // by the browser
	}{
		"open":         {args: []string{"web"}, shown: true},
		"no browser":   {args: []string{"web"}, fails: true},
		"none wanted":  {args: []string{"web", "--no-open"}},
		"link alone":   {args: []string{"web", "--print-url"}},
		"as one value": {args: []string{"web", "--json", "url"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.f.ErrTTY = func() bool { return true }
			var shown []string
			b.f.OpenURL = func(url string) error {
				if c.fails {
					return fault.New(fault.Unavailable, "no browser was found", "")
				}
				shown = append(shown, url)
				return nil
			}
			if code := b.run(c.args...); code != 0 {
				t.Fatalf("exit %d: %s", code, b.err)
			}
			if (len(shown) == 1 && shown[0] == link) != c.shown || len(shown) > 1 {
				t.Errorf("the browser was given %q", shown)
			}
			if strings.Contains(b.out.String(), link) == c.shown || strings.Contains(b.err.String(), "only-once") {
				t.Errorf("stdout %q, stderr %q", b.out, b.err)
			}
			if name == "open" && !strings.Contains(b.err.String(), "vexa web stop") {
				t.Errorf("nobody is told how to close them: %q", b.err)
			}
		})
	}
}
