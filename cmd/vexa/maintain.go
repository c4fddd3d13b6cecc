package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// tidyLater has this program join packs and remove what is not used any more, in
// the background, as git does with its own.
func tidyLater(address, gitDir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "git", "maintain", "--", address) //nolint:gosec,noctx // our own program, which outlives this one
	cmd.Dir = "/"
	cmd.Env = append(daemonEnv(os.Environ()), "VEXA_NO_INPUT=1", "GIT_DIR="+gitDir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// gitMaintainCmd is what tidyLater starts.
func gitMaintainCmd(f *factory.Factory) *cobra.Command {
	return &cobra.Command{
		Use: "maintain ADDRESS", Short: "Join the packs of a bucket and remove what it does not use", Hidden: true, Args: grammar.Args("ADDRESS"),
		Long: "Joins the packs of a bucket and removes what it does not use any more. git push starts this in the background.",
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := openAddress(cmd.Context(), f, args[0])
			if err != nil {
				return err
			}
			defer at.bucket.Close()
			return maintain(cmd.Context(), at, os.Getenv("GIT_DIR"))
		},
	}
}

// maintain joins the packs of a bucket, removes what it does not use, and has
// git look at packs that this installation has not looked at yet. The repository
// that git was started in has most of the objects.
func maintain(ctx context.Context, at *addressed, gitDir string) error {
	scratch := at.home.Scratch()
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return fault.Wrap(fault.Internal, "make room to maintain a bucket", err)
	}
	opt := bucket.ConsolidateOptions{Git: at.git, Scratch: scratch}
	check := bucket.VerifyPacksOptions{Git: at.git, Scratch: scratch}
	if gitDir != "" {
		if r, err := bucket.OpenRepo(ctx, at.git.Repo(gitDir)); err == nil {
			defer r.Close()
			opt.Alternates, check.Repo = []string{r.Objects}, r
		}
	}
	err := at.bucket.Maintain(ctx, opt)
	found, verr := at.bucket.VerifyPacks(ctx, check)
	for _, f := range found.Findings {
		verr = errors.Join(verr, fault.New(fault.Invalid, f.String(), f.Repair))
	}
	return errors.Join(err, verr)
}
