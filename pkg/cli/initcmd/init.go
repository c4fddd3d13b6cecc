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
)

// Options is what the command line of vexa init says.
type Options struct {
	Factory        *factory.Factory
	Yes            bool
	PassphraseFile string
	Workspace      string
	Model          string

	passphrase []byte
}

// withoutQuestion says how to make a key where nobody can be asked.
const withoutQuestion = "use --yes for a key without passphrase, or --passphrase-file FILE"

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
			"backups and remote copies but not a stolen disk.",
		Example: "$ vexa init\n$ vexa init --yes\n$ vexa init --passphrase-file passphrase --workspace notes",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.Yes, "yes", "y", false, "ask nothing: a key without passphrase, the first model found")
	flags.StringVar(&o.PassphraseFile, "passphrase-file", "", "seal the key with the passphrase in this `file`, - for stdin")
	flags.StringVar(&o.Workspace, "workspace", "", "create this `workspace` besides personal")
	flags.StringVar(&o.Model, "model", "", "of the models found, use this `model` or provider; rehearsal for none")
	return cmd
}

func run(ctx context.Context, o *Options) error {
	defer func() { clear(o.passphrase) }()
	h, err := o.Factory.OpenHome()
	if err != nil {
		return err
	}
	if o.Factory.IsRoot() {
		o.Factory.Warn("you are root, and agents never run as root: vexa doctor --fix sets up a user to run Vexa as")
	}
	if err := o.key(ctx, h); err != nil {
		return err
	}
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := o.unlock(ctx, c, h); err != nil {
		return err
	}
	if err := o.workspaces(ctx, c); err != nil {
		return err
	}
	if err := o.model(ctx, c, h); err != nil {
		return err
	}
	return o.say("next: vexa chat -p \"Write a note that says hello\"")
}

// say prints a line of the result: what there is now, and where it is from.
func (o *Options) say(format string, args ...any) error {
	return o.Factory.Printf("%s\n", plain.Line(fmt.Sprintf(format, args...)))
}

func (o *Options) interactive() bool { return !o.Yes && o.Factory.CanPrompt() }

// key makes the identity where there is none.
func (o *Options) key(ctx context.Context, h home.Home) error {
	f := o.Factory
	if f.Keys == nil {
		return factory.Missing("keys")
	}
	state, err := f.Keys.State(h)
	if err != nil {
		return err
	}
	if state != factory.KeyMissing {
		return o.say("key: already there (%s)", h.Keys())
	}
	if err := o.choosePassphrase(ctx); err != nil {
		return err
	}
	recipient, err := f.Keys.Create(h, o.passphrase)
	if fault.Is(err, fault.Conflict) {
		return o.say("key: already there (%s)", h.Keys())
	}
	if err != nil {
		return err
	}
	with := "without passphrase: it protects backups and remote copies, not a stolen disk"
	if len(o.passphrase) > 0 {
		with = "sealed by your passphrase"
	}
	return o.say("key: made %s in %s, %s", recipient, h.Keys(), with)
}

func (o *Options) choosePassphrase(ctx context.Context) error {
	f := o.Factory
	switch {
	case o.PassphraseFile != "":
		var err error
		o.passphrase, err = f.ReadSecret(o.PassphraseFile)
		return err
	case o.Yes:
		return nil
	case !f.CanPrompt():
		return fault.New(fault.Usage, "vexa init asks for a passphrase, and there is no terminal to ask on",
			withoutQuestion)
	}
	first, err := f.AskSecret(ctx, "Passphrase for the key (empty for none): ", withoutQuestion)
	if err != nil || len(first) == 0 {
		return err
	}
	again, err := f.AskSecret(ctx, "The same again: ", withoutQuestion)
	if err != nil {
		return err
	}
	defer clear(again)
	if !slices.Equal(first, again) {
		clear(first)
		return fault.New(fault.Usage, "the passphrases differ", "run vexa init again")
	}
	o.passphrase = first
	return nil
}

// unlock gives the daemon the key where it is locked.
func (o *Options) unlock(ctx context.Context, c *client.Client, h home.Home) error {
	st, err := c.Status(ctx)
	if err != nil || !st.Locked {
		return err
	}
	state, err := o.Factory.Keys.State(h)
	if err != nil {
		return err
	}
	if state == factory.KeySealed && len(o.passphrase) == 0 {
		if err := o.askPassphrase(ctx); err != nil {
			return err
		}
	}
	identity, err := o.Factory.Keys.Open(h, o.passphrase)
	if err != nil {
		return err
	}
	return c.Unlock(ctx, api.UnlockRequest{Identity: identity})
}

func (o *Options) askPassphrase(ctx context.Context) (err error) {
	switch {
	case o.PassphraseFile != "":
		o.passphrase, err = o.Factory.ReadSecret(o.PassphraseFile)
	case o.interactive():
		o.passphrase, err = o.Factory.AskSecret(ctx, "Passphrase of the key: ", "use --passphrase-file FILE, - for stdin")
	default:
		err = fault.New(fault.Locked, "Vexa is locked and the key needs its passphrase", "run vexa unlock, or use --passphrase-file FILE")
	}
	return err
}

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
		if _, err := c.CreateWorkspace(ctx, api.CreateWorkspace{Name: name}); err != nil && !fault.Is(err, fault.Conflict) {
			return err
		}
		if err := o.say("workspace: created %s", name); err != nil {
			return err
		}
	}
	return nil
}
