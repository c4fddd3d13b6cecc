package web_test

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/browsertest"
)

// [[A name]] means the page beside the one it is in, or else the one of this name that is
// nearest to the top, and what is nowhere stays where it would be.
func TestPagesByName(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	for name, want := range map[string]string{
		"weir":            "places/weir.md",
		"WEIR#The bridge": "places/weir.md#h-the-bridge",
		"old/weir":        "places/old/weir.md",
		"beside":          "a/beside.md",
		"Beside":          "a/beside.md",
		"What?":           "a/What?.md",
		"agent":           "workspace/agent.md",
		"/beside":         "beside.md",
		"gate.png":        "pictures/gate.png",
		"nowhere":         "a/nowhere.md",
		"eir":             "a/eir.md",
		"same":            "a/x/same.md",
	} {
		var got string
		eval(t, b, `import("/assets/links.js").then(({page, inWorkspace}) => {
			const files = ["a/b.md", "places/old/weir.md", "places/weir.md", "beside.md", "a/beside.md", "pictures/gate.png", "b/x/same.md", "What?.md", "a/What?.md", "workspace/agent.md", "a/x/same.md"];
			const to = new URL(page(`+quote(name)+`, inWorkspace("notes", "a/b.md", "", files)), location.href);
			return to.searchParams.get("path") + to.hash;
		})`, &got)
		if got != want {
			t.Errorf("[[%s]] leads to %q, want %q", name, got, want)
		}
	}
}

// Where there is no such page, those of its name are a step away.
func TestAPageThatMoved(t *testing.T) {
	t.Parallel()
	p := newPerson(t, browsertest.Options{Still: true})
	p.goes("/workspaces/notes?path=old/A.md")
	p.sees("there is no old/A.md in notes")
	p.presses("text=deep/a.md")
	p.must(p.Until(`location.search === "?path=deep%2Fa.md"`))
}
