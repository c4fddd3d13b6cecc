package modelcmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// TestOptions is what the command line of vexa model test says.
type TestOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string // of the provider
	Model   string // empty: its first
}

// testFields are the JSON fields of vexa model test.
func testFields() output.Fields[api.ModelTest] {
	type t = api.ModelTest
	return output.Fields[t]{
		{Name: "ok", Value: func(x t) any { return x.OK }},
		{Name: "model", Value: func(x t) any { return x.Model }},
		{Name: "reply", Value: func(x t) any { return x.Reply }},
		{Name: "error", Value: func(x t) any { return x.Error }},
		{Name: "streaming", Value: func(x t) any { return x.Streaming }},
		{Name: "elapsedMs", Value: func(x t) any { return x.ElapsedMS }},
		{Name: "provider", Value: func(x t) any { return x.Provider }},
		{Name: "hint", Value: func(x t) any { return x.Hint }},
		{Name: "checks", Value: func(x t) any { return output.OrEmpty(x.Checks) }},
		{Name: "protocols", Value: func(x t) any { return output.OrEmpty(x.Protocols) }},
		{Name: "runners", Value: func(x t) any { return output.OrEmpty(x.Runners) }},
		{Name: "contextTokens", Value: func(x t) any { return x.ContextTokens }},
		{Name: "requests", Value: func(x t) any { return x.Requests }},
		{Name: "inputTokens", Value: func(x t) any { return x.InputTokens }},
		{Name: "outputTokens", Value: func(x t) any { return x.OutputTokens }},
	}
}

func newTest(f *factory.Factory) *cobra.Command {
	o := &TestOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "test NAME[/MODEL]",
		Short: "Try out what a model can do, and who can work with it",
		Long: "Sends a model some small requests, in each protocol that its provider is said to speak, and\n" +
			"says what came of them, a line for each: is the key accepted and the model listed, does it\n" +
			"answer, in pieces, how fast, does it say what was used, call a tool, go on with what that\n" +
			"returned, call several at once, see a picture, show what it thinks. Then which other\n" +
			"protocols its URL speaks, and which runners can work with it: directly, translated, or not.\n\n" +
			"Without MODEL it is the provider's first. A test is about ten requests of at most 512 tokens\n" +
			"each, some hundred in all where the model is brief, and at most four minutes; Ctrl-C ends it.\n" +
			"A result is yes, no, partly, or unknown where it cannot be told. Exit code 1 says that the\n" +
			"model does not answer in every protocol of its provider; what else is lacking is no failure.",
		Example: "$ vexa model test local\n" +
			"$ vexa model test local/qwen3\n" +
			"$ vexa model test local --json checks --jq '.checks[] | select(.check == \"tools\").state'\n" +
			"$ vexa model test local --json runners --jq '.runners[] | select(.state == \"yes\").runner'",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(modelNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name, o.Model, _ = strings.Cut(args[0], "/") // a provider's name has no slash, a model's may
			return runTest(cmd.Context(), o)
		},
	}
	output.AddFlags(cmd, &o.JSON, testFields().Names(), f.OutTTY)
	return cmd
}

// modelNames completes providers, and the models of those that have several.
func modelNames(ctx context.Context, c *client.Client) ([]string, error) {
	list, err := c.Models(ctx)
	var names []string
	for _, p := range list {
		names = append(names, p.Name)
		if len(p.Models) == 1 {
			continue
		}
		for _, m := range p.Models {
			names = append(names, p.Name+"/"+m)
		}
	}
	return names, err
}

func runTest(ctx context.Context, o *TestOptions) error {
	f := o.Factory
	ctx, _, unwatch := f.WatchInterrupts(ctx)
	defer unwatch()
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	trying := f.Begin("trying out %s", o.Name)
	t, err := c.TestModel(ctx, o.Name, api.TestModel{Model: o.Model}, func(p api.ModelProgress) { trying.Step("%s", doing(p)) })
	trying.End()
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		err = output.One(f.Out, &o.JSON, testFields(), t)
	} else if err = printTest(f, t); err == nil {
		err = sayMore(ctx, f, c, t)
	}
	if err == nil && !t.OK {
		err = fault.New(fault.Failed, t.Provider+"/"+t.Model+" does not answer: "+t.Error, t.Hint)
	}
	return err
}

func printTest(f *factory.Factory, t api.ModelTest) error {
	table := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "CHECK", "STATE", "PROTOCOL", "DETAIL").In(f.OutStyle())
	for _, c := range t.Checks {
		table.Row(c.Check, c.State, c.Protocol, c.Detail)
	}
	for _, r := range t.Runners {
		table.Row("runner "+r.Runner, r.State, r.Protocol, r.Detail)
	}
	return table.Flush()
}

// sayMore says what the test took, and how to make use of what the provider is
// not said to speak.
func sayMore(ctx context.Context, f *factory.Factory, c *client.Client, t api.ModelTest) error {
	f.Notice("%d requests, %d tokens read and %d written, %.1f s", t.Requests, t.InputTokens, t.OutputTokens, float64(t.ElapsedMS)/1000)
	var more []string
	for _, p := range t.Protocols {
		if p.OK && !p.Declared {
			more = append(more, p.Protocol)
		}
	}
	if len(more) == 0 || !t.OK {
		return nil
	}
	list, err := c.Models(ctx)
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.Name == t.Provider && p.Protocol != rehearsal {
			f.Say("it speaks %s, too; to have it asked so without translation, add it again:", strings.Join(more, " and "))
			f.Say("  vexa model remove %s", plain.Line(p.Name))
			f.Say("  %s", addCommand(p, more))
		}
	}
	return nil
}

// addCommand is the command that adds a provider as it is, with further
// protocols. None of its words needs to be quoted but perhaps the URL.
func addCommand(p api.Provider, more []string) string {
	words := []string{"vexa model add", p.Name, "--protocol", p.Protocol}
	for _, protocol := range append(append([]string{}, p.Also...), more...) {
		words = append(words, "--also", protocol)
	}
	words = append(words, "--url", "'"+strings.ReplaceAll(p.URL, "'", "%27")+"'")
	for _, m := range p.Models {
		words = append(words, "--model", m)
	}
	for _, m := range p.Models {
		if price, ok := p.Prices[m]; ok {
			words = append(words, "--price", m+"="+priceText(price))
		}
	}
	switch {
	case p.HasKey:
		words = append(words, "--key-file FILE")
	case !onThisMachine(p.URL):
		words = append(words, "--no-key")
	}
	if p.Default {
		words = append(words, "--default")
	}
	return plain.Line(strings.Join(words, " "))
}

// doing says what is tried next.
func doing(p api.ModelProgress) string {
	what := map[string]string{
		"reachable": "asking which models there are", "answers": "waiting for a first answer; a model may have to be loaded",
		"tools": "having it call a tool", "results": "giving it what the tool returned", "parallel": "having it call two tools",
		"images": "showing it a picture", "speaks": "trying out whether it speaks this, too",
	}[p.Check]
	if what == "" {
		what = p.Check
	}
	if p.Protocol == "" {
		return what
	}
	return p.Protocol + ": " + what
}
