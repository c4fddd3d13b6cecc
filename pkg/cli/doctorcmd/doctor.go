// Package doctorcmd holds vexa doctor.
package doctorcmd

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/doctor"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Options is what the command line of vexa doctor says.
type Options struct {
	Factory *factory.Factory
	JSON    output.JSON
	Fix     bool
	Yes     bool
	User    string
}

// fields are the JSON fields of a finding. They only ever grow.
func fields() output.Fields[doctor.Finding] {
	type f = doctor.Finding
	return output.Fields[f]{
		{Name: "name", Value: func(x f) any { return x.Name }},
		{Name: "status", Value: func(x f) any { return x.Status }},
		{Name: "detail", Value: func(x f) any { return x.Detail }},
		{Name: "why", Value: func(x f) any { return x.Why }},
		{Name: "fix", Value: func(x f) any { return append([]string{}, x.Fix...) }},
		{Name: "blocking", Value: func(x f) any { return x.Blocking }},
	}
}

// New returns the command vexa doctor.
func New(f *factory.Factory) *cobra.Command {
	o := &Options{Factory: f}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine lacks, and put it right",
		Long: "Looks at what Vexa needs of this machine and says what is missing, why that matters and\n" +
			"what to do. The exit code is 1 where something fails; a warning is no failure.\n\n" +
			"With --fix it puts right what it can: packages (with apt-get), subordinate ids, Podman's\n" +
			"configuration. It shows each command and each change of a file, asks, and then does it;\n" +
			"running it again changes nothing. It writes to your own files where those suffice. The\n" +
			"exit code is then 1 where agents still cannot run.\n\n" +
			"As root it sets up an unprivileged user and says how to run Vexa as that user: agents\n" +
			"never run as root.",
		Example: "$ vexa doctor\n$ vexa doctor --fix\n$ sudo vexa doctor --fix --yes --user vexa\n" +
			"$ vexa doctor --json name,status --jq '.[] | select(.status==\"fail\").name'",
		Args: grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.Fix && o.JSON.On():
				return grammar.Usage(cmd, "--fix and --json exclude each other")
			case o.Yes && !o.Fix:
				return grammar.Usage(cmd, "--yes belongs to --fix")
			default:
				return run(cmd.Context(), o)
			}
		},
	}
	cmd.Flags().BoolVar(&o.Fix, "fix", false, "put right what can be put right")
	cmd.Flags().BoolVarP(&o.Yes, "yes", "y", false, "with --fix: do not ask")
	cmd.Flags().StringVar(&o.User, "user", "vexa", "as root: the unprivileged `user` to look at and set up")
	output.AddFlags(cmd, &o.JSON, fields().Names(), f.OutTTY)
	return cmd
}

func run(ctx context.Context, o *Options) error {
	d, err := newDoctor(o)
	if err != nil {
		return err
	}
	if o.Fix {
		return fix(ctx, o, d)
	}
	doing := o.Factory.Begin("looking at this machine")
	findings, err := d.Examine(ctx)
	doing.End()
	if err != nil {
		return err
	}
	if o.JSON.On() {
		err = output.List(o.Factory.Out, &o.JSON, fields(), findings)
	} else {
		err = show(o.Factory, findings, factory.IsTTY(o.Factory.OutTTY))
	}
	if err != nil || doctor.Worst(findings) != doctor.Fail {
		return err
	}
	return fault.New(fault.Internal, failed(findings), "vexa doctor --fix puts right what can be put right")
}

func fix(ctx context.Context, o *Options, d *doctor.Doctor) error {
	f := o.Factory
	if !o.Yes && !f.CanPrompt() {
		return fault.New(fault.Usage, "vexa doctor --fix asks before it changes anything, and there is no terminal to ask on", "use --yes")
	}
	fo := doctor.FixOptions{Show: func(line string) { f.Say("%s", line) }}
	if !o.Yes {
		fo.Confirm = func() (bool, error) { return f.Confirm(ctx, "Do this? [Y/n] ", "use --yes", true) }
	}
	findings, err := d.Fix(ctx, fo)
	if err != nil {
		return err
	}
	if err := show(f, findings, true); err != nil {
		return err
	}
	if doctor.Blocked(findings) {
		return fault.New(fault.Internal, failed(findings), "do what is listed above, then run vexa doctor again")
	}
	return nil
}

// newDoctor gives the doctor what it may look at.
func newDoctor(o *Options) (*doctor.Doctor, error) {
	f := o.Factory
	self, err := os.Executable()
	if err != nil {
		return nil, fault.Newf(fault.Internal, "find this program: %w", err)
	}
	do := doctor.Options{System: f.System, UID: os.Getuid(), User: o.User, Env: f.Env, Self: self, Version: f.Version.Version}
	if do.System == nil {
		do.System = doctor.Host{}
	}
	if f.UID != nil {
		do.UID = f.UID()
	}
	if do.UID != 0 {
		do.Install = func(ctx context.Context) (doctor.Install, error) { return install(ctx, f) }
	}
	return doctor.New(do)
}

// show prints the findings: with the reasons and what to do for a person, else
// one line each of name, status and detail.
func show(f *factory.Factory, findings []doctor.Finding, person bool) error {
	if !person {
		t := output.NewTable(f.Out, false)
		for _, x := range findings {
			t.Row(x.Name, string(x.Status), x.Detail)
		}
		return t.Flush()
	}
	var b strings.Builder
	for _, x := range findings {
		status := fmt.Sprintf("%-5s", x.Status)
		switch x.Status {
		case doctor.OK:
			status = f.OutStyle().Good(status)
		case doctor.Fail:
			status = f.OutStyle().Bad(status)
		default:
			status = f.OutStyle().Doubtful(status)
		}
		fmt.Fprintf(&b, "%s %-13s  %s\n", status, x.Name, plain.Line(x.Detail))
		if x.Status == doctor.OK {
			continue
		}
		fmt.Fprintf(&b, "      why: %s\n", x.Why)
		for _, line := range x.Fix {
			fmt.Fprintf(&b, "      do:  %s\n", plain.Line(line))
		}
	}
	return f.Printf("%s", b.String())
}

func failed(findings []doctor.Finding) string {
	var names []string
	for _, x := range findings {
		if x.Status == doctor.Fail {
			names = append(names, x.Name)
		}
	}
	return "not right on this machine: " + strings.Join(names, ", ")
}
