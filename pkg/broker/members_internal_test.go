package broker

import (
	"strconv"
	"testing"
)

// The quick way to fold a name is the same as the slow one.
func TestFolded(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"source": "SOURCE", "SouRCE": "SOURCE", "\u017fource": "SOURCE", "to\u212a": "TOK", "file_url": "FILE_URL", "é": "É", "": "", "@[`{": "@[`{",
	} {
		if got := folded(name); got != want {
			t.Errorf("%q is folded to %q, not %q", name, got, want)
		}
	}
}

// A name that is known is the one that stands there, and folded as any other.
func TestKnownNames(t *testing.T) {
	t.Parallel()
	found := 0
	for _, name := range []string{
		"type", "role", "content", "text", "id", "name", "description", "input_schema", "parameters", "call_id", "arguments", "output",
		"Type", "TYPE", "typ", "types", "", "model", "url",
	} {
		got, key := known([]byte(strconv.Quote(name)))
		if key == "" {
			continue
		}
		if found++; got != name || key != folded(name) {
			t.Errorf("%q is %q and %q", name, got, key)
		}
	}
	if found != 12 {
		t.Errorf("%d are known", found)
	}
}
