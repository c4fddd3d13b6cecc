package toolbox

import (
	"context"
	"encoding/json"
	"io"

	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
)

// echo tries out whether tools reach an agent: a call of it shows that the agent
// found the broker, was let in and got an answer.
func echo() Builtin {
	return Builtin{
		Tool: toolv1.Tool{
			Name:        "vexa.echo",
			Title:       "Echo",
			Description: "Returns the text that it is given. It is there to try out whether tools can be called.",
			Transport:   toolv1.Builtin,
			InputSchema: json.RawMessage(`{"type":"object","properties":{"text":{"type":"string","maxLength":65536,"description":"what is to be returned"}},"required":["text"],"additionalProperties":false}`),
			Effect:      toolv1.Read,
			Grant:       toolv1.Auto,
			Scope:       "echo",
		},
		Do: func(_ context.Context, arguments json.RawMessage, out io.Writer) error {
			var a struct {
				Text string `json:"text"`
			}
			if err := json.Unmarshal(arguments, &a); err != nil {
				return err
			}
			_, err := io.WriteString(out, a.Text)
			return err
		},
	}
}
