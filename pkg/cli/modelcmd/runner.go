package modelcmd

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// NewRunner returns the command vexa runner.
func NewRunner(f *factory.Factory) *cobra.Command {
	return grammar.Group("runner", "Agents that can be run", newRunnerList(f, nil), newRunnerShow(f, nil))
}

// runnerFields are the JSON fields of vexa runner list.
func runnerFields() output.Fields[api.Runner] {
	type r = api.Runner
	return output.Fields[r]{
		{Name: "name", Value: func(x r) any { return x.Name }},
		{Name: "title", Value: func(x r) any { return x.Title }},
		{Name: "image", Value: func(x r) any { return x.Image }},
		{Name: "dialect", Value: func(x r) any { return x.Dialect }},
		{Name: "protocols", Value: func(x r) any { return orEmpty(x.Protocols) }},
		{Name: "resumes", Value: func(x r) any { return x.Resumes }},
	}
}

// RunnerListOptions is what the command line of vexa runner list says.
type RunnerListOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
}

func newRunnerList(f *factory.Factory, runF func(context.Context, *RunnerListOptions) error) *cobra.Command {
	o := &RunnerListOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List runners",
		Long:    "Lists the runners: the agents that a dispatch can run, each described by a manifest.",
		Example: "$ vexa runner list",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return runRunnerList(cmd.Context(), o)
		},
	}
	output.AddFlags(cmd, &o.JSON, runnerFields().Names(), f.OutTTY)
	return cmd
}

func runRunnerList(ctx context.Context, o *RunnerListOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	list, err := c.Runners(ctx)
	if err != nil {
		return err
	}
	if o.JSON.On() {
		return output.List(f.Out, &o.JSON, runnerFields(), list)
	}
	t := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "NAME", "IMAGE", "DIALECT", "PROTOCOLS", "RESUMES", "TITLE")
	for _, r := range list {
		t.Row(r.Name, r.Image, r.Dialect, strings.Join(r.Protocols, ","), yes(r.Resumes), r.Title)
	}
	return t.Flush()
}

// manifestFields are the JSON fields of vexa runner show: the members of the
// manifest.
func manifestFields() output.Fields[map[string]json.RawMessage] {
	names := []string{
		"name", "title", "image", "argv", "prompt", "stream", "session", "inference",
		"mcp", "permissions", "env", "signals", "exit", "limits", "package", "knownLimits",
	}
	var fields output.Fields[map[string]json.RawMessage]
	for _, name := range names {
		fields = append(fields, output.Field[map[string]json.RawMessage]{
			Name: name,
			Value: func(m map[string]json.RawMessage) any {
				if m[name] == nil {
					return nil
				}
				return m[name]
			},
		})
	}
	return fields
}

// RunnerShowOptions is what the command line of vexa runner show says.
type RunnerShowOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
}

func newRunnerShow(f *factory.Factory, runF func(context.Context, *RunnerShowOptions) error) *cobra.Command {
	o := &RunnerShowOptions{Factory: f}
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one runner",
		Long:              "Shows a runner's manifest (contract agent-runner.v1): its image, its command lines, how\nits stream is read, what of a session is kept and its known limits.",
		Example:           "$ vexa runner show vexa\n$ vexa runner show vexa --json argv,session",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.RunnerNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return runRunnerShow(cmd.Context(), o)
		},
	}
	output.AddFlags(cmd, &o.JSON, manifestFields().Names(), f.OutTTY)
	return cmd
}

func runRunnerShow(ctx context.Context, o *RunnerShowOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.Runner(ctx, o.Name)
	if err != nil {
		return err
	}
	if o.JSON.On() {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			return fault.Newf(fault.Internal, "read the manifest of %s: %w", o.Name, err)
		}
		return output.One(f.Out, &o.JSON, manifestFields(), members)
	}
	var m runnerv1.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return fault.Newf(fault.Internal, "read the manifest of %s: %w", o.Name, err)
	}
	return printManifest(f, m)
}

func printManifest(f *factory.Factory, m runnerv1.Manifest) error {
	p := output.NewPairs(f.Out, factory.IsTTY(f.OutTTY))
	p.Add("name", m.Name)
	p.Add("title", m.Title)
	p.Add("image", m.Image.Builtin+m.Image.Ref)
	p.Add("new", strings.Join(m.Argv.New, " "))
	p.Add("resume", strings.Join(m.Argv.Resume, " "))
	p.Add("prompt", m.Prompt)
	p.Add("stream", m.Stream.Dialect)
	p.Add("session", m.Session.ID)
	p.Add("kept", strings.Join(m.Session.Capsule, " "))
	if m.Inference != nil {
		p.Add("protocols", strings.Join(m.Inference.Protocols, " "))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Env)) {
		p.Add("env", name+"="+m.Env[name])
	}
	if m.Package != nil {
		p.Add("package", strings.TrimSpace(m.Package.Kind+" "+m.Package.Name+" "+m.Package.Version))
	}
	for _, limit := range m.KnownLimits {
		p.Add("limit", limit)
	}
	return p.Flush()
}
