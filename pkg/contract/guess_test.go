package contract

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/schemas"
)

// TestInvalidWithoutItsShape: an invalid example is told by its own rule where
// only the contract is named, too.
func TestInvalidWithoutItsShape(t *testing.T) {
	t.Parallel()
	n := 0
	for _, name := range Names() {
		data, err := fs.ReadFile(schemas.FS, path.Join(name, expectFile))
		if err != nil {
			t.Fatal(err)
		}
		var expected map[string]struct{ Pointer, Rule string }
		if err := json.Unmarshal(data, &expected); err != nil {
			t.Fatal(err)
		}
		for file, want := range expected {
			text, err := fs.ReadFile(schemas.FS, path.Join(name, "invalid", file))
			if err != nil {
				t.Fatal(err)
			}
			shape, _, _ := strings.Cut(file, ".")
			var got *Error
			if err := Validate(name, text); !errors.As(err, &got) {
				t.Errorf("%s, %s: %v", name, file, err)
				continue
			}
			if got.Pointer != want.Pointer || got.Rule != want.Rule {
				t.Errorf("%s, %s: %q breaks %q, want %q and %q; read as %q, want %q: %v", name, file, got.Pointer, got.Rule, want.Pointer, want.Rule, got.Shape, shape, got)
			}
			n++
		}
	}
	if n < 100 {
		t.Errorf("only %d examples", n)
	}
}
