package workspacecmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// BackupOptions is what the command line of vexa workspace backup says.
type BackupOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
	To      string
	Check   bool
}

func newBackup(f *factory.Factory) *cobra.Command {
	o := &BackupOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "backup NAME --to PLACE",
		Short: "Copy a workspace's bucket, encrypted as it is",
		Long: "Copies the bucket of a workspace below PLACE, a directory or s3://BUCKET/PREFIX, or into a\n" +
			"Git remote. Only what is not there yet is copied. The copy is a bucket: vexa workspace\n" +
			"restore brings it back, and git clone vexa::PLACE/ID reads it. Others may push meanwhile.",
		Example:           "$ vexa workspace backup notes --to /media/stick/vexa\n$ vexa workspace backup notes --to s3://backups/vexa --check",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if o.To == "" {
				return grammar.Usage(cmd, "--to names the place of the backup")
			}
			return runBackup(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.To, "to", "", "copy it below this `place`: a directory, s3://BUCKET/PREFIX or a Git remote")
	cmd.Flags().BoolVar(&o.Check, "check", false, "read what was copied before, too, and replace what is damaged there")
	output.AddFlags(cmd, &o.JSON, copiedFields().Names(), f.OutTTY)
	return cmd
}

func runBackup(ctx context.Context, o *BackupOptions) error {
	f := o.Factory
	at, err := factory.AbsoluteAddress(o.To)
	if err != nil {
		return err
	}
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := f.Begin("copying the bucket of %s to %s", o.Name, o.To)
	v, err := c.BackupWorkspace(ctx, o.Name, api.BackupRequest{To: at, Check: o.Check})
	doing.End()
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		return output.One(f.Out, &o.JSON, copiedFields(), v)
	}
	if err := f.Printf("%s\n", v.Bucket); err != nil {
		return err
	}
	f.Notice("generation %d of %s: %s copied, %d bytes; %d there already", v.Generation, o.Name, output.Plural(v.Objects, "object"), v.Bytes, v.Present)
	return nil
}

// copiedFields are the JSON fields of vexa workspace backup and restore.
func copiedFields() output.Fields[api.Copied] {
	type c = api.Copied
	return output.Fields[c]{
		{Name: "bucket", Value: func(x c) any { return x.Bucket }},
		{Name: "generation", Value: func(x c) any { return x.Generation }},
		{Name: "objects", Value: func(x c) any { return x.Objects }},
		{Name: "bytes", Value: func(x c) any { return x.Bytes }},
		{Name: "present", Value: func(x c) any { return x.Present }},
		{Name: "replaced", Value: func(x c) any { return output.OrEmpty(x.Replaced) }},
		{Name: "damaged", Value: func(x c) any { return output.OrEmpty(x.Damaged) }},
	}
}
