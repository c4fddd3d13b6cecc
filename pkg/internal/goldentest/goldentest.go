// Package goldentest reads what a test must have made from a file of its testdata.
package goldentest

import (
	"os"
	"path/filepath"
	"testing"
)

// Want returns testdata/NAME.golden, which with update is written first, with got.
// Tests that run at the same time may call it, each with its own name.
func Want(t *testing.T, name, got string, update bool) string {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(want)
}
