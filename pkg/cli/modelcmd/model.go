// Package modelcmd holds the commands about what agents think with: vexa model,
// and what they are: vexa runner.
package modelcmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
)

// New returns the command vexa model.
func New(f *factory.Factory) *cobra.Command {
	return grammar.Group("model", "Where models are and which there are",
		newAdd(f), newList(f), newTest(f), newPrice(f), newRemove(f), newRecord(f))
}

// providerFields are the JSON fields of a provider. They only ever grow, and
// never hold a key.
func providerFields() output.Fields[api.Provider] {
	type p = api.Provider
	return output.Fields[p]{
		{Name: "name", Value: func(x p) any { return x.Name }},
		{Name: "protocol", Value: func(x p) any { return x.Protocol }},
		{Name: "url", Value: func(x p) any { return x.URL }},
		{Name: "models", Value: func(x p) any { return output.OrEmpty(x.Models) }},
		{Name: "cassette", Value: func(x p) any { return x.Cassette }},
		{Name: "hasKey", Value: func(x p) any { return x.HasKey }},
		{Name: "default", Value: func(x p) any { return x.Default }},
		{Name: "also", Value: func(x p) any { return output.OrEmpty(x.Also) }},
		{Name: "prices", Value: func(x p) any {
			if x.Prices == nil {
				return map[string]api.Price{}
			}
			return x.Prices
		}},
	}
}

func newList(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List providers and their models",
		Long:    "Lists the providers. The first model of the default provider is used where none is named.",
		Example: "$ vexa model list\n$ vexa model list --json name,models",
		Args:    grammar.Args(),
	}
	ask := func(ctx context.Context, c *client.Client, _ []string) ([]api.Provider, error) { return c.Models(ctx) }
	return query.List(f, cmd, providerFields(), ask, func(list []api.Provider) error {
		if len(list) == 0 {
			f.Notice("no models yet; add one with: vexa model add, or let vexa init find one")
			return nil
		}
		t := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "NAME", "PROTOCOL", "WHERE", "MODELS", "KEY", "DEFAULT").In(f.OutStyle())
		for _, p := range list {
			where := p.URL
			if p.Cassette != "" {
				where = p.Cassette
			}
			t.Row(p.Name, p.Protocol, where, strings.Join(p.Models, ","), yes(p.HasKey), yes(p.Default))
		}
		return t.Flush()
	})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
