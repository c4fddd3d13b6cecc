package rehearsal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
)

func parse(data string) (*rehearsal.Cassette, error) {
	return rehearsal.Parse("c.yaml", "c", []byte(data))
}

func TestParse(t *testing.T) {
	t.Parallel()
	c, err := parse(`
version: 1
name: demo
turns:
  - match: {user: 'say (?P<what>\w+)'}
    reply:
      - text: "{{what}} and {{1}}"
      - delay: 5ms
      - tool: {name: [a, b], arguments: {n: 3, deep: [{s: "{{ what }}"}]}}
    usage: {input: 3, output: 4}
  - match: always
    reply: [{error: {status: 529, message: busy}}]
`)
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "demo" || len(c.Turns) != 2 || c.Turns[0].Line != 5 || c.Turns[0].Usage.Output != 4 || len(c.Turns[0].Reply) != 3 {
		t.Fatalf("parsed %+v", c)
	}
	if e := c.Turns[1].Reply[0].Error; e.Status != 529 || e.Message != "busy" {
		t.Fatalf("error %+v", e)
	}
}

// Each of these is wrong in one place, and the message names the line of it.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const head = "version: 1\nturns:\n"
	for name, c := range map[string]struct {
		data string
		want string // of the message
	}{
		"empty":                  {"", "c.yaml: is empty"},
		"no YAML":                {"a: [", "c.yaml: line 1"},
		"a list":                 {"- a\n", "c.yaml:1: should be a mapping"},
		"no version":             {"turns: []\n", "needs version: 1"},
		"another version":        {"version: 2\nturns: []\n", "needs version: 1"},
		"no turns":               {"version: 1\nturns: []\n", "needs turns"},
		"two documents":          {head + "  - match: always\n    reply: [{text: a}]\n---\nx: 1\n", "more than one document"},
		"a bad name":             {"version: 1\nname: \"a\\nb\"\nturns: []\n", "is not a cassette's name"},
		"unknown key":            {"version: 1\nturn: []\n", `c.yaml:2: unknown key "turn"`},
		"key twice":              {"version: 1\nversion: 1\nturns: []\n", "c.yaml:2: \"version\" stands twice"},
		"unknown key in a turn":  {head + "  - match: always\n    reply: [{text: a}]\n    when: now\n", `c.yaml:5: unknown key "when"`},
		"no reply":               {head + "  - match: always\n", "c.yaml:3: a turn needs match and reply"},
		"empty reply":            {head + "  - match: always\n    reply: []\n", "c.yaml:4: reply should be a list"},
		"empty match":            {head + "  - match: {}\n    reply: [{text: a}]\n", "c.yaml:3: match needs"},
		"match on first alone":   {head + "  - match: {first: true}\n    reply: [{text: a}]\n", "c.yaml:3: match needs"},
		"always and user":        {head + "  - match: {always: true, user: a}\n    reply: [{text: a}]\n", "c.yaml:3: always should"},
		"a bad pattern":          {head + "  - match:\n      user: '('\n    reply: [{text: a}]\n", "c.yaml:4: missing closing )"},
		"two things in one step": {head + "  - match: always\n    reply:\n      - text: a\n        delay: 1s\n", "c.yaml:5: needs exactly one"},
		"a bad delay":            {head + "  - match: always\n    reply:\n      - delay: soon\n", "c.yaml:5: delay should be"},
		"a long delay":           {head + "  - match: always\n    reply:\n      - delay: 2h\n", "c.yaml:5: delay should be"},
		"a bad status":           {head + "  - match: always\n    reply:\n      - error: {status: 200}\n", "c.yaml:5: status should be"},
		"after an error":         {head + "  - match: always\n    reply:\n      - error: {}\n      - text: a\n", "c.yaml:6: nothing follows"},
		"a tool without a name":  {head + "  - match: always\n    reply:\n      - tool: {arguments: {}}\n", "c.yaml:5: a tool needs a name"},
		"arguments that are none": {
			head + "  - match: always\n    reply:\n      - tool: {name: a, arguments: [1]}\n", "c.yaml:5: arguments should be",
		},
		"a capture that is not there": {head + "  - match: {user: 'a'}\n    reply: [{text: 'x {{1}}'}]\n", "c.yaml:4: {{1}}: nothing is called"},
		"a name that is not there":    {head + "  - match: {user: '(?P<b>a)'}\n    reply: [{text: 'x {{c}}'}]\n", "there is lastUser, previousUser, toolResult, 0, 1, b"},
		"an unknown function":         {head + "  - match: {user: '(a)'}\n    reply: [{text: '{{upper 1}}'}]\n", `there is no function "upper"`},
		"a bad template in arguments": {
			head + "  - match: always\n    reply:\n      - tool:\n          name: a\n          arguments: {x: [{y: '{{1}}'}]}\n", "c.yaml:7: {{1}}",
		},
		"negative usage": {head + "  - match: always\n    reply: [{text: a}]\n    usage: {input: -1}\n", "c.yaml:5: input should be"},
		"an alias":       {"version: 1\nturns:\n  - &a\n    match: always\n    reply: [{text: a}]\n  - *a\n", "anchors and aliases"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cassette, err := parse(c.data)
			if err == nil {
				t.Fatalf("parsed as %+v", cassette)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q; want %q in it", err, c.want)
			}
			var syntax *rehearsal.SyntaxError
			if !fault.Is(err, fault.Invalid) || !errors.As(err, &syntax) {
				t.Errorf("error %#v is not a syntax error", err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(rehearsal.Shipped())
	f.Add([]byte("version: 1\nturns:\n  - match: always\n    reply: [{text: '{{lastUser}}'}]\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := rehearsal.Parse("f", "f", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("cassette %v, error %v", c, err)
		}
	})
}
