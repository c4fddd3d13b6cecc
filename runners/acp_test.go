package runners_test

import (
	"bytes"
	"testing"

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
