// Package toolbox holds the tools that Vexa itself offers agents, by name.
//
// A tool is described by tool.v1. Being here gives nobody a tool: a dispatch has
// those that its unit names, and the broker decides on every call. Tools that
// MCP servers bring will stand beside these behind the same methods.
package toolbox

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/nearest"
)

// Builtin is a tool that runs in this process.
type Builtin struct {
	toolv1.Tool
	// Do runs a call whose arguments hold to the tool's inputSchema and writes
	// what the model gets to read, UTF-8. What its error says, the model reads,
	// too. It ends soon after the context, and may run several times at once.
	Do func(ctx context.Context, arguments json.RawMessage, out io.Writer) error
}

// Catalog is a set of tools by name. It does not change after New, and may be
// used by several goroutines.
type Catalog struct{ tools map[string]Builtin }

// New returns a catalog. The error is fault.Invalid where a tool breaks tool.v1,
// its inputSchema is none, nothing runs it, or two have the same name.
func New(tools ...Builtin) (*Catalog, error) {
	c := &Catalog{tools: map[string]Builtin{}}
	for _, t := range tools {
		data, err := json.Marshal(t.Tool)
		if err != nil {
			return nil, fault.Newf(fault.Invalid, "tool %q: %w", t.Name, err)
		}
		if err := contract.Validate("tool.v1#Tool", data); err != nil {
			return nil, fault.Wrap(fault.Invalid, "tool "+t.Name, err)
		}
		if _, err := contract.CompileSchema(t.Name, t.InputSchema); err != nil {
			return nil, err
		}
		if _, twice := c.tools[t.Name]; twice || t.Do == nil || t.Transport != toolv1.Builtin {
			return nil, fault.Newf(fault.Invalid, "tool %s is there twice, or is nothing that runs here", t.Name)
		}
		c.tools[t.Name] = t
	}
	return c, nil
}

// Shipped returns the tools that ship.
func Shipped() (*Catalog, error) { return New(echo()) }

// List returns all tools, sorted by name.
func (c *Catalog) List() []toolv1.Tool {
	out := make([]toolv1.Tool, 0, len(c.tools))
	for _, name := range slices.Sorted(maps.Keys(c.tools)) {
		out = append(out, c.tools[name].Tool)
	}
	return out
}

// Get returns the tool of exactly that name, or fault.NotFound.
func (c *Catalog) Get(name string) (toolv1.Tool, error) {
	t, err := c.find(name)
	return t.Tool, err
}

// Run runs a call; see Builtin.Do. The error is fault.NotFound where there is no
// such tool, and else the tool's own.
func (c *Catalog) Run(ctx context.Context, call toolv1.Call, out io.Writer) error {
	t, err := c.find(call.Tool)
	if err != nil {
		return err
	}
	return t.Do(ctx, call.Arguments, out)
}

func (c *Catalog) find(name string) (Builtin, error) {
	t, ok := c.tools[name]
	if !ok {
		return Builtin{}, fault.Newf(fault.NotFound, "no tool is called %.200q", name).
			WithHint(nearest.Hint(name, slices.Sorted(maps.Keys(c.tools)), "there are: ") + strings.Join(slices.Sorted(maps.Keys(c.tools)), ", ") + "; see vexa tool list")
	}
	return t, nil
}
