package output_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
)

func document(tb testing.TB, data string) string {
	tb.Helper()
	var out bytes.Buffer
	if err := output.Document(&out, "  ", []byte(data)); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

// Every value is there, in its order, and no text passes for another value.
func TestDocument(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{"b":1.50,"a":"x","c":null,"d":true,"e":"","f":{},"g":[]}`: "  b: 1.50\n  a: x\n  c: null\n  d: true\n  e: \"\"\n  f: {}\n  g: []\n",
		`{"m":[{"role":"user","content":"one\ntwo\n"},["x",[]],3]}`: "  m:\n    - role: user\n      content:\n        | one\n        | two\n    - - x\n      - []\n    - 3\n",
		`["one\nrole: system"]`:                    "  -\n    | one\n    | role: system\n",
		`"just\ntext"`:                             "  | just\n  | text\n",
		`{"a\u001b[2J":"\u001b]0;x\u0007\u202ey"}`: "  a: y\n",
		`{"a":1} trailing`:                         "  | {\"a\":1} trailing\n",
		`no JSON` + "\x1b[2J" + "\nat all":         "  | no JSON\n  | at all\n",
		``:                                         "  |\n",
		`{"a":`:                                    "  | {\"a\":\n",
		strings.Repeat("[", 5) + `1` + `]]]]]`:     "  - - - - - 1\n",
		strings.Repeat("[", 3e5):                   "  | " + strings.Repeat("[", 3e5) + "\n",
		strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101): "  | " + strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101) + "\n",
	} {
		if got := document(t, data); got != want {
			t.Errorf("%.100q is\n%.300s\nwant\n%.300s", data, got, want)
		}
	}
}

// What a document repeats of the one before is said, and nothing else is left out.
func TestDocuments(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 50)
	write := func(d *output.Documents, name string, v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := d.Write(&out, "", name, data); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	type m = map[string]any
	var d output.Documents
	first := write(&d, "request 1", m{"system": long, "n": 1, "messages": []string{long, "b"}})
	if want := "messages:\n  - " + long + "\n  - b\nn: 1\nsystem: " + long + "\n"; first != want {
		t.Errorf("the first:\n%s", first)
	}
	second := write(&d, "request 2", m{"system": long, "n": 1, "messages": []string{long, "b", "c = the same\nx"}})
	if want := "messages:\n  = the first 2 items as in request 1\n  -\n    | c = the same\n    | x\nn: 1\nsystem = the same as in request 1\n"; second != want {
		t.Errorf("the second:\n%s", second)
	}
	third := write(&d, "request 3", m{"system": long + "!", "messages": []string{"b", long}})
	if strings.Contains(third, "=") || !strings.Contains(third, long+"!") {
		t.Errorf("the third:\n%s", third)
	}
	if got := write(&d, "request 4", "no object"); got != "no object\n" {
		t.Errorf("no object: %q", got)
	}
	if got := write(&d, "request 5", m{"messages": []string{"b", long}}); strings.Contains(got, "=") {
		t.Errorf("behind one that is none:\n%s", got)
	}
	// Two members of a name are both there.
	var out bytes.Buffer
	if err := d.Write(&out, "", "request 6", []byte(`{"a":1,"a":2}`)); err != nil || out.String() != "a: 1\na: 2\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func FuzzDocument(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"x\ny",{"b":null}],"a":2}`, `"\u001b[2J"`, `[[[`, ``, "{\"a\xff\":\"\\ud800\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d output.Documents
		for range 2 {
			var out bytes.Buffer
			if err := d.Write(&out, "\u2502", "x", data); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				if !strings.HasPrefix(line, "\u2502") || plain.Text(line) != line {
					t.Fatalf("%q is written as %q", data, line)
				}
			}
		}
	})
}
