// Package query makes the commands that ask the daemon for something and print
// the answer: as JSON where that is asked for, else for a person or a pipe.
package query

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/client"
)

// Ask asks a daemon for what the positional arguments of a command name.
type Ask[A any] func(ctx context.Context, c *client.Client, args []string) (A, error)

// One makes cmd print one thing. It sets RunE and the flags of JSON.
func One[T any](f *factory.Factory, cmd *cobra.Command, fields output.Fields[T], ask Ask[T], show func(T) error) *cobra.Command {
	var o output.JSON
	output.AddFlags(cmd, &o, fields.Names(), f.OutTTY)
	run(f, cmd, ask, func(answer T) error {
		if o.On() {
			return output.One(f.Out, &o, fields, answer)
		}
		return show(answer)
	})
	return cmd
}

// List makes cmd print a list. It sets RunE and the flags of JSON.
func List[T any](f *factory.Factory, cmd *cobra.Command, fields output.Fields[T], ask Ask[[]T], show func([]T) error) *cobra.Command {
	var o output.JSON
	output.AddFlags(cmd, &o, fields.Names(), f.OutTTY)
	run(f, cmd, ask, func(answer []T) error {
		if o.On() {
			return output.List(f.Out, &o, fields, answer)
		}
		return show(answer)
	})
	return cmd
}

func run[A any](f *factory.Factory, cmd *cobra.Command, ask Ask[A], show func(A) error) {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := f.Connect(cmd.Context())
		if err != nil {
			return err
		}
		defer c.Close()
		waiting := f.Begin("waiting for the daemon, which opens what it is asked about")
		answer, err := ask(cmd.Context(), c, args)
		waiting.End()
		if err != nil {
			return grammar.Argument(err)
		}
		return show(answer)
	}
}
