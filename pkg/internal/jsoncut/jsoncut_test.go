package jsoncut_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// FuzzCut: what is cut out of JSON is what a parser finds in it.
func FuzzCut(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `null`, ` { "a" : 1 , "b\"c" : [ {} , "}" ] , "\u0064" : { "x" : "\\" } } `, `[1,"a,]",[2,[3]],{"a":[]},-1.5e3]`, "[\"\xff\"]", `{"é":"\\\""}`,
		`{"a":"\\"}`, `["a\\\"b\\","\"","\\\\","aaaaaaa\"bbbbbbbb\"c","\"\"\"\"\"\"\"\"\\"]`, `"\b\f\n\r\t\/\\\""`, `"\u00e9 \uD83D\ude00 é"`, `"\ud83d"`, `"\ud83d\u0041"`, `"\ud83d\n"`, `"\ude00\ud83d\ude00"`, "\"\xff\\n\"", ` "a b" `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		outline(t, data)
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil || !bytes.Equal(compact.Bytes(), jsoncut.AppendCompact(nil, data)) {
			t.Fatalf("%q is %q without space, not %q", data, compact.Bytes(), jsoncut.AppendCompact(nil, data))
		}
		var text string
		if trimmed := bytes.TrimSpace(data); json.Unmarshal(trimmed, &text) == nil && trimmed[0] == '"' {
			got, ok := jsoncut.String(trimmed)
			if ok != utf8.Valid(trimmed) || ok && got != text {
				t.Fatalf("%q is %q, not %q", trimmed, text, got)
			}
		}
		begin := bytes.TrimLeft(data, " \t\r\n")
		for _, behind := range []string{"", " ", ",1", "]", "}"} {
			if got, want := jsoncut.Length(append(bytes.Clone(begin), behind...)), len(bytes.TrimSpace(data)); got != want {
				t.Fatalf("%q before %q is %d long, not %d", begin, behind, want, got)
			}
		}
		var list []json.RawMessage
		if json.Unmarshal(data, &list) == nil {
			got := slices.Collect(jsoncut.Elements(data))
			if len(got) != len(list) {
				t.Fatalf("%q has %d elements, not %d", data, len(list), len(got))
			}
			for i := range list {
				if !bytes.Equal(list[i], got[i]) {
					t.Fatalf("%q: %q, not %q", data, list[i], got[i])
				}
			}
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(data, &object) != nil {
			return
		}
		got := map[string][]byte{}
		for m := range jsoncut.Members(data) {
			got[m.Name] = m.Value
			if s, ok := jsoncut.String(m.Raw); ok && s != m.Name {
				t.Fatalf("%q: %q, not %q", data, m.Name, s)
			}
		}
		if len(got) != len(object) {
			t.Fatalf("%q has %d members, not %d", data, len(object), len(got))
		}
		for name, want := range object {
			if !bytes.Equal(want, got[name]) {
				t.Fatalf("%q: %q is %q, not %q", data, name, want, got[name])
			}
		}
	})
}

// outline compares that of a text with what is cut out of it afterwards, for all of its
// members and for the first.
func outline(t *testing.T, data []byte) {
	t.Helper()
	var want []jsoncut.Pair
	for name, value := range jsoncut.Pairs(data) {
		want = append(want, jsoncut.Pair{Name: name, Value: value})
	}
	for _, most := range []int{len(want) + 1, len(want), 1, 0} {
		got, ok := jsoncut.Cut(data, most)
		if !ok || got.Objects != objects(t, data) {
			t.Fatalf("%q has %d objects, not %d (%t)", data, objects(t, data), got.Objects, ok)
		}
		if escapes := regexp.MustCompile(`(^|[^\\])(\\\\)*\\u`).Match(data); got.Escapes != escapes {
			t.Fatalf("%q has escapes: %t, not %t", data, escapes, got.Escapes)
		}
		if some := want[:min(most, len(want))]; len(got.Members) != len(some) || len(some) > 0 && !reflect.DeepEqual(got.Members, some) {
			t.Fatalf("the first %d members of %q are %q, not %q", most, data, some, got.Members)
		}
	}
}

// objects counts those that a parser finds.
func objects(t *testing.T, data []byte) int {
	t.Helper()
	n := 0
	for dec := json.NewDecoder(bytes.NewReader(data)); ; {
		token, err := dec.Token()
		if err != nil {
			return n
		}
		if token == json.Delim('{') || token == nil {
			n++
		}
	}
}
