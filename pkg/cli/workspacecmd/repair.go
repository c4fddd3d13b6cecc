package workspacecmd

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// RepairOptions is what the command line of vexa workspace repair says.
type RepairOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Name    string
	From    string
	DryRun  bool
	// PassOver passes over generations, too, that others may have a key for.
	PassOver bool
}

func newRepair(f *factory.Factory) *cobra.Command {
	o := &RepairOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "repair NAME",
		Short: "Put a damaged bucket right",
		Long: "Puts right what vexa workspace verify finds, with the copies that this installation keeps\n" +
			"and with a clone, which has every object that its branches reach. Nothing is removed but\n" +
			"what is provably damaged; what cannot be put right stays as it is and is named. Where the\n" +
			"newest generations are lost, branches that the clone has newer are taken from it.",
		Example:           "$ vexa workspace repair notes --dry-run\n$ vexa workspace repair notes --from ~/notes",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.WorkspaceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			return runRepair(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "", "take what is missing from this `clone`")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "say what would be done and do nothing")
	cmd.Flags().BoolVar(&o.PassOver, "pass-over", false, "give up generations that no key here opens, too; ask the others first")
	output.AddFlags(cmd, &o.JSON, repairedFields().Names(), f.OutTTY)
	return cmd
}

func runRepair(ctx context.Context, o *RepairOptions) error {
	f := o.Factory
	from, err := gitDir(o.From)
	if err != nil {
		return err
	}
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := f.Begin("looking through the bucket of %s", o.Name)
	v, err := c.RepairWorkspace(ctx, o.Name, api.RepairRequest{From: from, DryRun: o.DryRun, PassOver: o.PassOver})
	doing.End()
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		err = output.One(f.Out, &o.JSON, repairedFields(), v)
	} else {
		err = printRepaired(o, v)
	}
	if err != nil || len(v.Left) == 0 && len(v.Broken) == 0 {
		return err
	}
	return fault.New(fault.Failed, "not all of "+o.Name+" could be put right: "+output.Plural(len(v.Left), "finding")+", "+output.Plural(len(v.Broken), "ref")+" that is not whole",
		"try another clone with --from, or a backup: vexa workspace restore")
}

// gitDir is the directory that git keeps a clone in.
func gitDir(clone string) (string, error) {
	if clone == "" {
		return "", nil
	}
	abs, err := filepath.Abs(clone)
	if err != nil {
		return "", fault.Newf(fault.Usage, "find %s: %w", clone, err)
	}
	if st, err := os.Stat(filepath.Join(abs, ".git")); err == nil && st.IsDir() {
		return filepath.Join(abs, ".git"), nil
	}
	return abs, nil
}

func printRepaired(o *RepairOptions, v api.Repaired) error {
	f := o.Factory
	for _, list := range []struct {
		word string
		rows []string
	}{{"", v.Actions}, {"moved: ", v.Moved}, {"not whole: ", v.Broken}, {"only in the clone: ", v.Offered}} {
		for _, row := range list.rows {
			if err := f.Printf("%s%s\n", list.word, row); err != nil {
				return err
			}
		}
	}
	for _, x := range v.Left {
		if err := f.Printf("left: %s: %s\n", x.Object, x.What); err != nil {
			return err
		}
	}
	switch {
	case len(v.Actions) == 0 && len(v.Left) == 0:
		f.Notice("there is nothing to repair")
	case !o.DryRun && v.Generation > 0:
		f.Notice("generation %d is whole", v.Generation)
	}
	return nil
}

// repairedFields are the JSON fields of vexa workspace repair.
func repairedFields() output.Fields[api.Repaired] {
	type r = api.Repaired
	return output.Fields[r]{
		{Name: "actions", Value: func(x r) any { return output.OrEmpty(x.Actions) }},
		{Name: "generation", Value: func(x r) any { return x.Generation }},
		{Name: "moved", Value: func(x r) any { return output.OrEmpty(x.Moved) }},
		{Name: "broken", Value: func(x r) any { return output.OrEmpty(x.Broken) }},
		{Name: "offered", Value: func(x r) any { return output.OrEmpty(x.Offered) }},
		{Name: "left", Value: func(x r) any { return output.OrEmpty(x.Left) }},
	}
}
