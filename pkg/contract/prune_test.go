package contract

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/ijson"
	"github.com/vexa-ai/vexa/schemas"
)

func TestPrune(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ a, want string }{
		"what is reached":        {`{"properties":{"x":{"items":[{"$ref":"#/$defs/b"}]}}}`, "A b"},
		"a part of another":      {`{"$ref":"#/$defs/B/properties/y"}`, "A B b"},
		"itself":                 {`{"$ref":"#/$defs/A"}`, "A"},
		"another contract":       {`{"$ref":"https://vexa.ai/schemas/unit.v1#/$defs/b"}`, "A"},
		"no place to follow":     {`{"$ref":"#/properties/x"}`, "A B b c"},
		"an escaped name":        {`{"$ref":"#/$defs/a~1b"}`, "A B b c"},
		"a name that moves":      {`{"$dynamicRef":"#x"}`, "A B b c"},
		"an anchor":              {`{"$anchor":"x"}`, "A B b c"},
		"a definition not there": {`{"$ref":"#/$defs/nowhere"}`, "A B b c"},
	} {
		v, err := ijson.Parse([]byte(`{"$id":"x","anyOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/B"}],"$defs":{"A":` + c.a +
			`,"B":{"properties":{"y":{"$ref":"#/$defs/b"}}},"b":{"type":"string"},"c":true}}`))
		if err != nil {
			t.Fatal(err)
		}
		doc, _ := v.(map[string]any)
		prune(doc, "A")
		defs, _ := doc["$defs"].(map[string]any)
		if got := strings.Join(slices.Sorted(maps.Keys(defs)), " "); got != c.want {
			t.Errorf("%s: %s is left, want %s", name, got, c.want)
		}
		if _, whole := doc["anyOf"]; whole != (len(defs) == 4) || doc["$id"] != "x" {
			t.Errorf("%s: %v", name, doc)
		}
	}
}

// BenchmarkFirstInput is what a worker waits for before its first turn: the
// shape of inputs, compiled. The floor is the contract as it is written.
func BenchmarkFirstInput(b *testing.B) {
	pruned, err := Open(schemas.FS)
	if err != nil {
		b.Fatal(err)
	}
	whole, err := Open(schemas.FS)
	if err != nil {
		b.Fatal(err)
	}
	whole.plain = true
	var took [2]time.Duration
	for b.Loop() {
		for i, set := range []*Set{pruned, whole} {
			begun := time.Now()
			if _, err := set.compile("ws.v2", "Input"); err != nil {
				b.Fatal(err)
			}
			took[i] += time.Since(begun)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[0].Microseconds())/float64(b.N)/1000, "ms")
	b.ReportMetric(float64(took[0])/float64(took[1]), "x-floor")
}
