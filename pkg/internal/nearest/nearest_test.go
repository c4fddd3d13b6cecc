package nearest_test

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/nearest"
)

func TestTo(t *testing.T) {
	t.Parallel()
	names := []string{"personal", "notes", "handbook", "ab"}
	for word, want := range map[string]string{
		"notse": "notes", "note": "notes", "no": "notes", "n": "", "persnal": "personal", "hnadbook": "handbook",
		"something": "", "": "", "notes": "notes", "xy": "", "abc": "ab",
	} {
		if got := nearest.To(word, names); got != want {
			t.Errorf("%q is taken for %q, want %q", word, got, want)
		}
	}
	if got := nearest.Hint("notse", names, "list them"); got != "did you mean notes? list them" {
		t.Errorf("hint %q", got)
	}
	if got := nearest.Hint("something", names, "list them"); got != "list them" {
		t.Errorf("hint %q", got)
	}
}
