package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/initcmd"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// step is what somebody who starts vexa without a word is told: how things are, and
// the command that goes on from there.
type step struct {
	state   string
	command string
	why     string // what the command does, or what else there is to know
}

// answersWithin is how long a daemon that runs may take to say whether it is locked.
const answersWithin = 2 * time.Second

// nextStep says which command comes next, by what the installation's files say, and
// where a daemon runs by whether it is locked: it starts none.
func nextStep(ctx context.Context, f *Factory) error {
	s, err := findStep(ctx, f)
	if err != nil {
		return err
	}
	return f.Printf("%s\n\n  %s\n\n%s\nAll commands: vexa help\n", s.state, f.OutStyle().Bold(s.command), s.why)
}

func findStep(ctx context.Context, f *Factory) (step, error) {
	h, store, err := f.OpenKeys()
	if err != nil {
		return step{}, err
	}
	protection, err := store.Protection()
	if err != nil {
		return step{}, err
	}
	if protection == keys.Missing {
		return begin(f), nil
	}
	if shut, err := locked(ctx, f, protection); err != nil || shut {
		return unlock(protection), err
	}
	if f.StoredModels == nil {
		return step{}, factory.Missing("models")
	}
	models, err := f.StoredModels(h)
	if err != nil {
		return step{}, err
	}
	if len(models) == 0 {
		return step{
			"There is a key here, and no model.", "vexa model add",
			"A server on this machine, or a key of yours: vexa model add --help has examples. To try without either: vexa init --model rehearsal",
		}, nil
	}
	used := max(0, slices.IndexFunc(models, func(p api.Provider) bool { return p.Default }))
	if models[used].Protocol == initcmd.Rehearsal {
		return step{
			"All is set up, with a rehearsal in place of a model: it plays prepared turns.", "vexa chat",
			"You type, an agent answers, and what it changes is a commit. For a real model: vexa model add",
		}, nil
	}
	return step{
		fmt.Sprintf("All is set up, with models of %s.", models[used].Name), "vexa chat",
		"You type, an agent answers, and what it changes is a commit: vexa workspace log personal",
	}, nil
}

// unlock is the step of an installation whose key has to be opened by a person.
func unlock(protection seal.Protection) step {
	s := step{
		"There is a key here, and it is locked: nothing runs before it is open.", "vexa unlock",
		"It opens the key for the daemon, until vexa lock or until the daemon ends.",
	}
	if protection == seal.ByKeys {
		s.command += " --identity FILE"
		s.why = "The installation's own key file is gone; FILE is one of the keys that were added, or the recovery file. It opens the key for the daemon, until that ends."
	}
	return s
}

// locked reports whether nothing works before vexa unlock: the daemon says so, or no
// daemon is there and none that is started opens the key by itself.
func locked(ctx context.Context, f *Factory, protection seal.Protection) (bool, error) {
	c, err := f.Dial(false)
	if err != nil {
		return false, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	st, err := c.Status(ctx)
	if err != nil {
		return protection == seal.ByPassphrase || protection == seal.ByKeys, nil // nobody answers: the file says it
	}
	return st.Locked, nil
}

// begin is the first step of all. Root's is another: agents never run as root.
func begin(f *Factory) step {
	if f.IsRoot() {
		return step{
			"Nothing is set up here yet, and you are root: agents never run as root.", "vexa doctor --fix",
			"It sets up a user to run Vexa as, and asks before it does anything.",
		}
	}
	return step{
		"Nothing is set up here yet.", "vexa init",
		"It makes a key and a workspace, and finds a model. Where something is missing on this machine: vexa doctor",
	}
}
