package workspacecmd

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// VerifyOptions is what the command line of vexa workspace verify says.
type VerifyOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
	Request api.VerifyRequest
}

func newVerify(f *factory.Factory) *cobra.Command {
	o := &VerifyOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "verify NAME",
		Short: "Look whether a workspace's bucket is whole",
		Long: "Reads everything in the bucket and compares it with what was signed: every generation and\n" +
			"who signed it, every object and its hash. It lists all that is wrong, what can be read\n" +
			"nevertheless, and how to put it right. With --paranoid git indexes every pack again, which\n" +
			"finds what a member forged. It changes nothing. The exit code is 1 where something is wrong.",
		Example:           "$ vexa workspace verify notes\n$ vexa workspace verify notes --paranoid --json healthy,findings",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			return runVerify(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.Request.Paranoid, "paranoid", false, "trust no index: look at every object again")
	output.AddFlags(cmd, &o.JSON, verifiedFields().Names(), f.OutTTY)
	return cmd
}

func runVerify(ctx context.Context, o *VerifyOptions) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := f.Begin("reading everything in the bucket of %s", o.Name)
	v, err := c.VerifyWorkspace(ctx, o.Name, o.Request)
	doing.End()
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		err = output.One(f.Out, &o.JSON, verifiedFields(), v)
	} else {
		err = printVerified(f, v)
	}
	if err != nil || v.Healthy {
		return err
	}
	return fault.New(fault.Failed, "the bucket of "+o.Name+" is not whole: "+output.Plural(len(v.Findings), "finding"), v.Findings[0].Repair)
}

func printVerified(f *factory.Factory, v api.Verified) error {
	p := output.NewPairs(f.Out, factory.IsTTY(f.OutTTY))
	p.Add("generation", strconv.FormatInt(v.Generation, 10)+" of "+strconv.FormatInt(v.Newest, 10))
	checked := []string{output.Plural(v.Manifests, "generation"), output.Plural(v.Packs, "pack")}
	if v.Refs > 0 { // git walked from them
		checked = append(checked, output.Plural(v.Refs, "ref"))
	}
	p.Add("checked", strings.Join(append(checked, strconv.FormatInt(v.Bytes, 10)+" bytes"), ", "))
	if v.Healthy {
		p.Add("healthy", "yes")
	}
	if err := p.Flush(); err != nil || v.Healthy {
		return err
	}
	t := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "OBJECT", "GENERATION", "KIND", "WHAT", "READABLE").In(f.OutStyle())
	for _, x := range v.Findings {
		t.Row(x.Object, strconv.FormatInt(x.Generation, 10), x.Kind, x.What, x.Readable)
	}
	return t.Flush()
}

// verifiedFields are the JSON fields of vexa workspace verify.
func verifiedFields() output.Fields[api.Verified] {
	type v = api.Verified
	return output.Fields[v]{
		{Name: "healthy", Value: func(x v) any { return x.Healthy }},
		{Name: "generation", Value: func(x v) any { return x.Generation }},
		{Name: "newest", Value: func(x v) any { return x.Newest }},
		{Name: "seen", Value: func(x v) any { return x.Seen }},
		{Name: "manifests", Value: func(x v) any { return x.Manifests }},
		{Name: "packs", Value: func(x v) any { return x.Packs }},
		{Name: "refs", Value: func(x v) any { return x.Refs }},
		{Name: "bytes", Value: func(x v) any { return x.Bytes }},
		{Name: "findings", Value: func(x v) any { return output.OrEmpty(x.Findings) }},
	}
}
