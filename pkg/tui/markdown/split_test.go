package markdown_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/tui/markdown"
	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// TestSplit: a text that is rendered block by block looks as if it were parsed
// as a whole, as long as it defines no references and no item of a list is empty.
func TestSplit(t *testing.T) {
	t.Parallel()
	zoo, _, _ := strings.Cut(zoo(t), "שלום")
	texts := []string{
		zoo, "- a\n\n  b\n\nc", "- a\n\n b", "- ```\n  a\n\n  b\n- c", "a\n```\nb\n\nc\n```\nd", "    a\n\n    b\nc", "1. a\n\n   ```\n   b\n\n   c\n   ```\n\n2. d", "> a\n\n> b",
		"- a\n ```\n b\n\nc\n ```", "# a\nb\n# c", "a\n===\n\nb\n---\n- c\n***\n- d", "- a\n- b\n\n\n- c\ntext\n\n- d", "* a\n\n- b\n\n+ c\n\n1. d\n\n1) e", "-\n\n  a", "- a\n\n\tb\n\n\t\tc", "10. a\n\n    b\n\n   c",
		"0) \n\n   ```\n\n00", // found by fuzzing
	}
	shapes := []string{
		"", "", "", "text", "- item", "  - nested", "* other", "1. one", "2) two", "   text", "    deep", "  text", "\ttab", "> quote", "> - a", "```", "```go", " ```", "  ```", "    ```", "~~~",
		"# head", " ## head", "---", "***", "===", "| a | b |", "|---|---|", "| 1 | 2 |", "a **b", "c** `d", "- [ ] task", "10. ten",
	}
	random := rand.New(rand.NewPCG(7, 7))
	for range 3000 {
		lines := make([]string, 2+random.IntN(9))
		for i := range lines {
			lines[i] = shapes[random.IntN(len(shapes))]
		}
		texts = append(texts, strings.Join(lines, "\n"))
	}
	th := theme.Dark()
	failed := 0
	for _, s := range texts {
		got, want := whole(th, 60, s), markdown.Unsplit(th, 60, s)
		if !slices.Equal(got, want) {
			if failed++; failed < 5 {
				t.Errorf("%q: %s", s, cmp.Diff(bare(want), bare(got)))
			}
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d differ", failed, len(texts))
	}
}
