package modelcmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// BuildOptions is what the command line of vexa runner build says.
type BuildOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Build   factory.RunnerBuild
}

func newRunnerBuild(f *factory.Factory) *cobra.Command {
	o := &BuildOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "build NAME",
		Short: "Make the image of a runner",
		Long: "Makes the image in which a runner's agent runs, without a container registry: of Debian\n" +
			"packages and npm tarballs that the runner's lock pins by digest, each verified. Nothing of\n" +
			"them is run on this machine, and the same lock makes the same image. What is downloaded\n" +
			"is kept in the cache of the installation.\n\n" +
			"Mirrors are those that apt and npm of this machine are configured with, unless flags,\n" +
			"VEXA_DEBIAN_MIRROR and VEXA_NPM_REGISTRY, or sources.json in the configuration directory\n" +
			"name others. Without a network, --download-only on another machine writes a directory\n" +
			"that --import takes.\n\n" +
			"An image of your own takes its place with --from, or with --containerfile, whose base is\n" +
			"named by digest.",
		Example: "$ vexa runner build claude-code\n" +
			"$ vexa runner build codex --download-only /media/stick/codex\n" +
			"$ vexa runner build codex --import /media/stick/codex\n" +
			"$ vexa runner build opencode --from opencode.tar",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.RunnerNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Build.Name = args[0]
			if err := checkBuild(cmd, o.Build); err != nil {
				return err
			}
			return runBuild(cmd.Context(), o)
		},
	}
	b := &o.Build
	flags := cmd.Flags()
	flags.StringArrayVar(&b.Debian, "debian-mirror", nil, "take Debian's packages from this `address`; may be given more than once")
	flags.StringVar(&b.NPM, "npm-registry", "", "take npm's packages from this `address`")
	flags.BoolVar(&b.Offline, "offline", false, "take everything from the cache")
	flags.StringVar(&b.Import, "import", "", "take what was downloaded to this `directory`, and nothing from a network")
	flags.StringVar(&b.Download, "download-only", "", "make no image: write what it is made of to this `directory`")
	flags.StringVar(&b.Arch, "arch", "", "with --download-only: for this `architecture`, amd64 or arm64")
	flags.StringVar(&b.From, "from", "", "take the image from this `archive`, as podman save or docker save write it")
	flags.StringVar(&b.Containerfile, "containerfile", "", "let Podman build this `file`, with a network")
	output.AddFlags(cmd, &o.JSON, builtFields().Names(), f.OutTTY)
	return cmd
}

// checkBuild refuses flags that say two things.
func checkBuild(cmd *cobra.Command, b factory.RunnerBuild) error {
	ways := 0
	for _, way := range []string{b.Download, b.From, b.Containerfile} {
		if way != "" {
			ways++
		}
	}
	switch {
	case ways > 1:
		return grammar.Usage(cmd, "--download-only, --from and --containerfile exclude each other")
	case b.Arch != "" && b.Download == "":
		return grammar.Usage(cmd, "--arch goes with --download-only: an image is made for the machine that runs it")
	case (b.From != "" || b.Containerfile != "") && (b.Offline || b.Import != "" || b.NPM != "" || len(b.Debian) > 0):
		return grammar.Usage(cmd, "--from and --containerfile take nothing from mirrors, the cache or a download")
	}
	return nil
}

func runBuild(ctx context.Context, o *BuildOptions) error {
	f := o.Factory
	if f.BuildRunner == nil {
		return factory.Missing("runner images")
	}
	for _, path := range []*string{&o.Build.Import, &o.Build.Download, &o.Build.From, &o.Build.Containerfile} {
		if *path == "" {
			continue
		}
		abs, err := factory.AbsolutePath(*path)
		if err != nil {
			return err
		}
		*path = abs
	}
	h, err := f.OpenHome()
	if err != nil {
		return err
	}
	doing := f.Begin("making the image of runner %s", o.Build.Name)
	o.Build.Notice = func(text string) { doing.Step("%s", text) }
	ctx, _, stop := f.WatchInterrupts(ctx)
	defer stop()
	made, err := f.BuildRunner(ctx, h, o.Build)
	doing.End()
	if err != nil {
		return err
	}
	if o.JSON.On() {
		return output.One(f.Out, &o.JSON, builtFields(), made)
	}
	if made.Image == "" {
		if err := f.Printf("%s\n", o.Build.Download); err != nil {
			return err
		}
		f.Say("%s for %s: %s downloaded, %s from the cache, in %s", made.Runner, made.Arch, megabytes(made.Downloaded), megabytes(made.Cached), seconds(made.Fetch))
		return nil
	}
	if err := f.Printf("%s\n", made.Image); err != nil {
		return err
	}
	f.Say("%s, %s of files; %s downloaded, %s from the cache", made.Digest, megabytes(made.Size), megabytes(made.Downloaded), megabytes(made.Cached))
	if made.Freed > 0 {
		f.Say("removed from the cache what no runner needs any more: %s", megabytes(made.Freed))
	}
	f.Say("%s: fetched in %s, made in %s, loaded in %s, ready for containers in %s",
		seconds(made.Fetch+made.Make+made.Load+made.Warm), seconds(made.Fetch), seconds(made.Make), seconds(made.Load), seconds(made.Warm))
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// builtFields are the JSON fields of vexa runner build. Times are seconds.
func builtFields() output.Fields[factory.RunnerImage] {
	type r = factory.RunnerImage
	return output.Fields[r]{
		{Name: "runner", Value: func(x r) any { return x.Runner }},
		{Name: "image", Value: func(x r) any { return x.Image }},
		{Name: "digest", Value: func(x r) any { return x.Digest }},
		{Name: "arch", Value: func(x r) any { return x.Arch }},
		{Name: "bytes", Value: func(x r) any { return x.Size }},
		{Name: "downloaded", Value: func(x r) any { return x.Downloaded }},
		{Name: "cached", Value: func(x r) any { return x.Cached }},
		{Name: "freed", Value: func(x r) any { return x.Freed }},
		{Name: "fetchSec", Value: func(x r) any { return x.Fetch.Seconds() }},
		{Name: "makeSec", Value: func(x r) any { return x.Make.Seconds() }},
		{Name: "loadSec", Value: func(x r) any { return x.Load.Seconds() }},
		{Name: "warmSec", Value: func(x r) any { return x.Warm.Seconds() }},
	}
}
