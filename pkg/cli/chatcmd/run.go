package chatcmd

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// RunOptions is what the command line of vexa run says.
type RunOptions struct {
	Factory *factory.Factory
	Request api.StartRequest
	JSON    output.JSON
	Detach  bool

	plan    string
	message message
	flags   request
}

// NewRun returns the command vexa run.
func NewRun(f *factory.Factory) *cobra.Command {
	o := &RunOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "run {TEXT | - | --plan PATH | --command NAME [TEXT]}",
		Short: "Run an agent on one task",
		Long: "Runs an agent on a task in a container of its own, prints what it says and exits\n" +
			"with the outcome. The task is TEXT, stdin for -, or a plan: a file in the first\n" +
			"workspace. What a pipe or a file on stdin holds (at most 1 MiB) follows TEXT after an\n" +
			"empty line; </dev/null keeps it out. In TEXT @WORKSPACE:PATH is a file of a granted workspace.\n" +
			"With --command it is the prompt that a workspace brings for it (vexa workspace commands),\n" +
			"with TEXT for its arguments. With --detach it prints the unit's id and leaves the agent running.\n\n" +
			"With --json it prints the frames (contract ws.v2), one a line; with --detach too, one\n" +
			"object with unit, turn, session and the cursor from.",
		Example: "$ vexa run \"Sort the notes by topic\" -w notes\n" +
			"$ vexa run --plan plans/weekly.md -w notes:rw -w handbook:ro\n" +
			"$ vexa run --command review \"otters.md links\" -w notes\n" +
			"$ unit=$(vexa run \"Summarise the week\" --detach); vexa logs $unit --follow",
		Args: grammar.Args("[TEXT]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd, args); err != nil {
				return err
			}
			return runRun(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.plan, "plan", "", "a plan file, by its `path` in the first workspace")
	cmd.Flags().BoolVarP(&o.Detach, "detach", "d", false, "print the unit's id and do not wait")
	o.flags.addFlags(f, cmd)
	output.AddSwitch(cmd, &o.JSON, "print the frames as JSON, one a line")
	return cmd
}

func (o *RunOptions) complete(cmd *cobra.Command, args []string) error {
	text, m := strings.Join(args, ""), &o.message
	var err error
	switch {
	case o.plan != "" && (len(args) > 0 || o.flags.command != ""):
		return grammar.Usage(cmd, "TEXT and --command exclude --plan")
	case text == "-" && o.flags.command != "":
		return grammar.Usage(cmd, "--command does not take -: what is on stdin follows its prompt")
	case text == "-":
		m.piped, err = readText(cmd.Context(), o.Factory)
	case o.plan == "" && (strings.TrimSpace(text) != "" || o.flags.command != ""):
		m.command, m.typed = strings.TrimPrefix(o.flags.command, "/"), text
		m.piped, err = beside(cmd.Context(), o.Factory)
	}
	switch {
	case err != nil:
		return err
	case o.plan == "" && m.empty():
		return grammar.Usage(cmd, "vexa run needs a TEXT, --command NAME or --plan PATH")
	}
	o.Request, err = o.flags.build(cmd)
	o.Request.Plan = o.plan
	return err
}

func runRun(ctx context.Context, o *RunOptions) error {
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if o.Request.Text, err = o.message.text(ctx, o.Factory, c, &o.Request); err != nil {
		return err
	}
	if !o.Detach {
		_, err = runTurn(ctx, newTurn(o.Factory, c, &o.JSON), o.Request)
		return err
	}
	wait := &progress{f: o.Factory}
	wait.wait(handsOver)
	started, err := c.Start(ctx, o.Request)
	wait.hush()
	if err != nil {
		return grammar.Argument(err)
	}
	if !o.JSON.On() {
		return o.Factory.Printf("%s\n", plain.Line(started.Unit))
	}
	data, err := json.Marshal(started)
	if err != nil {
		return fault.Newf(fault.Internal, "write the result: %w", err)
	}
	return output.Raw(o.Factory.Out, &o.JSON, data)
}
