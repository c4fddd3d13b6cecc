package contract

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestPredecessorExamples: what the public predecessor's services send is
// accepted, and passes through our Go types without a change of meaning.
func TestPredecessorExamples(t *testing.T) {
	t.Parallel()
	shapes := map[string]string{"spec-": "WorkloadSpec", "status-": "WorkloadStatus", "event-": "RuntimeEvent"}
	types := goTypes()
	seen := map[string]int{}
	examples(t, func(name, dir, file string, data []byte) {
		if dir != predecessorDir {
			return
		}
		seen[name]++
		shape, _, _ := strings.Cut(file, ".")
		for prefix, s := range shapes {
			if strings.HasPrefix(file, prefix) {
				shape = s
			}
		}
		id := name + "#" + shape
		for _, contract := range []string{name, id} {
			if err := Validate(contract, data); err != nil {
				t.Errorf("%s as %s: %v", file, contract, err)
			}
		}
		out, err := types[id](data)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			return
		}
		if err := Validate(id, out); err != nil {
			t.Errorf("%s becomes %s: %v", file, out, err)
		}
		if a, b := meaning(t, data), meaning(t, out); !reflect.DeepEqual(a, b) {
			t.Errorf("%s becomes %s", file, out)
		}
	})
	want := map[string]int{"identity.v1": 6, "runtime.v1": 6, "schedule.v1": 2, "transcript.v1": 7}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("%v examples, want %v", seen, want)
	}
}

// meaning reads JSON with its times as instants: 10:00:05.000Z is 10:00:05Z.
func meaning(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case string:
			if at, err := time.Parse(time.RFC3339, v); err == nil {
				return at.UTC().String()
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = walk(v[k])
			}
		}
		return v
	}
	return walk(v)
}
