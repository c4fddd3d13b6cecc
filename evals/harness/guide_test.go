package harness

import (
	"strings"
	"testing"
)

const aGuide = "# Otters\n\nSome text with $ signs.\n\n```\n$ vexa init        # a comment\nPassphrase: ····\nmade 3f2a91c… in …\n\njane$  git clone \\\n  vexa::notes\n" +
	"$ vexa runner build x   # untested: downloads\nwhatever\n$ vexa workspace show notes 3f2a91c\nvexa: error: no\n```\n\n```sh\n$ not a command\n```\n\n```json\n{\"a\": 1}\n```\n"

// A page's commands are what is printed behind a prompt, with what they show.
func TestAGuideIsRead(t *testing.T) {
	t.Parallel()
	g, err := readGuide(aGuide)
	if err != nil {
		t.Fatal(err)
	}
	if g.title != "Otters" || len(g.steps) != 4 || g.run() != 4 || g.untested() != 1 {
		t.Fatalf("%q, %d commands, of which %d are run", g.title, len(g.steps), g.run())
	}
	first, clone, build, show := g.steps[0], g.steps[1], g.steps[2], g.steps[3]
	if a := first.answers(); len(a) != 1 || a[0] != (answer{"Passphrase:", "correct horse"}) || first.line != 6 {
		t.Errorf("%+v of line %d", a, first.line)
	}
	if clone.who != "jane" || clone.command != "git clone vexa::notes" || clone.shows() {
		t.Errorf("%+v", clone)
	}
	if build.untested != "downloads" || first.fails() || !show.fails() {
		t.Errorf("%+v, %+v", build, show)
	}
	if _, err := readGuide("```\nvexa init\n```\n"); err == nil {
		t.Error("a command without a prompt is passed over")
	}
	g, err = readGuide("```sh\nvexa init\nvexa chat\n```\n\n```sh\naws s3 sync   # untested: no account\n```\n\n```\n$ vexa chat   # the whole screen; Ctrl-D leaves it\n```\n")
	if err != nil || len(g.scripts) != 2 || g.scripts[0].begin != "vexa init" || g.scripts[1].untested != "no account" || g.run() != 2 || g.untested() != 1 || strings.Join(g.why(), "; ") != "no account" || !g.steps[0].screen {
		t.Errorf("scripts are read as %+v, %v", g, err)
	}
}

// What is printed is what is shown, but for what the page leaves open; an id that it
// names stands for the same from then on.
func TestWhatAGuideShowsIsCompared(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"a\nb":                "a\n\nb\n",
		"A   B":               "A      B",
		"…\nz":                "a\nb\nz",
		"…":                   "a\nb",
		"z\n…":                "z",
		"a … c":               "a b c",
		"one (…) [.*]":        "one (two) [.*]",
		"Sign? [y/N] y\ndone": "Sign? [y/N] y\ndone",
		"Name: ⏎":             "Name: ",
	} {
		if err := (names{}).compare(strings.Split(want, "\n"), strings.Split(got, "\n")); err != nil {
			t.Errorf("%q: %v", want, err)
		}
	}
	for want, got := range map[string]string{
		"a\nb": "a\nb\nc", "a": "ab", "b": "a\nb", "…\nz": "a\nzz", "a … c": "a b\nc", "[.*]": "[x]",
	} {
		if err := (names{}).compare(strings.Split(want, "\n"), strings.Split(got, "\n")); err == nil {
			t.Errorf("%q is taken for %q", got, want)
		}
	}
	n := names{}
	if err := n.compare([]string{"UNIT", "01JDX4A1…  running"}, []string{"UNIT", "01M8K4SYK269MHZERG0ZQ2GNDK running"}); err != nil {
		t.Fatal(err)
	}
	if got := n.in("vexa logs 01JDX4A1 --follow"); got != "vexa logs 01M8K4SYK269MHZERG0ZQ2GNDK --follow" {
		t.Errorf("%q", got)
	}
	if err := n.compare([]string{"01JDX4A1…"}, []string{"01OTHER"}); err == nil {
		t.Error("an id stands for two")
	}
}
