package mention_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/tui/mention"
)

func names(text string) (out []string) {
	for _, m := range mention.All(text) {
		out = append(out, m.Name)
	}
	return out
}

func TestAll(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                              nil,
		"@":                             nil,
		"a@b.org, x@":                   nil,
		"@notes/a.md":                   {"notes/a.md"},
		"see @notes/a.md, and\n@b\t@c!": {"notes/a.md", "b", "c"},
		`@my\ notes/a\\b.md x`:          {`my notes/a\b.md`},
		`@a\. @b. @c\).`:                {"a.", "b", "c)"},
		"(@a)":                          nil,
		"@漢字/🦦.md":                      {"漢字/🦦.md"},
		"@a@b":                          {"a@b"},
		"@~/x @/etc/hosts":              {"~/x", "/etc/hosts"},
		`\@/etc/hosts`:                  nil,
		`@a\`:                           {`a\`},
		"@a\\\n@b":                      {`a\`, "b"},
		"@...":                          nil,
	} {
		if got := names(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string // | is the cursor
		name string
		ok   bool
		word string
	}{
		{"@|", "", true, "@"},
		{"|@a", "", false, ""},
		{"@no|tes x", "no", true, "@notes"},
		{"see @notes/a|", "notes/a", true, "@notes/a"},
		{"see @notes/a |", "", false, ""},
		{`see @my\ no|tes x`, "my no", true, `@my\ notes`},
		{"a@b|", "", false, ""},
		{"@a\nb|", "", false, ""},
		{"@a\n@b.|", "b.", true, "@b."},
		{"@a @b| @c", "b", true, "@b"},
	} {
		cursor := strings.IndexByte(c.text, '|')
		text := c.text[:cursor] + c.text[cursor+1:]
		m, ok := mention.At(text, cursor)
		if ok != c.ok || m.Name != c.name || text[m.From:m.To] != c.word {
			t.Errorf("%q: %+v, %t", c.text, m, ok)
		}
	}
	for _, cursor := range []int{-1, 3} {
		if _, ok := mention.At("@a", cursor); ok {
			t.Errorf("a cursor at %d is in a mention", cursor)
		}
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	dirs := map[string]string{"notes": "", "handbook": "/workspaces/ws_1"}
	for in, want := range map[string]string{
		"":                            "",
		"no mention, a@handbook:b":    "no mention, a@handbook:b",
		"@handbook:a.md, @notes:b.md": "/workspaces/ws_1/a.md, @b.md",
		`@handbook:my\ a.md!`:         `"/workspaces/ws_1/my a.md"!`,
		`@notes:my\ a.md @other:c`:    `@my\ a.md @other:c`,
		"@a.md @handbook: @~/x":       "@a.md @handbook: @~/x",
	} {
		if got := mention.Place(in, dirs); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// What Place made of a text is as it was written again; what lies elsewhere stays.
func TestUnplace(t *testing.T) {
	t.Parallel()
	dirs := map[string]string{"notes": "", "handbook": "/workspaces/ws_1", "x": "/workspaces/ws_2"}
	for _, text := range []string{
		"cat @handbook:house/rules.md", "@handbook:a.md, and @x:b/c.md.", `see @handbook:my\ rules.md and more`, "@handbook:a @handbook:b", "@a.md", "",
		`"@handbook:a"`,
	} {
		if got := mention.Unplace(mention.Place(text, dirs), dirs); got != text {
			t.Errorf("%q: %q", text, got)
		}
	}
	for _, text := range []string{"/workspaces/ws_3/a", "/workspaces/ws_1", "/workspaces/ws_10/a"} {
		if got := mention.Unplace(text, dirs); got != text {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// FuzzWrite: a name that is written is the one that is read, wherever it stands; and what
// is read is where it is said to be.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{"notes/a.md", "my notes/a", `a\b`, "x.", "x)", "a\tb", "@", `\`, "漢 字", "a\nb", ". ", "x\\."} {
		f.Add(s, "before ", " after")
	}
	f.Fuzz(func(t *testing.T, name, before, after string) {
		for _, text := range []string{before + name + after, name} {
			for _, m := range mention.All(text) {
				if m.From < 0 || m.To > len(text) || text[m.From] != '@' || m.Name == "" {
					t.Fatalf("%q: %+v", text, m)
				}
				at, ok := mention.At(text, m.To)
				if ok && at.From == m.From && at.Name != m.Name {
					t.Fatalf("%q: %+v, at its end %+v", text, m, at)
				}
			}
		}
		if name == "" || strings.Contains(name, "\n") {
			return
		}
		if placed := mention.Place(before+" "+mention.Write("w:"+name), map[string]string{"w": ""}); !strings.HasSuffix(placed, " "+mention.Write(name)) && !strings.HasSuffix(before, `\`) && !strings.Contains(before, "@") {
			t.Fatalf("%q is placed as %q", name, placed)
		}
		for _, text := range []string{mention.Write(name), "x " + mention.Write(name) + " y"} {
			if got := names(text); len(got) != 1 || got[0] != name {
				t.Fatalf("%q is read as %q in %q", name, got, text)
			}
		}
	})
}
