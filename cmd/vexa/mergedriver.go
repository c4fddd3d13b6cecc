package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// gitMergeCmd is what git starts where a person had it merge pages as Vexa does.
func gitMergeCmd(f *factory.Factory) *cobra.Command {
	return &cobra.Command{
		Use:   "merge BASE OURS THEIRS PATH",
		Short: "Merge a page by the keys of its frontmatter, for git",
		Long: "Merges three versions of a page as Vexa does wherever it merges: the frontmatter by key, what\n" +
			"follows by lines. It is a merge driver (gitattributes(5)): git starts it in clones of yours once\n" +
			"you have it do so, for every Markdown file or for those of one clone in .git/info/attributes:\n\n" +
			"  git config --global merge.vexa.driver 'vexa git merge -- %O %A %B %P'\n" +
			"  mkdir -p ~/.config/git && echo '*.md merge=vexa' >>~/.config/git/attributes\n\n" +
			"What it merges is written to OURS. The exit code is 1 where that conflicts; OURS has markers then.",
		Example: "$ vexa git merge base.md ours.md theirs.md plan.md",
		Args:    grammar.Args("BASE", "OURS", "THEIRS", "PATH"),
		RunE:    func(cmd *cobra.Command, args []string) error { return mergePage(cmd.Context(), f, args) },
	}
}

// mergePage is vexa git merge BASE OURS THEIRS PATH.
func mergePage(ctx context.Context, f *factory.Factory, args []string) error {
	g, err := git.New(ctx, git.Options{})
	if err != nil {
		return err
	}
	var sides [3][]byte
	for i := range sides {
		if sides[i], err = os.ReadFile(args[i]); err != nil {
			return fault.Newf(fault.Usage, "%w", err)
		}
	}
	below := ""                                               // the machine's own for temporary files,
	if st, err := os.Stat(".git"); err == nil && st.IsDir() { // or git's, which is the person's own and no part of the tree
		if below, err = filepath.Abs(".git"); err != nil {
			return fault.Newf(fault.Usage, "%w", err)
		}
	}
	merged, clean, err := workspace.MergePage(ctx, g, below, sides)
	if errors.Is(err, git.ErrNoText) {
		return fault.New(fault.Conflict, args[3]+" is no text: git leaves it as ours is", "take one of the two: git checkout --ours, or --theirs")
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(args[1], merged, 0o600); err != nil { // a file of git's own, which has its mode
		return fault.Newf(fault.Internal, "write %s: %w", args[1], err)
	}
	if !clean {
		f.Say("CONFLICT (vexa): %s", args[3])
		return fault.New(fault.Failed, args[3]+" conflicts", "edit it, then git add and git commit, as after any conflict")
	}
	return nil
}
