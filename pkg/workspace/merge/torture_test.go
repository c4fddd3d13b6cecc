package merge_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// scraps are lines that make what they stand beside mean something else.
func scraps() []string {
	return []string{
		"a: 1\n", "a: 3\n", "a: \t1\n", "b: 2\n", "b: 4 # note 1.\n", "\"b\": 2\n", "c:\n", "c: # note 2.\n", "c: {}\n", "  x: 1\n", "  x: 2\n",
		"    deep: 1\n", "    deep: 2\n", "  y: [a, b]\n", "  y: [b, c]\n", "  # note 3.\n", "# note 4.\n", " # note 5.\n", "\t# note 6.\n", "\n", "  \n",
		"t:\n", "t:  # note 7.\n", "- a\n", "- b\n", "- c # note 8.\n", "- \"a\"\n", "- ~\n", "- x: 1\n", "  - a\n", "  - b\n",
		"t: [a, b]\n", "t: [a, c] # note 9.\n", "t: [a,\n", " b] # note 10.\n", "t: []\n", "t: [a, a]\n", "t: !!seq [a]\n", "t: [\"é\\\"\", 'b]', it's]\n",
		"d: |\n", "e: |+\n", "f: >-2\n", "    text\n", "    # text\n", "g: \"x\n", "# y\"\n", "  z\"\n", "h: 'it''s'\n", "i: {a: 1,\n", " b: 2}\n",
		"? k\n", ": v\n", "k: !!str 1\n", "é: [ü, \"a\"]\n", "j: plain\n", "  more\n",
	}
}

// TestTorture checks the properties on files that are heaps of such lines. Most
// are not YAML, and many are not what they look like.
func TestTorture(t *testing.T) {
	t.Parallel()
	all := scraps()
	r := rand.New(rand.NewPCG(3, 3))
	clean := 0
	for range 20000 {
		var base []string
		for range r.IntN(9) {
			base = append(base, all[r.IntN(len(all))])
		}
		side := func() string {
			lines := slices.Clone(base)
			for range 1 + r.IntN(2) {
				i, scrap := r.IntN(len(lines)+1), all[r.IntN(len(all))]
				switch n := r.IntN(3); {
				case n == 0 || i == len(lines):
					lines = slices.Insert(lines, i, scrap)
				case n == 1:
					lines = slices.Delete(lines, i, i+1)
				default:
					lines[i] = scrap
				}
			}
			return page(strings.Join(lines, ""))
		}
		b, o, u := page(strings.Join(base, "")), side(), side()
		if o == u || o == b || u == b {
			continue
		}
		if holds(t, b, o, u) {
			clean++
		}
		if t.Failed() {
			t.Fatalf("base:\n%s\nours:\n%s\ntheirs:\n%s", b, o, u)
		}
	}
	if clean < 100 {
		t.Errorf("only %d merged", clean)
	}
}
