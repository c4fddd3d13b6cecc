package syntax_test

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/tui/flow"
	"github.com/vexa-ai/vexa/pkg/tui/syntax"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

func joined(lines []flow.Line) string {
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.Text()
	}
	return strings.Join(texts, "\n")
}

// styleOf is the style of the first run that is text.
func styleOf(lines []flow.Line, text string) (theme.Set, bool) {
	for _, l := range lines {
		for _, r := range l {
			if strings.TrimSpace(r.Text) == text || strings.Contains(r.Text, text) && r.Style&^theme.Of(theme.CodeBlock) == 0 {
				return r.Style, true
			}
		}
	}
	return 0, false
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code string
		want map[string]theme.Role
	}{
		"go": {"package main // why\nfunc main() {\n\tx := \"t\\\"x\" + `raw\nraw` + 0x2a\n\treturn int(nil)\n}", map[string]theme.Role{
			"package": theme.Keyword, "// why": theme.Comment, "main": theme.Text, `"t\"x"`: theme.String, "raw`": theme.String, "0x2a": theme.Number, "int": theme.Type, "nil": theme.Number,
		}},
		"python": {"def f(self):\n    '''doc\n    def g\n    '''\n    return f\"x\" # c", map[string]theme.Role{
			"def": theme.Keyword, "f": theme.Function, "'''doc": theme.String, "def g": theme.String, "'''": theme.String, "return": theme.Keyword, "# c": theme.Comment,
		}},
		"rust": {"fn f<'a>(x: &'a str) {}", map[string]theme.Role{"fn": theme.Keyword, "str": theme.Type}},
		"sh":   {"for x in $HOME/a#b; do # c", map[string]theme.Role{"for": theme.Keyword, "$HOME": theme.Type, "# c": theme.Comment, "a#b": theme.Text}},
		"json": {`{"key": "value", "n": 12, "t": true}`, map[string]theme.Role{`"key"`: theme.Type, `"value"`: theme.String, "12": theme.Number, "true": theme.Number}},
		"yaml": {"key: don't # c", map[string]theme.Role{"key": theme.Type, "don't": theme.Text, "# c": theme.Comment}},
		"SQL":  {"SELECT a FROM t -- c", map[string]theme.Role{"SELECT": theme.Keyword, "a": theme.Text, "-- c": theme.Comment}},
		"diff": {"@@ -1 +1 @@\n-a\n+b\n c", map[string]theme.Role{"@@ -1 +1 @@": theme.Accent, "-a": theme.Removed, "+b": theme.Added, "c": theme.Text}},
		"html": {"<a href=\"x\">if</a><!-- for\nmore -->", map[string]theme.Role{"<a": theme.Type, "href": theme.Function, `"x"`: theme.String, "if": theme.Text, "</a": theme.Type, "<!-- for": theme.Comment, "more -->": theme.Comment}},
		"c":    {"#include <x.h>\n/* a\nb */ int main", map[string]theme.Role{"#include": theme.Keyword, "b */": theme.Comment, "int": theme.Type}},
	} {
		lines := syntax.Highlight(c.code+"\n", name, theme.Of(theme.CodeBlock))
		if got := joined(lines); got != c.code {
			t.Errorf("%s: the text became %q", name, got)
		}
		for text, role := range c.want {
			got, ok := styleOf(lines, text)
			if want := theme.Of(theme.CodeBlock, role); !ok || got|1 != want|1 {
				t.Errorf("%s: %q has %b, not %b (%v)", name, text, got, want, ok)
			}
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{"a/b.go": "go", "x/Containerfile": "dockerfile", "Makefile": "make", "a.PY": "py", "README": "", "go": "", "x.klingon": "", "": "", "a/": ""} {
		if got := syntax.Language(file); got != want {
			t.Errorf("Language(%q) = %q", file, got)
		}
	}
}

func TestUnknownColoursNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "klingon", "[!-\\", strings.Repeat("x", 1000)} {
		lines := syntax.Highlight("func \"x\"\n\n1", name, 0)
		if joined(lines) != "func \"x\"\n\n1" || len(lines[0]) != 1 || lines[0][0].Style != 0 {
			t.Errorf("%q: %v", name, lines)
		}
	}
}

// FuzzHighlight: colouring changes no text, whatever the language.
func FuzzHighlight(f *testing.F) {
	for i, s := range []string{"", "\n\n", "'''", `"\`, "/*", "<script>var x", "<!--", "</", "$(", "\u2028 漢\t", "0x", "a\\"} {
		f.Add(s, uint8(i))
	}
	names := []string{"go", "python", "js", "ts", "bash", "json", "yaml", "toml", "rust", "c", "c++", "java", "html", "css", "sql", "diff", "docker", "make", "ruby", "php", "kotlin", "swift", "xml", "ini", "lua", "c#", "proto", "tf", "zig", ""}
	f.Fuzz(func(t *testing.T, s string, which uint8) {
		name := names[int(which)%len(names)]
		if got := joined(syntax.Highlight(s, name, 0)); got != strings.TrimSuffix(s, "\n") {
			t.Fatalf("%s: %q became %q", name, s, got)
		}
	})
}

func BenchmarkHighlight(b *testing.B) {
	code := strings.Repeat("func main() {\n\tx := \"text\" // why\n\treturn int(0x2a)\n}\n", 1000)
	for _, name := range []string{"go", "python", "js"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(code)))
			for b.Loop() {
				syntax.Highlight(code, name, 0)
			}
		})
	}
}
