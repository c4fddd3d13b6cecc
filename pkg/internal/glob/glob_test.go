package glob_test

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/glob"
)

func TestAny(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true},
		{"a", "a/b", false},
		{"a/*", "a/b", true},
		{"a/*", "a/b/c", false},
		{"a/**", "a/b/c", true},
		{"a/**", "a", true},
		{"**/x-*.y", "a/b/x-1.y", true},
		{"**/x-*.y", "x-1.y", true},
		{"**/b/**", "a/b/c/d", true},
		{"a/[", "a/[", false},
	} {
		if got := glob.Any([]string{"none", c.pattern}, c.name); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.name, got)
		}
	}
	if glob.Check("a/[x") == nil || glob.Check("a/**/b*") != nil {
		t.Error("malformed patterns are not told from others")
	}
}
