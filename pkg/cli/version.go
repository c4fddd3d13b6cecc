package cli

import (
	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// versionFields are the JSON fields of vexa version.
func versionFields() output.Fields[factory.Version] {
	type v = factory.Version
	return output.Fields[v]{
		{Name: "version", Value: func(x v) any { return x.Version }},
		{Name: "commit", Value: func(x v) any { return x.Commit }},
		{Name: "date", Value: func(x v) any { return x.Date }},
		{Name: "go", Value: func(x v) any { return x.Go }},
	}
}

func newVersionCmd(f *Factory) *cobra.Command {
	var o output.JSON
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Prints the version of this program; vexa daemon status prints that of the daemon.",
		Example: "$ vexa version",
		Args:    grammar.Args(),
		RunE: func(*cobra.Command, []string) error {
			if o.On() {
				return output.One(f.Out, &o, versionFields(), f.Version)
			}
			return printVersion(f)
		},
	}
	output.AddFlags(cmd, &o, versionFields().Names(), f.OutTTY)
	return cmd
}

func printVersion(f *Factory) error { return f.Printf("vexa %s\n", f.Version.Version) }
