package modelcmd

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// NewRunner returns the command vexa runner.
func NewRunner(f *factory.Factory) *cobra.Command {
	return grammar.Group("runner", "Agents that can be run", newRunnerAdd(f), newRunnerBuild(f), newRunnerList(f), newRunnerRemove(f), newRunnerShow(f), newRunnerTest(f))
}

// runnerFields are the JSON fields of vexa runner list.
func runnerFields() output.Fields[api.Runner] {
	type r = api.Runner
	return output.Fields[r]{
		{Name: "name", Value: func(x r) any { return x.Name }},
		{Name: "title", Value: func(x r) any { return x.Title }},
		{Name: "image", Value: func(x r) any { return x.Image }},
		{Name: "digest", Value: func(x r) any { return x.Digest }},
		{Name: "dialect", Value: func(x r) any { return x.Dialect }},
		{Name: "protocols", Value: func(x r) any { return output.OrEmpty(x.Protocols) }},
		{Name: "resumes", Value: func(x r) any { return x.Resumes }},
	}
}

func newRunnerList(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List runners",
		Long:    "Lists the runners: the agents that a dispatch can run, each described by a manifest, and\nwhether its image was built here: vexa runner build NAME builds it.",
		Example: "$ vexa runner list",
		Args:    grammar.Args(),
	}
	ask := func(ctx context.Context, c *client.Client, _ []string) ([]api.Runner, error) { return c.Runners(ctx) }
	return query.List(f, cmd, runnerFields(), ask, func(list []api.Runner) error {
		t := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "NAME", "IMAGE", "BUILT", "DIALECT", "PROTOCOLS", "RESUMES", "TITLE").In(f.OutStyle())
		for _, r := range list {
			t.Row(r.Name, r.Image, built(r), r.Dialect, strings.Join(r.Protocols, ","), yes(r.Resumes), r.Title)
		}
		return t.Flush()
	})
}

// built says whether the image of a runner was built here: one that is built in always is.
func built(r api.Runner) string {
	return yes(r.Digest != "" || strings.HasPrefix(r.Image, "builtin:"))
}

// manifest is a runner's manifest, and its members as they are.
type manifest struct {
	runnerv2.Manifest
	members map[string]json.RawMessage
}

func askManifest(ctx context.Context, c *client.Client, args []string) (m manifest, err error) {
	raw, err := c.Runner(ctx, args[0])
	if err != nil {
		return m, err
	}
	if err := errors.Join(json.Unmarshal(raw, &m.members), json.Unmarshal(raw, &m.Manifest)); err != nil {
		return m, fault.Newf(fault.Internal, "read the manifest of %s: %w", args[0], err)
	}
	return m, nil
}

// manifestFields are the JSON fields of vexa runner show: the members of the
// manifest.
func manifestFields() output.Fields[manifest] {
	names := []string{
		"name", "title", "image", "argv", "prompt", "stream", "session", "inference",
		"mcp", "permissions", "env", "files", "signals", "exit", "limits", "package", "knownLimits",
	}
	var fields output.Fields[manifest]
	for _, name := range names {
		fields = append(fields, output.Field[manifest]{
			Name: name,
			Value: func(m manifest) any {
				if m.members[name] == nil {
					return nil
				}
				return m.members[name]
			},
		})
	}
	return fields
}

func newRunnerShow(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one runner",
		Long:              "Shows a runner's manifest (contract agent-runner.v2): its image, its command lines, how\nits stream is read, what of a session is kept and its known limits.",
		Example:           "$ vexa runner show vexa\n$ vexa runner show vexa --json argv,session",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.RunnerNames),
	}
	return query.One(f, cmd, manifestFields(), askManifest, func(m manifest) error { return printManifest(f, m.Manifest) })
}

func printManifest(f *factory.Factory, m runnerv2.Manifest) error {
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
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		p.Add("file", name)
	}
	if m.Package != nil {
		p.Add("package", strings.TrimSpace(m.Package.Kind+" "+m.Package.Name+" "+m.Package.Version))
	}
	for _, limit := range m.KnownLimits {
		p.Add("limit", limit)
	}
	return p.Flush()
}
