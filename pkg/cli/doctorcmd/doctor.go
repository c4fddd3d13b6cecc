// Package doctorcmd holds vexa doctor.
package doctorcmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
)

// Options is what the command line of vexa doctor says.
type Options struct {
	Factory *factory.Factory
	Fix     bool
	Yes     bool
	User    string
}

// New returns the command vexa doctor. runF, where it is not nil, runs instead
// of the command itself.
func New(f *factory.Factory, runF func(context.Context, *Options) error) *cobra.Command {
	o := &Options{Factory: f}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine lacks",
		Args:  grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return nil
		},
	}
	return cmd
}
