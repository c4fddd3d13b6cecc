package runners_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/runners"
)

// What the bridge is tried with is OpenCode as it ships: one lock is renewed with the
// other.
func TestTheBridgeIsTriedWithOpenCode(t *testing.T) {
	t.Parallel()
	bridge, err := runners.FS.ReadFile("acp/image.json")
	if err != nil {
		t.Fatal(err)
	}
	if opencode, err := runners.FS.ReadFile("opencode/image.json"); err != nil || !bytes.Equal(bridge, opencode) {
		t.Errorf("acp/image.json is another than opencode/image.json: %v", err)
	}
}

// The manifest that its README shows is one.
func TestTheManifestToBeginFrom(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("acp/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(readme, []byte("```json\n"))
	manifest, _, ok := bytes.Cut(rest, []byte("```"))
	if m, err := runner.Parse(manifest); err != nil || !ok || m.Name != "qwen-acp" {
		t.Errorf("%v", err)
	}
}
