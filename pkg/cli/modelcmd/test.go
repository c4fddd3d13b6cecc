package modelcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/conformance"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
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
		{Name: "events", Value: func(x r) any { return x.Events }},
	}
}

// testOptions are what the person asks of vexa runner test.
type testOptions struct {
	asJSON output.JSON
	name   string
	golden string // directory of what was recorded; empty: what ships
	record string // directory of what is to be recorded; empty: nothing is
}

func newRunnerTest(f *factory.Factory) *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test NAME",
		Short: "Try out whether a runner works as Vexa expects",
		Long: "Runs a runner's agent in real containers, with a rehearsal in place of a model: that it\n" +
			"starts, answers in pieces, uses a tool whose file becomes a commit, goes on in another\n" +
			"container, is interrupted, tells why it failed, calls a tool that it was granted, waits for\n" +
			"no network, and prints no events that are not known. It works in an installation of its own,\n" +
			"which is gone afterwards. Exit code 1 says that something failed.\n\n" +
			"The types of the events that are printed are compared with those that were recorded of the\n" +
			"runner: what is new is named, and what is gone fails. Recordings of the runners that come with\n" +
			"Vexa are in the program; yours are made with --record and compared with --golden.",
		Example:           "$ vexa runner test claude-code\n$ vexa runner test mine --json checks\n$ vexa runner test mine --record ./golden\n$ vexa runner test mine --golden ./golden",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: f.Complete(factory.RunnerNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			return runRunnerTest(cmd.Context(), f, &o)
		},
	}
	cmd.Flags().StringVar(&o.golden, "golden", "", "compare with the recordings in this `directory`")
	cmd.Flags().StringVar(&o.record, "record", "", "record what is printed in this `directory`: note.out, failed.out, tools.out")
	output.AddFlags(cmd, &o.asJSON, reportFields().Names(), f.OutTTY)
	return cmd
}

func runRunnerTest(ctx context.Context, f *factory.Factory, o *testOptions) (err error) {
	if f.Scratch == nil {
		return factory.Missing("an installation to try runners in")
	}
	golden, err := recordings(f, o)
	if err != nil {
		return err
	}
	ctx, _, unwatch := f.WatchInterrupts(ctx)
	defer unwatch()
	doing := f.Begin("making an installation to try runner %s in", o.name)
	defer doing.End()
	h, drop, err := f.Scratch(ctx, o.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop(context.WithoutCancel(ctx))) }()
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.Runner(ctx, o.name)
	if err != nil {
		return grammar.Argument(err)
	}
	var m runnerv2.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	if m.Stream.Dialect == dialect.Text && (o.golden != "" || o.record != "") {
		return fault.New(fault.Usage, "what runner "+o.name+" prints is text, which has no events that could be recorded or compared", "leave out --record and --golden")
	}
	if err := furnish(ctx, c, h.Config); err != nil {
		return err
	}
	doing.Step("running %s in containers", o.name)
	report, err := conformance.Run(ctx, conformance.Options{
		Installation: c, Manifest: m, Golden: golden, Load: conformance.MachineLoad,
		Each: func(c conformance.Check) { f.Notice("%s: %s", c.Name, c.State) },
	})
	doing.End()
	if err != nil {
		return err
	}
	if err := keepRecordings(f, o.record, report.Recorded); err != nil {
		return err
	}
	if err := printReport(f, &o.asJSON, report); err != nil || report.OK {
		return err
	}
	return fault.New(fault.Failed, "runner "+o.name+" does not do all that its manifest claims", "correct its manifest, or use the version that it pins: vexa runner show "+o.name)
}

// recorded ends the names of recordings.
const recorded = ".out"

// recordings are what was recorded of the runner, by name.
func recordings(f *factory.Factory, o *testOptions) (map[string][]byte, error) {
	switch {
	case o.golden == "" && f.Golden == nil:
		return nil, nil
	case o.golden == "":
		return f.Golden(o.name)
	}
	files, err := os.ReadDir(o.golden)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Denied, "read the recordings in "+o.golden, err)
	}
	out := map[string][]byte{}
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), recorded)
		if !ok {
			continue
		}
		if out[name], err = os.ReadFile(filepath.Join(o.golden, file.Name())); err != nil {
			return nil, fault.Wrap(fault.Denied, "read a recording", err)
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.NotFound, "there is no recording in "+o.golden, "make one: vexa runner test "+o.name+" --record "+o.golden)
	}
	return out, nil
}

// keepRecordings stores what was recorded.
func keepRecordings(f *factory.Factory, dir string, texts map[string]string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fault.Wrap(fault.Denied, "make a directory for the recordings", err)
	}
	for name, text := range texts {
		if err := atomicfile.WriteFile(filepath.Join(dir, name+recorded), []byte(text), 0o666); err != nil {
			return fault.Wrap(fault.Denied, "store a recording", err)
		}
	}
	f.Notice("recorded in %s: %d files", dir, len(texts))
	return nil
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
