package modelcmd

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// maxRunnerFile is more than a manifest or a lock has, in bytes.
const maxRunnerFile = 1 << 20

func newRunnerAdd(f *factory.Factory) *cobra.Command {
	replace := false
	cmd := &cobra.Command{
		Use:   "add DIR",
		Short: "Make an agent of your own a runner",
		Long: "Takes the runner that a directory describes: runner.json, its manifest (contract\n" +
			"agent-runner.v2), and image.json, which says what its image is made of, where there is\n" +
			"one. It takes the place of a runner that comes with Vexa under the same name. Then make\n" +
			"its image with vexa runner build, and try it with vexa runner test.",
		Example: "$ vexa runner show claude-code --json argv,stream,session\n$ vexa runner add ./my-agent\n$ vexa runner add ./my-agent --replace",
		Args:    grammar.Args("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRunnerAdd(cmd.Context(), f, args[0], replace)
		},
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "take the place of one of yours with the same name")
	return cmd
}

func runRunnerAdd(ctx context.Context, f *factory.Factory, dir string, replace bool) error {
	req := api.AddRunner{Replace: replace}
	text, err := readRunnerFile(filepath.Join(dir, runner.ManifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "there is no "+runner.ManifestFile+" in "+dir, "vexa contract show agent-runner.v2 says what is in one; vexa runner show NAME shows another's")
	}
	if err != nil {
		return err
	}
	if _, err := runner.Parse(text); err != nil { // before a daemon is started
		return fault.Wrap(fault.Invalid, filepath.Join(dir, runner.ManifestFile), err)
	}
	req.Manifest = string(text)
	text, err = readRunnerFile(filepath.Join(dir, runner.LockFile))
	if err == nil && f.CheckLock != nil {
		err = fault.Wrap(fault.Invalid, filepath.Join(dir, runner.LockFile), f.CheckLock(text))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	req.Lock = string(text)
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.AddRunner(ctx, req)
	if err != nil {
		return err
	}
	var m runnerv2.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	f.Say("added runner %s: %s", m.Name, m.Title)
	switch {
	case req.Lock != "":
		f.Say("make its image with: vexa runner build %s; and try it: vexa runner test %s", m.Name, m.Name)
	case m.Image.Ref != "":
		f.Say("it runs in the image %s; try it: vexa runner test %s", m.Image.Ref, m.Name)
	default:
		f.Say("try it: vexa runner test %s", m.Name)
	}
	return nil
}

// readRunnerFile reads a file of a runner's directory.
func readRunnerFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxRunnerFile+1))
	if err == nil && len(data) > maxRunnerFile {
		err = fault.New(fault.Invalid, path+" is over 1 MiB", "a manifest, and a lock, is a few KB: see whether it is the right file")
	}
	return data, err
}

func newRunnerRemove(f *factory.Factory) *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Aliases:           []string{"rm"},
		Short:             "Remove a runner of your own",
		Long:              "Removes a runner that vexa runner add made yours. One that comes with Vexa under the same\nname is there again. Its image stays: podman rmi removes that.",
		Example:           "$ vexa runner remove my-agent",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.RunnerNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.Connect(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			if err := c.RemoveRunner(cmd.Context(), args[0]); err != nil {
				return grammar.Argument(err)
			}
			f.Say("removed runner %s", args[0])
			return nil
		},
	}
}
