package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
)

// What an agent does most: it reads a file. The turns of the shipped rehearsal
// know the sentences, too.
const (
	readFile   = "read_file"
	fileName   = "number.txt"
	fileText   = "418053" // nobody guesses it
	readOne    = "Read the file " + fileName + " and tell me which number it holds. Use the tool " + readFile + "."
	readTwo    = "Read first.txt and second.txt. Call the tool " + readFile + " once for each of them, both at once."
	readSchema = `{"type":"object","properties":{"path":{"type":"string","description":"the file's name"}},"required":["path"]}`
)

func readTool() []translate.Tool {
	return []translate.Tool{{Name: readFile, Description: "Reads a file and returns what it holds.", Schema: json.RawMessage(readSchema)}}
}

// tools tries out calls of tools. It returns the answers, for what was thought in
// them.
func (t *test) tools(ctx context.Context, p inference.Protocol, stream bool) []*outcome {
	t.begin(Tools, p)
	r := say(readOne)
	r.Stream, r.StreamUsage, r.Tools = stream, stream, readTool()
	called := t.ask(ctx, each, p, r)
	c := judgeCall(p, &called)
	if c.State == No && !c.Refused && len(called.calls()) == 0 { // it answered in words: perhaps it calls where it has to
		forced := r
		forced.Choice.Mode = translate.ChooseAny
		if again := t.ask(ctx, each, p, forced); judgeCall(p, &again).State == Yes {
			c.State, c.Detail = Partly, "only where a call is asked for; left to itself it answered "+quoted(called.text())
			called = again
		}
	}
	t.add(c)
	all := []*outcome{&called}
	if c.State != Yes && c.State != Partly {
		t.add(Check{Name: Results, Protocol: p, State: Unknown, Detail: "not tried: it calls no tool"})
		t.add(Check{Name: Parallel, Protocol: p, State: Unknown, Detail: "not tried: it calls no tool"})
		return all
	}
	result := t.results(ctx, p, r, &called)
	t.parallel(ctx, p, stream)
	return append(all, result)
}

// judgeCall looks at a call that was asked for.
func judgeCall(p inference.Protocol, o *outcome) Check {
	c := Check{Name: Tools, Protocol: p, State: No}
	calls := o.calls()
	switch {
	case !o.ok():
		return o.failure(Tools, p)
	case len(calls) == 0 && o.answer.Stop == translate.StopLength:
		c.State, c.Detail = Unknown, fmt.Sprintf("it came to no call within the %d tokens that it was given", maxWords)
	case len(calls) == 0:
		c.Detail = "it calls none, and answers in words: " + quoted(o.text())
	case calls[0].Name != readFile:
		c.Detail = "it calls one that it was not offered: " + quoted(calls[0].Name)
	default:
		path, ok := pathOf(calls[0])
		if !ok {
			c.Detail = "its arguments do not hold to the tool's schema: " + quoted(calls[0].Arguments)
			return c
		}
		c.State, c.Detail = Yes, readFile+"("+quoted(path)+")"
	}
	return c
}

// pathOf returns the one argument of a call, where it is as the schema has it.
func pathOf(call translate.ToolCall) (string, bool) {
	var args map[string]any
	if json.Unmarshal([]byte(call.Arguments), &args) != nil {
		return "", false
	}
	path, ok := args["path"].(string)
	return path, ok && path != ""
}

// results gives the model what the tool returned.
func (t *test) results(ctx context.Context, p inference.Protocol, r translate.Request, called *outcome) *outcome {
	t.begin(Results, p)
	r.Items = slices.Clone(r.Items)
	for _, i := range called.answer.Items {
		if i.Kind == translate.Reasoning && i.Opaque.Data == "" && p != inference.OpenAIChat {
			continue // without its signature it cannot be given back
		}
		i.Role = translate.Assistant
		r.Items = append(r.Items, i)
	}
	for _, call := range called.calls() {
		r.Items = append(r.Items, translate.Item{Role: translate.User, Kind: translate.Result, Result: translate.ToolResult{
			CallID: call.ID, Content: []translate.Item{{Role: translate.User, Kind: translate.Text, Text: fileText}},
		}})
	}
	o := t.ask(ctx, each, p, r)
	c := Check{Name: Results, Protocol: p, State: Yes, Detail: quoted(o.text())}
	switch {
	case !o.ok():
		c = o.failure(Results, p)
	case strings.Contains(o.text(), fileText):
	case len(o.calls()) > 0:
		c.State, c.Detail = Partly, "it takes it, and calls the tool again"
	case o.text() == "":
		c.State, c.Detail = Unknown, fmt.Sprintf("it said nothing within the %d tokens that it was given", maxWords)
	default:
		c.State, c.Detail = Partly, "it takes it, and does not say what it holds: "+quoted(o.text())
	}
	t.add(c)
	return &o
}

// parallel asks for two calls in one answer.
func (t *test) parallel(ctx context.Context, p inference.Protocol, stream bool) {
	t.begin(Parallel, p)
	r := say(readTwo)
	r.Stream, r.StreamUsage, r.Tools = stream, stream, readTool()
	o := t.ask(ctx, each, p, r)
	c := Check{Name: Parallel, Protocol: p, State: No, Detail: "it calls one tool at a time"}
	paths := map[string]bool{}
	for _, call := range o.calls() {
		if path, ok := pathOf(call); ok && call.Name == readFile {
			paths[path] = true
		}
	}
	switch {
	case !o.ok():
		c = o.failure(Parallel, p)
	case len(paths) > 1:
		c.State, c.Detail = Yes, fmt.Sprintf("%d calls in one answer", len(o.calls()))
	case len(o.calls()) == 0:
		c.State, c.Detail = Unknown, "it called no tool this time"
	}
	t.add(c)
}
