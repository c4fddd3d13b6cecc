package daemoncmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// UnlockOptions is what the command line of vexa unlock says.
type UnlockOptions struct {
	Factory *factory.Factory
	Access  factory.KeyAccess
	Timeout time.Duration
}

// NewUnlock returns the command vexa unlock.
func NewUnlock(f *factory.Factory) *cobra.Command {
	o := &UnlockOptions{Factory: f, Access: factory.KeyAccess{Flag: "--passphrase-file"}}
	cmd := &cobra.Command{
		Use:   "unlock",
		Short: "Open the installation's key",
		Long: "Asks for the passphrase on the terminal, opens the installation's key with it and hands\n" +
			"the key to the daemon's memory, until vexa lock, the end of --timeout or the daemon's end.\n" +
			"The passphrase goes nowhere. Locking ends the dispatches and saves what they wrote.\n\n" +
			"With --identity another key opens it: one that vexa key add added, or the recovery key.\n" +
			"The file is an OpenSSH private key, an age key, or the identity file of an age plugin,\n" +
			"whose program config/plugins.json names. Its own passphrase is asked for; a key in\n" +
			"hardware is touched once.",
		Example: "$ vexa unlock\n$ vexa unlock --timeout 8h\n$ vexa unlock --identity ~/.ssh/id_ed25519\n$ vexa unlock --passphrase-file - < passphrase",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runUnlock(cmd.Context(), o)
		},
	}
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 0, "lock again after this `duration`; 0: never")
	cmd.Flags().StringVar(&o.Access.PassphraseFile, "passphrase-file", "", "read the passphrase from this `file`, - for stdin")
	cmd.Flags().StringVar(&o.Access.Identity, "identity", "", "open it with the private key in this `file`")
	return cmd
}

func runUnlock(ctx context.Context, o *UnlockOptions) error {
	f := o.Factory
	if o.Timeout != 0 && o.Timeout < time.Second {
		return fault.New(fault.Usage, "--timeout must be a second or more", "as in --timeout 8h")
	}
	_, s, err := f.OpenKeys()
	if err != nil {
		return err
	}
	id, err := f.OpenKey(ctx, s, o.Access)
	if err != nil {
		return err
	}
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := f.Begin("unlocking")
	defer doing.End()
	if err := c.Unlock(ctx, api.UnlockRequest{Identity: id.String(), TimeoutSec: int(o.Timeout / time.Second)}); err != nil {
		return err
	}
	f.Notice("unlocked")
	return nil
}

// Unlock asks for what opens the key, as vexa unlock does without flags, of somebody who does
// not come from a command line that says what for.
func Unlock(ctx context.Context, f *factory.Factory) error {
	const question = "Passphrase of Vexa's key (what you type is not shown): "
	return runUnlock(ctx, &UnlockOptions{Factory: f, Access: factory.KeyAccess{Flag: "--passphrase-file", Question: question}})
}

// LockOptions is what the command line of vexa lock says.
type LockOptions struct{ Factory *factory.Factory }

// NewLock returns the command vexa lock.
func NewLock(f *factory.Factory) *cobra.Command {
	o := &LockOptions{Factory: f}
	return &cobra.Command{
		Use:     "lock",
		Short:   "Make the daemon forget the key",
		Long:    "Makes the daemon forget the installation's key. It ends the dispatches and saves what they wrote.",
		Example: "$ vexa lock",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runLock(cmd.Context(), o)
		},
	}
}

func runLock(ctx context.Context, o *LockOptions) error {
	c, err := o.Factory.Dial(false)
	if err != nil {
		return err
	}
	defer c.Close()
	doing := o.Factory.Begin("locking, and saving what dispatches wrote")
	err = c.Lock(ctx)
	doing.End()
	if fault.Is(err, fault.Unreachable) {
		o.Factory.Notice("no daemon is running; nothing is open")
		return nil
	}
	if err != nil {
		return err
	}
	o.Factory.Notice("locked")
	return nil
}
