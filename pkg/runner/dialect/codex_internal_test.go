package dialect

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// Ids of calls whose end is awaited are kept as short as they are shown.
func TestKeptIDsAreShort(t *testing.T) {
	t.Parallel()
	var p codexParser
	item := `,"item":{"id":"` + strings.Repeat("é", 1<<16) + `","type":"command_execution","command":"ls"}}`
	if out := p.Line([]byte(`{"type":"item.started"` + item)); len(out) != 1 {
		t.Fatalf("%d bodies", len(out))
	}
	for id := range p.open {
		if len(id) > maxName {
			t.Errorf("an id of %d bytes is kept", len(id))
		}
	}
	out := p.Line([]byte(`{"type":"item.completed"` + item))
	if len(out) != 1 || len(p.open) != 0 {
		t.Fatalf("%d bodies, %d open", len(out), len(p.open))
	}
	if _, ok := out[0].(wsv2.ToolResult); !ok {
		t.Errorf("%T", out[0])
	}
}
