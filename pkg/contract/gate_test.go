package contract

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vexa-ai/vexa/pkg/contract/cardv1"
	"github.com/vexa-ai/vexa/pkg/contract/ijson"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/schemas"
)

func golden[T any](t *testing.T, name, file string) T {
	t.Helper()
	data, err := schemas.FS.ReadFile(name + "/golden/" + file)
	if err != nil {
		t.Fatal(err)
	}
	shape, _, _ := strings.Cut(file, ".")
	v, err := Decode[T](name+"#"+shape, data)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestGatedCallYieldsCard: the golden call of the golden gated tool becomes
// exactly the golden card.
func TestGatedCallYieldsCard(t *testing.T) {
	t.Parallel()
	tool := golden[toolv1.Tool](t, "tool.v1", "Tool.gated.json")
	call := golden[toolv1.Call](t, "tool.v1", "Call.gated.json")
	unit := golden[unitv1.Unit](t, "unit.v1", "Unit.mail.json")
	want := golden[cardv1.Card](t, "proactive-card.v1", "Card.gated.json")

	var schema, arguments any
	if schema, _ = ijson.Parse(tool.InputSchema); schema == nil {
		t.Fatal("the tool has no schema")
	}
	arguments, err := ijson.Parse(call.Arguments)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("tool:input", schema); err != nil {
		t.Fatal(err)
	}
	if err := c.MustCompile("tool:input").Validate(arguments); err != nil {
		t.Errorf("the call's arguments do not satisfy the tool: %v", err)
	}

	got, err := cardv1.FromCall(tool, call, unit, want.ID, want.ExpiresAt)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if diff := cmp.Diff(string(b), string(a)); diff != "" {
		t.Errorf("the card differs (-golden +made):\n%s", diff)
	}
	if err := Validate("proactive-card.v1", a); err != nil {
		t.Error(err)
	}
}

func TestGateRefuses(t *testing.T) {
	t.Parallel()
	tool := golden[toolv1.Tool](t, "tool.v1", "Tool.gated.json")
	auto := golden[toolv1.Tool](t, "tool.v1", "Tool.auto.json")
	call := golden[toolv1.Call](t, "tool.v1", "Call.gated.json")
	unit := golden[unitv1.Unit](t, "unit.v1", "Unit.mail.json")
	other := golden[unitv1.Unit](t, "unit.v1", "Unit.message.json")
	autoCall := call
	autoCall.Tool = auto.Name
	twice := call
	twice.Arguments = json.RawMessage(`{"to":["a@example.com"],"to":["eve@example.com"]}`)
	for _, c := range []struct {
		name string
		tool toolv1.Tool
		call toolv1.Call
		unit unitv1.Unit
		want fault.Kind
	}{
		{"another tool", auto, call, unit, fault.Denied},
		{"another dispatch", tool, call, other, fault.Denied},
		{"not gated", auto, autoCall, unit, fault.Invalid},
		{"arguments that read two ways", tool, twice, unit, fault.Invalid},
	} {
		if card, err := cardv1.FromCall(c.tool, c.call, c.unit, "x", time.Time{}); !fault.Is(err, c.want) || card.ID != "" {
			t.Errorf("%s: %+v, %v; want %s", c.name, card, err, c.want)
		}
	}
}
