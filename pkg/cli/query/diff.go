package query

import (
	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// Diff makes cmd print a unified diff, or say that there is nothing in it.
func Diff(f *factory.Factory, cmd *cobra.Command, ask Ask[api.Diff], nothing string) *cobra.Command {
	type d = api.Diff
	fields := output.Fields[d]{
		{Name: "from", Value: func(x d) any { return x.From }},
		{Name: "to", Value: func(x d) any { return x.To }},
		{Name: "patch", Value: func(x d) any { return x.Patch }},
	}
	return One(f, cmd, fields, ask, func(x d) error {
		if x.Patch == "" {
			f.Notice("%s", nothing)
		}
		return f.Printf("%s", f.Plain(x.Patch))
	})
}
