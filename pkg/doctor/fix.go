package doctor

import (
	"context"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// FixOptions say how Fix speaks with the person.
type FixOptions struct {
	// Show is told of each step before it is taken, and of each failure.
	Show func(line string)
	// Confirm asks whether the steps shown are to be taken; nil: they are.
	Confirm func() (bool, error)
}

// rounds bounds how often Fix looks again: what a step puts right may uncover
// the next finding.
const rounds = 5

// Fix puts right what it can and returns the findings that remain. It takes no
// step twice. Steps that need root are taken with sudo where this user is not
// root and there is sudo; otherwise they are shown as what an administrator
// has to do.
func (d *Doctor) Fix(ctx context.Context, o FixOptions) ([]Finding, error) {
	taken := map[string]bool{}
	for range rounds {
		findings, err := d.Examine(ctx)
		if err != nil {
			return nil, err
		}
		steps, others := d.plan(findings, taken)
		for _, s := range others {
			o.Show("an administrator has to " + s.Text())
		}
		if len(steps) == 0 {
			return findings, nil
		}
		for _, s := range steps {
			o.Show(s.Text())
		}
		if o.Confirm != nil {
			agreed, err := o.Confirm()
			if err != nil || !agreed {
				return findings, err
			}
		}
		if err := d.take(ctx, o, steps); err != nil {
			return nil, err
		}
	}
	return d.Examine(ctx)
}

// plan collects the steps of all findings that were not taken yet: those that
// can be taken here, and those for an administrator. It marks them as taken.
func (d *Doctor) plan(findings []Finding, taken map[string]bool) (steps, others []Step) {
	var packages []string
	for _, f := range findings {
		packages = append(packages, f.packages...)
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	var all []Step
	if _, err := d.o.System.LookPath("apt-get"); err == nil && len(packages) > 0 {
		all = append(all, updateStep(), installStep(packages))
	}
	for _, f := range findings {
		all = append(all, f.steps...)
	}
	_, err := d.o.System.LookPath("sudo")
	able := d.o.UID == 0 || err == nil
	for _, s := range all {
		key := s.Text()
		switch {
		case taken[key]:
			continue
		case s.Root && !able:
			others = append(others, s)
		default:
			steps = append(steps, s)
		}
		taken[key] = true
	}
	return steps, others
}

// take takes the steps in order and stops at the first that fails and must not.
func (d *Doctor) take(ctx context.Context, o FixOptions, steps []Step) error {
	root := d.o.UID == 0
	for _, s := range steps {
		_, err := d.o.System.Run(ctx, s.command(root, !root))
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && s.MayFail:
			o.Show("that failed, and is not needed: " + err.Error())
		case err != nil:
			return &fault.Error{Kind: fault.Internal, Msg: "cannot " + s.Text(), Hint: "put that right by hand, then run vexa doctor --fix again", Err: err}
		}
	}
	return nil
}
