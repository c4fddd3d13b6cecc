package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/cli"
)

var update = flag.Bool("update", false, "write docs/cli")

// The reference is generated from the whole command line, what cmd/vexa adds
// to it included.
func TestTheReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	committed := filepath.Join("..", "..", "docs", "cli")
	if *update {
		if err := os.RemoveAll(committed); err != nil {
			t.Fatal(err)
		}
		if err := cli.WriteDocs(cli.New(newFactory()), committed); err != nil {
			t.Fatal(err)
		}
	}
	generated := t.TempDir()
	if err := cli.WriteDocs(cli.New(newFactory()), generated); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(readDir(t, generated), readDir(t, committed)); diff != "" {
		t.Errorf("docs/cli is out of date; go test ./cmd/vexa -update writes it\n%s", diff)
	}
}

func readDir(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}
