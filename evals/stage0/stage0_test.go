package stage0

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/evals/harness"
)

// TestClaims runs the scripts beside it.
func TestClaims(t *testing.T) { harness.Run(t, "stage0", ".") }

// The table of what is proven has each script beside it.
func TestEachClaimIsListed(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	for _, s := range scripts {
		if !strings.Contains(string(text), "["+strings.TrimSuffix(s, ".txtar")+"](stage0/"+s+")") {
			t.Errorf("evals/README.md does not say what %s proves", s)
		}
	}
}
