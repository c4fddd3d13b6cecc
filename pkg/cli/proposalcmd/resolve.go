package proposalcmd

import (
	"bytes"
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// how is what the flags of vexa proposal resolve say.
type how struct {
	ours, theirs, remove bool
	file                 string
}

func newResolve(f *factory.Factory) *cobra.Command {
	var h how
	cmd := &cobra.Command{
		Use:   "resolve NAME ID [PATH...]",
		Short: "Say what becomes of paths that conflict",
		Long: "Resolves conflicts of a proposal: all that are open, or the paths that are named, also ones\n" +
			"that were resolved before. Without a flag each opens in your editor, with both sides and\n" +
			"what was before them between git's markers. Approvals that were given are void.",
		Example: "$ vexa proposal resolve notes 01JDX4\n$ vexa proposal resolve notes 01JDX4 --theirs\n" +
			"$ vexa proposal resolve notes 01JDX4 plan.md --file plan-merged.md",
		Args: grammar.Args("NAME", "ID", "[PATH...]"),
	}
	cmd.Flags().BoolVar(&h.ours, "ours", false, "take what the target has")
	cmd.Flags().BoolVar(&h.theirs, "theirs", false, "take what is proposed")
	cmd.Flags().BoolVar(&h.remove, "remove", false, "take neither: remove the file")
	cmd.Flags().StringVar(&h.file, "file", "", "take the content of this `file`; - for standard input")
	cmd.MarkFlagsMutuallyExclusive("ours", "theirs", "remove", "file")
	did(f, cmd, func(ctx context.Context, c *client.Client, args []string) (api.Proposal, error) {
		return resolve(ctx, f, c, args, h)
	})
	return cmd
}

func resolve(ctx context.Context, f *factory.Factory, c *client.Client, args []string, h how) (api.Proposal, error) {
	r := api.ResolveProposal{Paths: args[2:]}
	switch {
	case h.ours:
		r.How = "ours"
	case h.theirs:
		r.How = "theirs"
	case h.remove:
		r.How = "removed"
	case h.file != "":
		r.How = "edited"
		var err error
		if r.Content, err = content(f, h.file); err != nil {
			return api.Proposal{}, err
		}
	default:
		return edit(ctx, f, c, args)
	}
	p, err := c.Proposal(ctx, args[0], args[1])
	if err != nil {
		return p, err
	}
	r.From, r.Source = p.From, p.Source
	return c.ResolveProposal(ctx, args[0], p.ID, r)
}

// content reads a file of any size that can be sent.
func content(f *factory.Factory, path string) ([]byte, error) {
	if path == "-" {
		text, err := input(f, path)
		return []byte(text), err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Newf(fault.Usage, "%w", err)
	}
	return data, nil
}

// edit opens each path in the editor; each is resolved as soon as it is closed.
func edit(ctx context.Context, f *factory.Factory, c *client.Client, args []string) (api.Proposal, error) {
	const instead = "say it with --ours, --theirs, --remove or --file"
	p, err := c.Proposal(ctx, args[0], args[1])
	if err != nil {
		return p, err
	}
	paths := args[2:]
	if len(paths) == 0 {
		for _, x := range p.Conflicts {
			if x.Resolution == "" {
				paths = append(paths, x.Path)
			}
		}
	}
	if len(paths) == 0 {
		return p, fault.New(fault.Conflict, "nothing of the proposal "+p.ID+" is left to be resolved", "vexa proposal show "+args[0]+" "+p.ID)
	}
	for _, path := range paths {
		sides, err := c.ProposalSides(ctx, args[0], p.ID, path)
		if err != nil {
			return p, err
		}
		if sides.Merged == nil {
			return p, fault.New(fault.Usage, path+" is no text that an editor shows", instead)
		}
		if err := f.Edit(ctx, path, sides.Merged, instead, func(text []byte) error {
			if bytes.Equal(text, sides.Merged) {
				return fault.New(fault.Usage, path+" was left as it was", instead)
			}
			p, err = c.ResolveProposal(ctx, args[0], p.ID, api.ResolveProposal{Paths: []string{path}, How: "edited", Content: text, From: sides.From, Source: sides.Source})
			return err
		}); err != nil {
			return p, err
		}
	}
	return p, nil
}
