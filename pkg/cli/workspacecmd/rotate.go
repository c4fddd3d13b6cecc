package workspacecmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// RotateOptions is what the command line of vexa workspace rotate says.
type RotateOptions struct {
	Factory       *factory.Factory
	JSON          output.JSON
	Name          string
	Reencrypt     bool
	ReencryptOnly bool
}

func rotatedFields() output.Fields[api.Rotated] {
	type r = api.Rotated
	return output.Fields[r]{
		{Name: "generation", Value: func(x r) any { return x.Generation }},
		{Name: "epoch", Value: func(x r) any { return x.Epoch }},
		{Name: "packs", Value: func(x r) any { return x.Packs }},
	}
}

func newRotate(f *factory.Factory) *cobra.Command {
	o := &RotateOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Begin a new key for what comes, and encrypt what is there again",
		Long: "Begins a new epoch: what comes later is encrypted to a new key, which every member has.\n" +
			"With --reencrypt everything that older keys open is encrypted to it, too, without unpacking\n" +
			"it, beside pushes and clones; where that was ended, --reencrypt-only goes on. What was\n" +
			"replaced is removed a day later; copies that were made before are out of reach.",
		Example:           "$ vexa workspace rotate notes\n$ vexa workspace rotate notes --reencrypt",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if o.Reencrypt && o.ReencryptOnly {
				return grammar.Usage(cmd, "--reencrypt and --reencrypt-only exclude each other")
			}
			return runRotate(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.Reencrypt, "reencrypt", false, "encrypt what is there again, too")
	cmd.Flags().BoolVar(&o.ReencryptOnly, "reencrypt-only", false, "encrypt what is there again with the newest key, and begin none")
	output.AddFlags(cmd, &o.JSON, rotatedFields().Names(), f.OutTTY)
	return cmd
}

func runRotate(ctx context.Context, o *RotateOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := f.Begin("encrypting %s to a new key", o.Name)
	out, err := c.Rotate(ctx, o.Name, api.Rotate{Epoch: !o.ReencryptOnly, Reencrypt: o.Reencrypt || o.ReencryptOnly})
	doing.End()
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		return output.One(f.Out, &o.JSON, rotatedFields(), out)
	}
	f.Say("epoch %d, generation %d of %s", out.Epoch, out.Generation, o.Name)
	if o.Reencrypt || o.ReencryptOnly {
		f.Say("encrypted %s again", output.Plural(out.Packs, "pack"))
	}
	return nil
}
