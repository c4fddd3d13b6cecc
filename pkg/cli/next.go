package cli

import (
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/initcmd"
	"github.com/vexa-ai/vexa/pkg/keys"
)

// step is what somebody who starts vexa without a word is told: how things are, and
// the command that goes on from there.
type step struct {
	state   string
	command string
	why     string // what the command does, or what else there is to know
}

// nextStep says which command comes next, by what the installation's files say: it
// starts no daemon and asks none.
func nextStep(f *Factory) error {
	s, err := findStep(f)
	if err != nil {
		return err
	}
	return f.Printf("%s\n\n  %s\n\n%s\nAll commands: vexa help\n", s.state, f.OutStyle().Bold(s.command), s.why)
}

func findStep(f *Factory) (step, error) {
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
