package atomicfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

func TestExchangeSwapsDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for _, path := range []string{one, two} {
		if err := errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "f"), []byte(filepath.Base(path)), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := atomicfile.Exchange(one, two); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this file system swaps nothing")
	} else if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(one, "f")); err != nil || string(data) != "two" {
		t.Errorf("%s, %v", data, err)
	}
	if err := atomicfile.Exchange(one, filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
