package modelcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/conformance"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// reportFields are the JSON fields of vexa runner test.
func reportFields() output.Fields[conformance.Report] {
	type r = conformance.Report
	return output.Fields[r]{
		{Name: "runner", Value: func(x r) any { return x.Runner }},
		{Name: "image", Value: func(x r) any { return x.Image }},
		{Name: "package", Value: func(x r) any { return x.Package }},
		{Name: "ok", Value: func(x r) any { return x.OK }},
		{Name: "checks", Value: func(x r) any { return x.Checks }},
		{Name: "firstSec", Value: func(x r) any { return x.FirstSec }},
		{Name: "warmSec", Value: func(x r) any { return x.WarmSec }},
		{Name: "tailSec", Value: func(x r) any { return x.TailSec }},
		{Name: "peakMb", Value: func(x r) any { return x.PeakMB }},
	}
}

func newRunnerTest(f *factory.Factory) *cobra.Command {
	var asJSON output.JSON
	cmd := &cobra.Command{
		Use:   "test NAME",
		Short: "Try out whether a runner works as Vexa expects",
		Long: "Runs a runner's agent in real containers, with a rehearsal in place of a model: that it\n" +
			"starts, answers in pieces, uses a tool whose file becomes a commit, goes on in another\n" +
			"container, is interrupted, tells why it failed, calls a tool that it was granted, waits for\n" +
			"no network, and prints no events that are not known. It works in an installation of its own,\n" +
			"which is gone afterwards. Exit code 1 says that something failed.",
		Example:           "$ vexa runner test claude-code\n$ vexa runner test mine --json checks",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.RunnerNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRunnerTest(cmd.Context(), f, &asJSON, args[0])
		},
	}
	output.AddFlags(cmd, &asJSON, reportFields().Names(), f.OutTTY)
	return cmd
}

func runRunnerTest(ctx context.Context, f *factory.Factory, asJSON *output.JSON, name string) (err error) {
	if f.Scratch == nil {
		return factory.Missing("an installation to try runners in")
	}
	ctx, _, unwatch := f.WatchInterrupts(ctx)
	defer unwatch()
	doing := f.Begin("making an installation to try runner %s in", name)
	defer doing.End()
	h, drop, err := f.Scratch(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop(context.WithoutCancel(ctx))) }()
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.Runner(ctx, name)
	if err != nil {
		return grammar.Argument(err)
	}
	var m runnerv2.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	if err := furnish(ctx, c, h.Config); err != nil {
		return err
	}
	doing.Step("running %s in containers", name)
	report, err := conformance.Run(ctx, conformance.Options{
		Installation: c, Manifest: m, Load: conformance.MachineLoad,
		Each: func(c conformance.Check) { f.Notice("%s: %s", c.Name, c.State) },
	})
	doing.End()
	if err != nil {
		return err
	}
	if err := printReport(f, asJSON, report); err != nil || report.OK {
		return err
	}
	return fault.New(fault.Failed, "runner "+name+" does not do all that its manifest claims", "correct its manifest, or use the version that it pins: vexa runner show "+name)
}

// furnish makes what the checks need.
func furnish(ctx context.Context, c *client.Client, config string) error {
	cassette := filepath.Join(config, "conformance.yaml")
	if err := os.WriteFile(cassette, conformance.Cassette, 0o600); err != nil {
		return err
	}
	if _, err := c.AddModel(ctx, api.AddProvider{Name: rehearsal, Protocol: rehearsal, Cassette: cassette, Default: true}); err != nil {
		return err
	}
	for _, w := range []string{"personal", conformance.Workspace} {
		if _, err := c.CreateWorkspace(ctx, api.CreateWorkspace{Name: w}); err != nil {
			return err
		}
	}
	return nil
}

func printReport(f *factory.Factory, asJSON *output.JSON, r conformance.Report) error {
	if asJSON.On() {
		return output.One(f.Out, asJSON, reportFields(), r)
	}
	t := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "CHECK", "STATE", "SECONDS", "DETAIL").In(f.OutStyle())
	for _, c := range r.Checks {
		t.Row(c.Name, c.State, fmt.Sprintf("%.1f", c.Sec), c.Detail)
	}
	return t.Flush()
}
