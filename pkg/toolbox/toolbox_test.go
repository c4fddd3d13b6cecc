package toolbox_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/toolbox"
)

func TestEcho(t *testing.T) {
	t.Parallel()
	c, err := toolbox.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	list := c.List()
	if len(list) != 1 || list[0].Name != "vexa.echo" || list[0].Effect != toolv1.Read || list[0].Grant != toolv1.Auto {
		t.Errorf("%+v", list)
	}
	var out strings.Builder
	err = c.Run(t.Context(), toolv1.Call{Tool: "vexa.echo", Arguments: json.RawMessage(`{"text":"héllo\u0000"}`)}, &out)
	if err != nil || out.String() != "héllo\x00" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := c.Run(t.Context(), toolv1.Call{Tool: "vexa.ecko"}, &out); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), "vexa.echo") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

// A tool that breaks its contract is not offered.
func TestBrokenTools(t *testing.T) {
	t.Parallel()
	fine := toolbox.Builtin{
		Tool: toolv1.Tool{
			Name: "a", Title: "A", Description: "a", Transport: toolv1.Builtin, InputSchema: json.RawMessage(`{"type":"object"}`),
			Effect: toolv1.Read, Grant: toolv1.Auto, Scope: "a",
		},
		Do: func(context.Context, json.RawMessage, io.Writer) error { return nil },
	}
	if _, err := toolbox.New(fine, fine); !fault.Is(err, fault.Invalid) {
		t.Errorf("twice: %v", err)
	}
	for name, change := range map[string]func(*toolbox.Builtin){
		"nothing runs it":         func(b *toolbox.Builtin) { b.Do = nil },
		"its name":                func(b *toolbox.Builtin) { b.Name = "a b" },
		"its grant":               func(b *toolbox.Builtin) { b.Grant = "" },
		"another's":               func(b *toolbox.Builtin) { b.Transport, b.MCPServer = toolv1.MCP, "x" },
		"no schema":               func(b *toolbox.Builtin) { b.InputSchema = nil },
		"a schema of a string":    func(b *toolbox.Builtin) { b.InputSchema = json.RawMessage(`{"type":"string"}`) },
		"a schema that is broken": func(b *toolbox.Builtin) { b.InputSchema = json.RawMessage(`{"type":"object","required":1}`) },
		"a schema that is fetched": func(b *toolbox.Builtin) {
			b.InputSchema = json.RawMessage(`{"type":"object","$ref":"https://example.com/x"}`)
		},
		"a schema of a file": func(b *toolbox.Builtin) {
			b.InputSchema = json.RawMessage(`{"type":"object","$ref":"file:///etc/passwd"}`)
		},
	} {
		b := fine
		change(&b)
		if _, err := toolbox.New(b); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
