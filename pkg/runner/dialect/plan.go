package dialect

import (
	"encoding/json"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// What a plan may hold: more steps are left out, and a longer one, in bytes, is cut.
const (
	maxSteps = 256
	maxStep  = 1 << 10
)

// plan is what an agent means to do. A step without a text is left out.
func plan(steps []wsv2.Step) []wsv2.Body {
	out := make([]wsv2.Step, 0, min(len(steps), maxSteps))
	for _, s := range steps {
		if s.Text, _ = cut(valid(s.Text), maxStep); s.Text != "" && len(out) < maxSteps {
			out = append(out, s)
		}
	}
	return []wsv2.Body{wsv2.Plan{Steps: out}}
}

// plan reads a list that Codex keeps. It does not say which thing is being done.
func (p *codexParser) plan(i codexItem, line []byte) []wsv2.Body {
	var items []struct {
		Text string `json:"text"`
		Done bool   `json:"completed"`
	}
	if len(i.Items) > 0 && json.Unmarshal(i.Items, &items) != nil {
		return p.result.misshapen("item/"+i.Type, line)
	}
	steps := make([]wsv2.Step, 0, len(items))
	for _, item := range items {
		state := wsv2.StepPending
		if item.Done {
			state = wsv2.StepDone
		}
		steps = append(steps, wsv2.Step{Text: item.Text, State: state})
	}
	return plan(steps)
}

// plan reads a plan of the Agent Client Protocol.
func (p *acpParser) plan(u acpUpdate, line []byte) []wsv2.Body {
	var entries []struct {
		Content string `json:"content"`
		Status  string `json:"status"`
	}
	if len(u.Entries) > 0 && json.Unmarshal(u.Entries, &entries) != nil {
		return p.result.misshapen(u.Kind, line)
	}
	steps := make([]wsv2.Step, 0, len(entries))
	for _, e := range entries {
		state := wsv2.StepPending
		switch e.Status {
		case "in_progress":
			state = wsv2.StepActive
		case "completed":
			state = wsv2.StepDone
		}
		steps = append(steps, wsv2.Step{Text: e.Content, State: state})
	}
	return plan(steps)
}
