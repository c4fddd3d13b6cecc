package merge_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/workspace/merge"
)

// noBody conflicts wherever it is asked.
func noBody(_, _, _ []byte) ([]byte, bool, error) { return nil, false, nil }

// gitBody merges as the workspace does.
func gitBody(t *testing.T) merge.BodyMerger {
	t.Helper()
	return func(base, ours, theirs []byte) ([]byte, bool, error) {
		dir := t.TempDir()
		var names []string
		for name, text := range map[string][]byte{"base": base, "ours": ours, "theirs": theirs} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				return nil, false, err
			}
		}
		for _, name := range []string{"ours", "base", "theirs"} {
			names = append(names, filepath.Join(dir, name))
		}
		out, err := exec.Command("git", append([]string{"merge-file", "-p", "-q"}, names...)...).Output()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode() < 128 {
			return nil, false, nil
		}
		return out, err == nil, err
	}
}

// page is a file with such frontmatter.
func page(front string) string { return "---\n" + front + "---\n# Title\n" }

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

type testCase struct{ name, base, ours, theirs, want, conflict string }

// check merges the frontmatters of a case, whose conflict is "path: part of why".
func (c testCase) check(t *testing.T, wrap func(string) string) {
	t.Helper()
	got, conflicts, err := merge.Markdown([]byte(wrap(c.base)), []byte(wrap(c.ours)), []byte(wrap(c.theirs)), noBody)
	if err != nil || (got == nil) == (conflicts == nil) {
		t.Fatalf("%q, %v, %v", got, conflicts, err)
	}
	if c.conflict != "" {
		path, why, _ := strings.Cut(c.conflict, ": ")
		if len(conflicts) != 1 || conflicts[0].Path != path || !strings.Contains(conflicts[0].Why, why) {
			t.Errorf("conflicts %q, merged %q; want %q", conflicts, got, c.conflict)
		}
		return
	}
	if diff := cmp.Diff(wrap(c.want), string(got)); diff != "" || conflicts != nil {
		t.Errorf("conflicts %q\n%s", conflicts, diff)
	}
}

func run(t *testing.T, cases []testCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t, page)
			c.check(t, func(s string) string { return crlf(page(s)) })
			c.check(t, func(s string) string { return "---\n" + s + "---" }) // without a final line end
		})
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	run(t, []testCase{
		{name: "items that one side moved, and the other added to", base: "steps: [a, b, c]\n", ours: "steps: [c, a, b]\n", theirs: "steps: [a, b, c, d]\n", conflict: "steps: both sides changed it"},
		{name: "items that both sides moved", base: "steps: [a, b, c]\n", ours: "steps: [c, a, b]\n", theirs: "steps: [b, a, c]\n", conflict: "steps: both sides changed it"},
		{name: "both change other keys", base: "a: 1\nb: 2\n", ours: "a: 9\nb: 2\n", theirs: "a: 1\nb: 8\n", want: "a: 9\nb: 8\n"},
		{name: "neighbours", base: "a: 1\nb: 2\nc: 3\n", ours: "a: 1\nb: 9\nc: 3\n", theirs: "a: 8\nb: 2\nc: 8\n", want: "a: 8\nb: 9\nc: 8\n"},
		{name: "same change", base: "a: 1\nb: 2\n", ours: "a: 9\nb: 2\n", theirs: "a: 9\nb: 8\n", want: "a: 9\nb: 8\n"},
		{name: "both change a scalar", base: "status: 1\n", ours: "status: 2\n", theirs: "status: 3\n", conflict: "status: both sides changed"},
		{name: "removed and changed", base: "a: 1\nb: 2\n", ours: "b: 2\n", theirs: "a: 3\nb: 2\n", conflict: "a: one side removed it"},
		{name: "changed and removed", base: "a: 1\nb: 2\n", ours: "a: 3\nb: 2\n", theirs: "b: 2\n", conflict: "a: one side removed it"},
		{name: "removed", base: "a: 1\nb: 2\nc: 3\n", ours: "a: 1\nb: 2\nc: 4\n", theirs: "a: 1\nc: 3\n", want: "a: 1\nc: 4\n"},
		{name: "all removed", base: "a: 1\nb: 2\n", ours: "a: 1\n", theirs: "b: 2\n", want: ""},
		{name: "added", base: "a: 1\nz: 2\n", ours: "a: 1\nb: 3\nz: 2\n", theirs: "a: 1\nc: 4\nz: 2\nd: 5\n", want: "a: 1\nb: 3\nc: 4\nz: 2\nd: 5\n"},
		{name: "added first", base: "a: 1\n", ours: "a: 2\n", theirs: "new: x\na: 1\n", want: "new: x\na: 2\n"},
		{name: "added the same", base: "a: 1\n", ours: "a: 1\nb: x\n", theirs: "b: 'x'\na: 1\n", want: "a: 1\nb: x\n"},
		{name: "added differently", base: "a: 1\n", ours: "a: 1\nb: x\n", theirs: "b: y\na: 1\n", conflict: "b: both sides added"},
		{name: "added mappings", base: "a: 1\n", ours: "a: 1\nm:\n  x: 1\n  y: 2\n", theirs: "a: 1\nm:\n  x: 1\n  z: 3\n", want: "a: 1\nm:\n  x: 1\n  y: 2\n  z: 3\n"},
		{name: "empty", base: "", ours: "a: 1\n", theirs: "b: 2\n", want: "a: 1\nb: 2\n"},
		{name: "emptied", base: "a: 1\nb: 2\n", ours: "", theirs: "a: 1\nb: 2\nc: 3\n", want: "c: 3\n"},
		{name: "only comments", base: "# none\n", ours: "# none\na: 1\n", theirs: "# none\nb: 1\n", want: "# none\na: 1\n# none\nb: 1\n"},
		{name: "nested", base: "meta:\n  owner: a\n  team:\n    lead: x\n    size: 3\n", ours: "meta:\n  owner: b\n  team:\n    lead: x\n    size: 3\n", theirs: "meta:\n  owner: a\n  team:\n    lead: x\n    size: 4\n", want: "meta:\n  owner: b\n  team:\n    lead: x\n    size: 4\n"},
		{name: "nested conflict", base: "meta:\n  owner: a\n", ours: "meta:\n  owner: b\n", theirs: "meta:\n  owner: c\n", conflict: "meta.owner: both sides"},
		{name: "nested, other indent", base: "m:\n  a: 1\n  b: 2\n", ours: "m:\n    a: 1\n    b: 3\n", theirs: "m:\n  a: 9\n  b: 2\n  c: |\n    x\n      y\n", want: "m:\n    a: 9\n    b: 3\n    c: |\n      x\n        y\n"},
		{name: "nested, emptied", base: "m:\n  a: 1\n  b: 2\n", ours: "m:\n  a: 1\n", theirs: "m:\n  b: 2\n", want: "m: {}\n"},
		{name: "a mapping made a scalar", base: "m:\n  a: 1\n", ours: "m: 1\n", theirs: "m:\n  a: 2\n", conflict: "m: both sides"},
		{name: "path with a dot", base: "a.b: 1\n", ours: "a.b: 2\n", theirs: "a.b: 3\n", conflict: `"a.b": both sides`},
		{name: "path with an escape", base: `"a\e[2J": 1` + "\n", ours: `"a\e[2J": 2` + "\n", theirs: `"a\e[2J": 3` + "\n", conflict: `"a\x1b[2J": both sides`},
		{name: "key in quotes", base: "\"a\": 1\nb: 1\n", ours: "a: 1\nb: 1\n", theirs: "\"a\": 2\nb: 2\n", want: "\"a\": 2\nb: 2\n"},
		{name: "indented as a whole", base: "  a: 1\n  b: 1\n", ours: "  a: 2\n  b: 1\n", theirs: "a: 1\nb: 2\n", want: "  a: 2\n  b: 2\n"},
		{name: "flow mapping, one side", base: "m: {a: 1}\nb: 1\n", ours: "m: {a: 1}\nb: 2\n", theirs: "m: {a: 2}\nb: 1\n", want: "m: {a: 2}\nb: 2\n"},
		{name: "flow mapping, both sides", base: "m: {a: 1, b: 1}\n", ours: "m: {a: 1, b: 2}\n", theirs: "m: {a: 2, b: 1}\n", conflict: "m: the form"},
		{name: "flow mapping, same key", base: "m: {a: 1}\n", ours: "m: {a: 2}\n", theirs: "m: {a: 3}\n", conflict: "m.a: both sides"},
		{name: "all in flow style", base: "{a: 1, b: 1}\n", ours: "{a: 2, b: 1}\n", theirs: "{a: 1, b: 2}\n", conflict: ": not written as one key below the other"},
		{name: "explicit key", base: "? a\n: 1\nb: 1\n", ours: "? a\n: 2\nb: 1\n", theirs: "? a\n: 1\nb: 2\n", conflict: ": not written as one key below the other"},
		{name: "block scalars", base: "a: |\n  # no comment\n  x\nb: 1\n", ours: "a: |\n  # no comment\n  x\nb: 2\n", theirs: "a: |\n  x\n\n  # still none\nb: 1\n", want: "a: |\n  x\n\n  # still none\nb: 2\n"},
		{name: "fence in a block scalar", base: "a: |\n  ---\n  x\nb: 1\n", ours: "a: |\n  ---\n  x\nb: 2\n", theirs: "a: |\n  ---\n  y\nb: 1\n", want: "a: |\n  ---\n  y\nb: 2\n"},
		{name: "kept line ends", base: "a: |+\n  x\n\nb: 1\n", ours: "a: |+\n  x\n\n\nb: 1\n", theirs: "a: |+\n  x\n\nb: 2\n", want: "a: |+\n  x\n\n\nb: 2\n"},
		{name: "unicode", base: "näme: Zoë\n键: 值\n", ours: "näme: Zoë\n键: 新\n", theirs: "näme: 😀\n键: 值\n\"é\": [ü, ö]\n", want: "näme: 😀\n键: 新\n\"é\": [ü, ö]\n"},
	})
}

// TestForm: whatever was written stays as it was written.
func TestForm(t *testing.T) {
	t.Parallel()
	kept := "version: 1.10\nid: 0123\nhex: 0x1F\nyes: no\non: off\nday: 2024-01-05\nat: 2024-01-05T10:00:00Z\nnone: ~\nempty:\nquoted: \"a\\u00e9\"\nsingle: 'it''s'\nbig: 12345678901234567890123\nexp: 1e3\ntime: 12:30:45\nlong:\n  word\n  word\nfolded: >-\n  x\n  y\nlist:\n- a\n-   b\n# about the end\n"
	run(t, []testCase{
		{name: "values", base: kept + "a: 1\nb: 1\n", ours: kept + "a: 2\nb: 1\n", theirs: kept + "a: 1\nb: 2\n", want: kept + "a: 2\nb: 2\n"},
		{name: "values from theirs", base: "a: 1\n", ours: "a: 2\n", theirs: kept + "a: 1\n", want: kept + "a: 2\n"},
		{name: "1.10 is not 1.1", base: "v: 1.0\n", ours: "v: 1.10\n", theirs: "v: 1.1\n", conflict: "v: both"},
		{name: "0123 is not 123", base: "v: 0\n", ours: "v: 0123\n", theirs: "v: 123\n", conflict: "v: both"},
		{name: "a word is not a bool", base: "v: 0\n", ours: "v: true\n", theirs: "v: 'true'\n", conflict: "v: both"},
		{name: "nulls", base: "v: 0\nw: 1\n", ours: "v: ~\nw: 1\n", theirs: "v: null\nw: 2\n", want: "v: ~\nw: 2\n"},
		{name: "quotes and a value", base: "v: a\nw: 1\n", ours: "v: 'a'\nw: 1\n", theirs: "v: b\nw: 2\n", want: "v: b\nw: 2\n"},
		{name: "empty lines", base: "a: 1\n\nb: 1\n", ours: "a: 2\n\nb: 1\n\n", theirs: "a: 1\n\n\nb: 2\n", want: "a: 2\n\n\nb: 2\n\n"},
		{name: "comments", base: "# head\n\n# a\na: 1 # one\nm: # em\n  # x\n  x: 1\n  # in\n# b\nb: 1\n# end\n", ours: "# head\n\n# a\na: 2 # one\nm: # em\n  # x\n  x: 2\n  # in\n# b\nb: 1\n# end\n", theirs: "# head\n\n# a!\na: 1 # one\nm: # em\n  # x\n  x: 1\n  y: 1\n  # in!\n# b\nb: 2\n# end!\n", want: "# head\n\n# a!\na: 2 # one\nm: # em\n  # x\n  x: 2\n  y: 1\n  # in!\n# b\nb: 2\n# end!\n"},
		{name: "comment above, both sides", base: "# x\na: 1\n", ours: "# y\na: 1\n", theirs: "# z\na: 1\n", conflict: "a: both sides changed a comment"},
		{name: "comment behind, other value", base: "a: 1 # x\n", ours: "a: 2 # x\n", theirs: "a: 1 # y\n", conflict: "a: a comment"},
		{name: "comment at a removed key", base: "a: 1\nb: 1\n", ours: "b: 1\n", theirs: "# keep\na: 1\nb: 1\n", conflict: "a: a comment at it"},
		{name: "comment with a removed key", base: "# x\na: 1\nb: 1\n", ours: "b: 1\n", theirs: "# x\na: 1\nb: 2\n", want: "b: 2\n"},
	})
}

func TestSets(t *testing.T) {
	t.Parallel()
	run(t, []testCase{
		{name: "block", base: "t:\n  - a\n  - b\n  - c\n", ours: "t:\n  - a\n  - c\n  - x\n", theirs: "t:\n  - a\n  - b\n  - y\n  - x\n", want: "t:\n  - a\n  - x\n  - y\n"},
		{name: "block at the key", base: "t:\n- a\n", ours: "t:\n- a\n- \"b\\u00e9\"\n", theirs: "t:\n- c\n- a\n", want: "t:\n- a\n- \"b\\u00e9\"\n- c\n"},
		{name: "flow", base: "t: [a, b]\n", ours: "t: [a, b, c]\n", theirs: "t: [b, \"d\", 'e, ]']\n", want: "t: [b, c, \"d\", 'e, ]']\n"},
		{name: "flow with pads", base: "t: [ a, b ] # x\n", ours: "t: [ a, b, c ] # x\n", theirs: "t: [ b ] # x\n", want: "t: [ b, c ] # x\n"},
		{name: "flow on lines", base: "t: [\n  a,\n  b\n  ]\n", ours: "t: [\n  a,\n  b,\n  it's,\n  ]\n", theirs: "t: [\n  b\n  ]\n", want: "t: [b, it's]\n"},
		{name: "other styles", base: "t: [a]\n", ours: "t: [a, b]\n", theirs: "t:\n  - a\n  - c, d\n  - |\n    e\n  - 1.10\n", want: "t: [a, b, 'c, d', \"e\\n\", 1.10]\n"},
		{name: "all removed", base: "t:\n  - a\n  - b\n", ours: "t:\n  - a\n", theirs: "t:\n  - b\n", want: "t: []\n"},
		{name: "from empty", base: "t: []\n", ours: "t: [a]\n", theirs: "t: [b]\n", want: "t: [a, b]\n"},
		{name: "number and word", base: "t: [1]\n", ours: "t: [1, '1']\n", theirs: "t: [1, 2]\n", want: "t: [1, '1', 2]\n"},
		{name: "nested", base: "m:\n  t:\n    - a\n", ours: "m:\n  t:\n    - a\n    - b\n", theirs: "m:\n  t:\n    - a\n    - c\n", want: "m:\n  t:\n    - a\n    - b\n    - c\n"},
		{name: "an item twice", base: "t: [a]\n", ours: "t: [a, a]\n", theirs: "t: [a, b]\n", conflict: "t: both sides"},
		{name: "an item twice in the base", base: "t: [a, a]\n", ours: "t: [a]\n", theirs: "t: [b]\n", conflict: "t: both sides"},
		{name: "mappings", base: "t:\n  - a: 1\n", ours: "t:\n  - a: 2\n", theirs: "t:\n  - a: 1\n  - b: 1\n", conflict: "t: both sides"},
		{name: "mappings, one side", base: "t:\n  - a: 1\nb: 1\n", ours: "t:\n  - a: 1\nb: 2\n", theirs: "t:\n  - a: 1\n    c: 1\nb: 1\n", want: "t:\n  - a: 1\n    c: 1\nb: 2\n"},
		{name: "added on both sides", base: "a: 1\n", ours: "a: 1\nt: [a]\n", theirs: "a: 1\nt: [b]\n", conflict: "t: both sides added"},
		{name: "comment inside", base: "t:\n  - a # x\n", ours: "t:\n  - a # x\n  - b\n", theirs: "t:\n  - a # x\n  - c\n", conflict: "t: the form"},
		{name: "new comment", base: "t:\n  - a\n", ours: "t:\n  - a\n  - b # x\n", theirs: "t:\n  - a\n  - c\n", conflict: "t: a comment"},
		{name: "hash in quotes", base: "t: ['#a']\n", ours: "t: ['#a', '#b']\n", theirs: "t: ['#a', \"#c\"]\n", want: "t: ['#a', '#b', \"#c\"]\n"},
	})
}

// TestNotInterpreted: what is not plain YAML is taken where one side has changed
// it, and is a conflict else.
func TestNotInterpreted(t *testing.T) {
	t.Parallel()
	laughs := "a: &a [x]\n"
	for c := 'b'; c <= 'i'; c++ {
		p := string(c - 1)
		laughs += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+p+", ", 9) + "*" + p + "]\n"
	}
	for why, fronts := range map[string][]string{
		"is not a mapping":               {"- a\n", "word\n", "~\n", "''\n", "[a]\n"},
		"is not YAML":                    {"a: [\n", "a: b: c\n", "a: \x01\n", "a:\n\t- b\n", "\ta: 1\n", "a: \"\x00\"\n", "%YAML 1.2\na: 1\n", "a: *x\n", strings.Repeat("[", 60000) + "\n", "a: \"\\x\"\n", "a: 'open\n"},
		"has the key \"a\" twice":        {"a: 1\na: 1\n", "a: 1\n\"a\": 2\n"},
		"has an anchor or an alias":      {"a: &x 1\n", "a: &x 1\nb: *x\n", laughs, "a: &x\n"},
		"has a merge key":                {"<<: {a: 1}\n", "a: <<\n", "a:\n  <<: {b: 1}\n"},
		"has a key that is not a string": {"1: a\n", "~: a\n", "true: a\n", "[a]: b\n", "{a: b}: c\n", "2024-01-01: a\n", "m:\n  1.5: a\n"},
		"has the tag":                    {"a: !x 1\n", "a: !!binary aGk=\n", "a: !!timestamp 2024-01-01\n", "a: !!set {b}\n", "!x a: 1\n", "a: !<tag:yaml.org,2002:python/object> 1\n"},
		"has several documents":          {"a: 1\n--- x\n", "a: 1\n...\n", "a: 1\n... # x\nb: 1\n"},
		"is larger than 64 KiB":          {"a: " + strings.Repeat("x", 1<<20) + "\n"},
		"is nested more than 64 deep":    {"a: " + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "\n", "a:\n  " + strings.Repeat("- ", 5000) + "x\n"},
		"is not UTF-8":                   {"a: \xff\n", "\xff\xfea: 1\n"},
		"mixes line ends":                {"a: 1\r\nb: 2\n"},
		"has an unusual line end":        {"a: 1\rb: 2\n", "a: x\u0085\n", "a: x\u2028y\n", "\ufeffa: 1\n"},
		"is missing":                     nil,
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			var files []string
			for _, f := range fronts {
				files = append(files, page(f))
			}
			if fronts == nil {
				files = []string{"# Title\n", "", "----\na: 1\n---\n# Title\n", " ---\na: 1\n---\n# Title\n", "---\na: 1\n", "---", "\ufeff---\na: 1\n---\n# Title\n"}
			}
			for _, bad := range files {
				start := time.Now()
				one, two := page("k: 1\n"), page("k: 2\n")
				for _, v := range [][3]string{{bad, one, two}, {one, bad, two}, {one, two, bad}} {
					got, conflicts, err := merge.Markdown([]byte(v[0]), []byte(v[1]), []byte(v[2]), func(_, ours, _ []byte) ([]byte, bool, error) { return ours, true, nil })
					if got != nil || err != nil || len(conflicts) != 1 || conflicts[0].Path != "" || !strings.Contains(conflicts[0].Why, why) {
						t.Errorf("%.60q: %.60q, %q, %v", v, got, conflicts, err)
					}
				}
				for _, v := range [][3]string{{bad, one, bad}, {one, one, bad}, {bad, bad, one}, {one, bad, bad}, {bad, one, one}} {
					want := v[1]
					if v[0] == v[1] {
						want = v[2]
					}
					if got, conflicts, err := merge.Markdown([]byte(v[0]), []byte(v[1]), []byte(v[2]), noBody); string(got) != want || conflicts != nil || err != nil {
						t.Errorf("%.60q: %.60q, %q, %v", v, got, conflicts, err)
					}
				}
				// One side changed it, the other the body alone.
				if got, conflicts, err := merge.Markdown([]byte(one), []byte(one+"body\n"), []byte(bad), noBody); strings.HasSuffix(bad, "\n---\n# Title\n") && strings.HasPrefix(bad, "---\n") &&
					(string(got) != bad+"body\n" || conflicts != nil || err != nil) {
					t.Errorf("%.60q: %.60q, %q, %v", bad, got, conflicts, err)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("%.60q took %v", bad, took)
				}
			}
		})
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	a, b, c := page("a: 1\n"), page("a: 2\n"), page("a: 1\nb: 1\n")
	opt := func(s string) []byte {
		if s == "nil" {
			return nil
		}
		return []byte(s)
	}
	body := gitBody(t)
	for _, tc := range []testCase{
		{name: "unchanged", base: a, ours: a, theirs: a, want: a},
		{name: "only ours", base: a, ours: b, theirs: a, want: b},
		{name: "only theirs", base: a, ours: a, theirs: b, want: b},
		{name: "ours removed it", base: a, ours: "nil", theirs: a, want: "nil"},
		{name: "both removed it", base: a, ours: "nil", theirs: "nil", want: "nil"},
		{name: "emptied is not removed", base: a, ours: "nil", theirs: "", conflict: ": one side removed the file"},
		{name: "emptied", base: a, ours: "", theirs: a, want: ""},
		{name: "removed and changed", base: a, ours: "nil", theirs: b, conflict: ": one side removed the file"},
		{name: "added by theirs", base: "nil", ours: "nil", theirs: b, want: b},
		{name: "added the same", base: "nil", ours: b, theirs: b, want: b},
		{name: "added differently", base: "nil", ours: a, theirs: b, conflict: ": is missing"},
		{name: "no frontmatter at all", base: "1\n2\n3\n4\n", ours: "0\n2\n3\n4\n", theirs: "1\n2\n3\n5\n", want: "0\n2\n3\n5\n"},
		{name: "body and keys", base: a + "1\n2\n3\n4\n", ours: b + "0\n2\n3\n4\n", theirs: c + "1\n2\n3\n5\n", want: page("a: 2\nb: 1\n") + "0\n2\n3\n5\n"},
		{name: "body conflict", base: a + "1\n", ours: b + "2\n", theirs: c + "3\n", conflict: ": lines of the body"},
		{name: "frontmatter added, body changed", base: "# Title\n", ours: a, theirs: "# Title\nmore\n", want: a + "more\n"},
		{name: "frontmatter removed, body begins with a fence", base: a + "x\n", ours: "# Title\nx\n", theirs: "---\na: 1\n---\n---\n# Title\n---\nx\n", conflict: ": read as frontmatter"},
		{name: "line ends of one side", base: a, ours: crlf(b), theirs: c, want: crlf("---\na: 2\nb: 1\n---\n# Title\n")},
		{name: "line ends of the other side", base: "---\na: 1\n---\n", ours: "---\na: 2\n---\n", theirs: crlf("---\na: 1\nb: 1\n---\n"), want: crlf("---\na: 2\nb: 1\n---\n")},
		{name: "final line end", base: "---\na: 1\n---", ours: "---\na: 2\n---", theirs: "---\na: 1\nb: 1\n---\nbody", want: "---\na: 2\nb: 1\n---\nbody"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, conflicts, err := merge.Markdown(opt(tc.base), opt(tc.ours), opt(tc.theirs), body)
			if err != nil {
				t.Fatal(err)
			}
			if tc.conflict != "" {
				if _, why, _ := strings.Cut(tc.conflict, ": "); got != nil || len(conflicts) != 1 || conflicts[0].Path != "" || !strings.Contains(conflicts[0].Why, why) {
					t.Errorf("%q, %q", got, conflicts)
				}
				return
			}
			if want := opt(tc.want); (got == nil) != (want == nil) || string(got) != string(want) || conflicts != nil {
				t.Errorf("%q, %q", got, conflicts)
			}
		})
	}
}

func TestSeveralConflicts(t *testing.T) {
	t.Parallel()
	_, got, err := merge.Markdown([]byte(page("a: 1\nm:\n  b: 1\n")), []byte(page("a: 2\nm:\n  b: 2\n")+"x\n"), []byte(page("a: 3\nm:\n  b: 3\n")+"y\n"), noBody)
	want := []string{"a", "m.b", ""}
	var paths []string
	for _, c := range got {
		paths = append(paths, c.Path)
	}
	if err != nil || cmp.Diff(want, paths) != "" {
		t.Errorf("%q, %v", got, err)
	}
	broken := errors.New("broken")
	merged, got, err := merge.Markdown([]byte("1\n"), []byte("2\n"), []byte("3\n"), func(_, _, _ []byte) ([]byte, bool, error) { return nil, false, broken })
	if !errors.Is(err, broken) || merged != nil || got != nil {
		t.Errorf("%q, %q, %v", merged, got, err)
	}
}
