package dialect_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
	"github.com/vexa-ai/vexa/runners"
)

func TestTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ dialect, output, want string }{
		{
			dialect.CodexJSONL,
			`{"type":"item.completed","item":{"type":"agent_message"}}` + "\r\n" + `(node:7) Warning` + "\n\n" +
				`{"type":"item.completed","item":{"type":"dance"}}` + "\n" + `{"type":"new"}` + "\n" + `{"type":"turn.started"}` + "\n" + `{"type":"turn.comp`,
			"item.completed item.completed/agent_message turn.started",
		},
		{
			dialect.ClaudeNDJSON,
			`{"type":"assistant","message":{"content":[{"type":"text","text":"x"},{"type":"tool_use","id":"1","name":"n"}]}}` + "\n" +
				`{"type":"system","subtype":"init"}`,
			"assistant assistant/text assistant/tool_use system system/init",
		},
		{dialect.ACP, `{"type":"update","update":{"sessionUpdate":"plan","entries":[]}}`, "update update/plan"},
		{dialect.Text, `{"type":"result"}`, ""},
	} {
		got, err := dialect.Types(runnerv2.Stream{Dialect: c.dialect}, []byte(c.output))
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v; want %q", c.dialect, got, err, c.want)
		}
	}
	if _, err := dialect.Types(runnerv2.Stream{Dialect: "nobody"}, []byte("x")); !fault.Is(err, fault.Invalid) {
		t.Errorf("a dialect that nobody knows: %v", err)
	}
}

// TestTypesOfTheGoldens: what a runner that ships printed has types, and of those that say
// more than "type" finer ones too, so that a member that got another name is noticed here.
func TestTypesOfTheGoldens(t *testing.T) {
	t.Parallel()
	catalog, err := runner.Load(runners.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range catalog.List() {
		golden, err := runners.Golden(m.Name)
		if err != nil || len(golden) == 0 {
			t.Fatalf("%s: %d goldens, %v", m.Name, len(golden), err)
		}
		var all []string
		for _, output := range golden {
			types, err := dialect.Types(m.Stream, output)
			if err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
			all = append(all, types...)
		}
		finer := slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, "/") })
		switch m.Stream.Dialect {
		case dialect.Text:
			if len(all) > 0 {
				t.Errorf("%s: %q", m.Name, all)
			}
		case dialect.VexaNDJSON:
			if len(all) == 0 || finer {
				t.Errorf("%s: %q", m.Name, all)
			}
		default:
			if !finer {
				t.Errorf("%s: %q", m.Name, all)
			}
		}
	}
}
