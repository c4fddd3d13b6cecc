package guides

import (
	"testing"

	"github.com/vexa-ai/vexa/evals/harness"
)

// TestGuides runs what each guide says.
func TestGuides(t *testing.T) { harness.RunGuides(t, "stage1-guides", guides()) }

func guides() []harness.Guide {
	return []harness.Guide{
		{File: "docs/how-to/chat.md", Podman: true, Before: "$ cp -r $REPO/workspaces-example ."},
		{File: "docs/how-to/workspaces.md", Podman: true, Files: map[string]string{"handbook/start.md": "Start here.\n"}},
	}
}
