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
	Factory        *factory.Factory
	PassphraseFile string
	Timeout        time.Duration
}

// NewUnlock returns the command vexa unlock.
func NewUnlock(f *factory.Factory) *cobra.Command {
	o := &UnlockOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "unlock",
		Short: "Open the installation's key",
		Long: "Asks for the passphrase on the terminal, opens the installation's key with it and hands\n" +
			"the key to the daemon's memory, until vexa lock, the end of --timeout or the daemon's end.\n" +
			"The passphrase goes nowhere. Locking ends the dispatches and saves what they wrote.",
		Example: "$ vexa unlock\n$ vexa unlock --timeout 8h\n$ vexa unlock --passphrase-file - < passphrase",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runUnlock(cmd.Context(), o)
		},
	}
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 0, "lock again after this `duration`; 0: never")
	cmd.Flags().StringVar(&o.PassphraseFile, "passphrase-file", "", "read the passphrase from this `file`, - for stdin")
	return cmd
}

func runUnlock(ctx context.Context, o *UnlockOptions) error {
	f := o.Factory
	if o.Timeout != 0 && o.Timeout < time.Second {
		return fault.New(fault.Usage, "--timeout must be a second or more", "as in --timeout 8h")
	}
	if f.Keys == nil {
		return factory.Missing("keys")
	}
	h, err := f.OpenHome()
	if err != nil {
		return err
	}
	state, err := f.Keys.State(h)
	if err != nil {
		return err
	}
	var passphrase []byte
	switch state {
	case factory.KeyMissing:
		return fault.New(fault.NotFound, "there is no key yet", "make one with: vexa init")
	case factory.KeySealed:
		if passphrase, err = askPassphrase(ctx, o); err != nil {
			return err
		}
		defer clear(passphrase)
	case factory.KeyPlain:
	}
	identity, err := f.Keys.Open(h, passphrase)
	if err != nil {
		return err
	}
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Unlock(ctx, api.UnlockRequest{Identity: identity, TimeoutSec: int(o.Timeout / time.Second)}); err != nil {
		return err
	}
	f.Notice("unlocked")
	return nil
}

func askPassphrase(ctx context.Context, o *UnlockOptions) ([]byte, error) {
	f := o.Factory
	if o.PassphraseFile != "" {
		return f.ReadSecret(o.PassphraseFile)
	}
	if f.Terminal == nil || f.Flags.NoInput || f.Env("VEXA_NO_INPUT") != "" {
		return nil, fault.New(fault.Locked, "the key needs its passphrase", "use --passphrase-file FILE, - for stdin")
	}
	return f.AskSecret(ctx, "Passphrase: ", "use --passphrase-file FILE, - for stdin")
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
	err = c.Lock(ctx)
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
