// Package tool holds what the built-in agent can do: read, write, edit, list
// and search files of the granted workspaces, and run a shell where the image
// has one.
//
// File tools reach a workspace through os.Root, so that neither ".." nor a
// symbolic link leads out of it. That is for the model's sake, which should not
// lose its way; the boundary that holds against it is the container.
package tool

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/agent/model"
)

// maxOutput is the most one call returns to the model, in bytes.
const maxOutput = 64 << 10

// Options are what the tools work on.
type Options struct {
	Workdir string   // the first workspace; relative paths start here
	Others  string   // the directory of the further workspaces; may be missing
	Shell   string   // absolute path of a POSIX shell; empty: no shell tool
	Env     []string // the shell's whole environment
	// ShellTime is how long a command may run where the model says nothing;
	// zero means two minutes.
	ShellTime time.Duration
}

// Box is the set of tools of one agent. It runs one call at a time.
type Box struct {
	options Options
	places  *places
	tools   []builtin
}

// builtin is one tool: its description and what it does with its arguments.
// The returned text is the model's to read; so is the error's.
type builtin struct {
	model.Tool
	run func(ctx context.Context, arguments json.RawMessage) (string, error)
}

// New returns the tools for o.
func New(o Options) *Box {
	if o.ShellTime <= 0 {
		o.ShellTime = 2 * time.Minute
	}
	b := &Box{options: o, places: &places{workdir: o.Workdir, others: o.Others}}
	b.tools = []builtin{b.read(), b.write(), b.edit(), b.list(), b.search()}
	if o.Shell != "" {
		b.tools = append(b.tools, b.shell())
	}
	return b
}

// Tools describes the tools to a model.
func (b *Box) Tools() []model.Tool {
	out := make([]model.Tool, 0, len(b.tools))
	for _, t := range b.tools {
		out = append(out, t.Tool)
	}
	return out
}

// Run runs one call. It never fails: what goes wrong is said in the result,
// for the model to act on.
func (b *Box) Run(ctx context.Context, c model.Call) model.Result {
	output, err := b.run(ctx, c)
	if err != nil {
		if output != "" && !strings.HasSuffix(output, "\n") {
			output += "\n"
		}
		output += "error: " + err.Error()
	}
	return model.Result{ID: c.ID, Name: c.Name, OK: err == nil, Output: clip(output, maxOutput)}
}

func (b *Box) run(ctx context.Context, c model.Call) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if c.Malformed != "" {
		return "", fmt.Errorf("the arguments are not a complete JSON object; they began with %q", clip(c.Malformed, 200))
	}
	for _, t := range b.tools {
		if t.Name == c.Name {
			return t.run(ctx, c.Arguments)
		}
	}
	return "", fmt.Errorf("there is no tool %q", clip(c.Name, 100))
}

// define makes a builtin whose arguments are an A.
func define[A any](name, description, schema string, run func(context.Context, A) (string, error)) builtin {
	return builtin{
		Tool: model.Tool{Name: name, Description: description, Schema: json.RawMessage(schema)},
		run: func(ctx context.Context, arguments json.RawMessage) (string, error) {
			var a A
			if err := json.Unmarshal(arguments, &a); err != nil {
				return "", fmt.Errorf("the arguments do not fit the tool's schema: %w", err)
			}
			return run(ctx, a)
		},
	}
}

// clip shortens s to at most limit bytes, saying so, without splitting a
// character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit
	for end > 0 && s[end]&0xC0 == 0x80 {
		end--
	}
	return s[:end] + fmt.Sprintf("\n[%d more bytes]", len(s)-end)
}
