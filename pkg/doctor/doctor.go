// Package doctor says what a machine lacks to run Vexa, why that matters, and
// puts it right.
//
// A check looks at the machine through the System port and returns a finding;
// one that can be repaired carries the steps that do so. Looking changes
// nothing. A step is shown before it is taken, and taking it twice does no harm.
//
// Agents never run as root: for root, doctor looks at, and sets up, an
// unprivileged user to run Vexa as.
package doctor

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// Status is the verdict of a check.
type Status string

// The verdicts.
const (
	OK   Status = "ok"
	Warn Status = "warn" // Vexa runs; something is weaker or slower than it could be
	Fail Status = "fail" // Vexa does not run, or a promise of its does not hold
)

// Finding is what one check saw.
type Finding struct {
	Name   string
	Status Status
	Detail string   // what there is
	Why    string   // why it matters
	Fix    []string // what a person can do, in words or commands; empty where nothing is to be done

	// Blocking says that no agent can run before this is put right.
	Blocking bool

	packages []string // Debian packages that are missing
	steps    []Step
}

// Install is the state of the installation, as far as it can be seen without
// opening it.
type Install struct {
	ID          string
	Key         string // what opens it: none | passphrase | keyring | keys; missing: there is none
	Recovery    bool   // there is a recovery key
	Daemon      string // version of the running daemon; empty: none runs
	Locked      bool   // the running daemon does not have the key
	LastWords   string // where none runs: the error that the last one ended with; empty: it did not
	Trouble     string // what a running daemon answers instead of its state; empty: its state
	Kernel      bool   // the runtime kernel answers the daemon
	Unencrypted int    // workspaces that rest unencrypted
	Live        []string
	State       string // directory of the journals
	Units       string // directory of the units' working copies
	Packs       string // directory of the history that their containers read
}

// Options say where and for whom to look.
type Options struct {
	System  System
	UID     int    // of this process
	User    string // as root: the unprivileged user to look at and set up
	Env     func(string) string
	Self    string // path of this program
	Version string // of this program
	// Install looks at the installation of this user; nil: there is none to see.
	Install func(context.Context) (Install, error)
}

// Doctor examines one machine for one user.
type Doctor struct {
	o      Options
	checks []check
}

// check is one look at the machine. run returns a finding without name and why.
type check struct {
	name string
	why  string
	run  func(context.Context, *probe) Finding
}

// userName is what useradd accepts.
var userName = textform.Name{First: textform.Lower + "_", Rest: textform.Lower + textform.Digit + "_-", Max: 32}

// New returns a doctor. It is fault.Usage where the user's name is not one.
func New(o Options) (*Doctor, error) {
	if o.User == "" {
		o.User = "vexa"
	}
	if !userName.MatchString(o.User) || o.User == "root" {
		return nil, fault.New(fault.Usage, "not a name for an unprivileged user: "+o.User, "use --user NAME")
	}
	return &Doctor{o: o, checks: allChecks()}, nil
}

// Examine runs every check, in order. It is an error only where ctx ends.
func (d *Doctor) Examine(ctx context.Context) ([]Finding, error) {
	p := newProbe(ctx, d.o)
	findings := make([]Finding, 0, len(d.checks))
	for _, c := range d.checks {
		f := c.run(ctx, p)
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if f.Status == "" {
			continue // it does not apply here
		}
		f.Name, f.Why = c.name, c.why
		f.Fix = append(f.Fix, describe(f)...)
		findings = append(findings, f)
	}
	return findings, nil
}

// describe lists the commands behind a finding, for those who want to run them
// by hand.
func describe(f Finding) []string {
	var out []string
	if len(f.packages) > 0 {
		out = append(out, installStep(f.packages).Line())
	}
	for _, s := range f.steps {
		out = append(out, s.Line())
	}
	return out
}

// Worst returns the gravest verdict among findings.
func Worst(findings []Finding) Status {
	worst := OK
	for _, f := range findings {
		if f.Status == Fail || f.Status == Warn && worst == OK {
			worst = f.Status
		}
	}
	return worst
}

// Blocked reports whether a finding keeps agents from running.
func Blocked(findings []Finding) bool {
	for _, f := range findings {
		if f.Status == Fail && f.Blocking {
			return true
		}
	}
	return false
}

func ok(detail string) Finding { return Finding{Status: OK, Detail: detail} }

func warn(detail string, fix ...string) Finding {
	return Finding{Status: Warn, Detail: detail, Fix: fix}
}

func fail(detail string, fix ...string) Finding {
	return Finding{Status: Fail, Detail: detail, Fix: fix}
}

// blocks marks a finding that keeps agents from running.
func (f Finding) blocks() Finding {
	f.Blocking = true
	return f
}

// needs adds Debian packages that put the finding right.
func (f Finding) needs(packages ...string) Finding {
	f.packages = packages
	return f
}

// with adds steps that put the finding right.
func (f Finding) with(steps ...Step) Finding {
	f.steps = append(f.steps, steps...)
	return f
}
