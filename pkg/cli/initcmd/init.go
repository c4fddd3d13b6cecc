// Package initcmd holds vexa init, which makes an installation usable: a key, a
// workspace, a model.
package initcmd

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// Options is what the command line of vexa init says.
type Options struct {
	Factory        *factory.Factory
	Yes            bool
	PassphraseFile string
	Keyring        bool
	KeyFile        string
	UnlockFile     string
	Workspace      string
	Model          string

	identity *seal.Identity // as soon as it is open
}

// personal is the workspace that every installation has: sessions live there.
const personal = "personal"

// New returns the command vexa init.
func New(f *factory.Factory) *cobra.Command {
	o := &Options{Factory: f}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make this installation usable",
		Long: "Makes what is missing: the installation's key, the workspace personal and a model. It\n" +
			"looks for an inference server on this machine and for a key in the environment; where\n" +
			"there is neither it adds the rehearsal, which plays back a script and needs no model.\n" +
			"Running it again changes nothing that is there.\n\n" +
			"It asks for a passphrase for the key; with --yes the key has none, which protects\n" +
			"backups and remote copies but not a stolen disk. With --keyring the desktop's keyring\n" +
			"keeps a random one: the key is open while you are logged in there.\n\n" +
			"With --key-file it takes a key over instead of making one: what vexa key export wrote\n" +
			"on another machine, or an age key of yours.",
		Example: "$ vexa init\n$ vexa init --yes\n$ vexa init --keyring\n$ vexa init --key-file vexa-keys.age\n" +
			"$ vexa init --passphrase-file passphrase --workspace notes",
		Args: grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.Keyring && o.PassphraseFile != "":
				return grammar.Usage(cmd, "--keyring and --passphrase-file exclude each other")
			case o.UnlockFile != "" && o.KeyFile == "":
				return grammar.Usage(cmd, "--unlock-file belongs to --key-file")
			case o.UnlockFile == "-" && o.PassphraseFile == "-":
				return grammar.Usage(cmd, "one passphrase alone can be read from stdin")
			default:
				return run(cmd.Context(), o)
			}
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.Yes, "yes", "y", false, "ask nothing: a key without passphrase, the first model found")
	flags.StringVar(&o.PassphraseFile, "passphrase-file", "", "seal the key with the passphrase in this `file`, - for stdin")
	flags.BoolVar(&o.Keyring, "keyring", false, "seal the key with a passphrase that the desktop's keyring keeps")
	flags.StringVar(&o.KeyFile, "key-file", "", "take over the key in this `file`")
	flags.StringVar(&o.UnlockFile, "unlock-file", "", "with --key-file: open that with the passphrase in this `file`, - for stdin")
	flags.StringVar(&o.Workspace, "workspace", "", "create this `workspace` besides personal")
	flags.StringVar(&o.Model, "model", "", "of the models found, use this `model` or provider; rehearsal for none")
	return cmd
}

func run(ctx context.Context, o *Options) error {
	h, s, err := o.Factory.OpenKeys()
	if err != nil {
		return err
	}
	if o.Factory.IsRoot() {
		o.Factory.Warn("you are root, and agents never run as root: vexa doctor --fix sets up a user to run Vexa as")
	}
	if err := o.key(ctx, h, s); err != nil {
		return err
	}
	if err := o.rest(ctx, h, s); err != nil {
		return err
	}
	return o.say("next: vexa chat -p \"Write a note that says hello\"")
}

// SetUp makes what is missing, as vexa init does without flags: it asks for a passphrase
// and for a model.
func SetUp(ctx context.Context, f *factory.Factory) error {
	o := &Options{Factory: f}
	h, s, err := f.OpenKeys()
	if err != nil {
		return err
	}
	if err := o.key(ctx, h, s); err != nil {
		return err
	}
	return o.rest(ctx, h, s)
}

// rest makes what a daemon makes.
func (o *Options) rest(ctx context.Context, h home.Home, s *keys.Store) error {
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := o.unlock(ctx, c, s); err != nil {
		return err
	}
	if err := o.workspaces(ctx, c); err != nil {
		return err
	}
	return o.model(ctx, c, h)
}

// say prints a line of the result: what there is now, and where it is from.
func (o *Options) say(format string, args ...any) error {
	return o.Factory.Printf("%s\n", plain.Line(fmt.Sprintf(format, args...)))
}

func (o *Options) interactive() bool { return !o.Yes && o.Factory.CanPrompt() }

// workspaces creates the workspaces that are missing.
func (o *Options) workspaces(ctx context.Context, c *client.Client) error {
	list, err := c.Workspaces(ctx)
	if err != nil {
		return err
	}
	names := []string{personal}
	if o.Workspace != "" && o.Workspace != personal {
		names = append(names, o.Workspace)
	}
	for _, name := range names {
		if slices.ContainsFunc(list, func(w api.Workspace) bool { return w.Name == name }) {
			if err := o.say("workspace: %s is already there", name); err != nil {
				return err
			}
			continue
		}
		doing := o.Factory.Begin("creating workspace %s", name)
		_, err := c.CreateWorkspace(ctx, api.CreateWorkspace{Name: name})
		doing.End()
		if err != nil && !fault.Is(err, fault.Conflict) {
			return err
		}
		if err := o.say("workspace: created %s", name); err != nil {
			return err
		}
	}
	return nil
}
