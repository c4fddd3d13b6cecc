package dispatchcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// LogsOptions is what the command line of vexa logs says.
type LogsOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Unit    string
	Query   client.FrameQuery
	Cursors bool

	Inference bool // what was sent to models in place of the frames
}

// NewLogs returns the command vexa logs.
func NewLogs(f *factory.Factory) *cobra.Command {
	o := &LogsOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "logs UNIT",
		Short: "Print what happened in a dispatch",
		Long: "Prints the frames of a dispatch's topic, oldest first, one a line. Pieces of an answer\n" +
			"are left out: the whole answer follows them. With --json the frames are printed as they\n" +
			"are (contract ws.v2).\n\n" +
			"--from goes on after a cursor; --cursors prints the cursor of each frame. A reader that\n" +
			"goes on from the last cursor it saw misses and repeats nothing.\n\n" +
			"--inference prints instead what the dispatch sent to models and what came back, for you\n" +
			"alone: each request in the order of sending, as it left this machine, with where it went\n" +
			"and what it used. There is something to print where vexa model record on was said before.\n" +
			"What a request repeats of the one before is named, behind an equals sign, and not printed\n" +
			"again.\n" +
			"With --json each is one document, a line, with bodies as they were: number, turn, provider,\n" +
			"model, protocol, client, url, headers, sentAt, endedAt, outcome, status, error, attempts,\n" +
			"inputTokens, outputTokens, estimated, request, answer, reply. Where a body has bytes, cut,\n" +
			"redacted and text, or base64 where it is no text; and reply is what the answer says.",
		Example: "$ vexa logs 01JDX4\n" +
			"$ vexa logs 01JDX4 --follow --json --jq 'select(.type==\"commit\").sha'\n" +
			"$ vexa logs 01JDX4 --inference\n" +
			"$ vexa logs 01JDX4 --inference --json --jq '.request.text | fromjson | .messages'",
		Args:              grammar.Args("UNIT"),
		ValidArgsFunction: f.Complete(factory.UnitIDs),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Unit = args[0]
			if o.Inference {
				if (o.Query.From != "" || o.Query.Follow) || o.Cursors {
					return grammar.Usage(cmd, "--inference has no --follow, --from or --cursors")
				}
				return runInference(cmd.Context(), o)
			}
			return runLogs(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVarP(&o.Query.Follow, "follow", "f", false, "wait for more until the dispatch has ended")
	cmd.Flags().StringVar(&o.Query.From, "from", "", "begin after this `cursor`")
	cmd.Flags().BoolVar(&o.Cursors, "cursors", false, "print each frame's cursor; with --json as {\"cursor\":…,\"frame\":…}")
	cmd.Flags().BoolVar(&o.Inference, "inference", false, "print what was sent to models, and what came back")
	output.AddSwitch(cmd, &o.JSON, "print the frames, or requests, as JSON, one a line")
	return cmd
}

func runLogs(ctx context.Context, o *LogsOptions) error {
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	for e, err := range c.Frames(ctx, o.Unit, o.Query) {
		if err != nil {
			return err
		}
		if err := o.print(e); err != nil {
			return err
		}
	}
	return nil
}

func (o *LogsOptions) print(e client.Entry) error {
	if !o.JSON.On() {
		return o.line(e)
	}
	if !o.Cursors {
		return output.Raw(o.Factory.Out, &o.JSON, e.Raw)
	}
	data, err := json.Marshal(struct {
		Cursor string          `json:"cursor"`
		Frame  json.RawMessage `json:"frame"`
	}{e.Cursor, e.Raw})
	if err != nil {
		return fault.Newf(fault.Internal, "write a frame: %w", err)
	}
	return output.Raw(o.Factory.Out, &o.JSON, data)
}

// line prints a frame as time, type and text: in columns on a terminal, else
// separated by tabs.
func (o *LogsOptions) line(e client.Entry) error {
	if _, delta := e.Frame.Body.(wsv2.MessageDelta); delta {
		return nil
	}
	kind, text := string(e.Frame.Body.FrameType()), plain.Line(describe(e.Frame.Body))
	if factory.IsTTY(o.Factory.OutTTY) {
		if o.Cursors {
			text = plain.Line(e.Cursor) + "  " + text
		}
		return o.Factory.Printf("%s  %-13s  %s\n", e.Frame.TS.Local().Format(time.TimeOnly), kind, text)
	}
	row := []string{e.Frame.TS.UTC().Format(time.RFC3339Nano), kind, text}
	if o.Cursors {
		row = append(row, plain.Line(e.Cursor))
	}
	return o.Factory.Printf("%s\n", strings.Join(row, "\t"))
}

// describe says in words what a frame holds. The result is foreign text.
func describe(body wsv2.Body) string {
	switch b := body.(type) {
	case wsv2.TurnAccepted:
		return fmt.Sprintf("%s %s: %s", b.Runner, b.Model, b.Text)
	case wsv2.Message:
		return b.Text
	case wsv2.Reasoning:
		return b.Text
	case wsv2.ToolCall:
		return b.Tool + " " + string(b.Arguments)
	case wsv2.ToolResult:
		return verdict(b.OK) + " " + b.Output
	case wsv2.Plan:
		return describePlan(b)
	case wsv2.Opaque:
		return strings.TrimSpace(b.Event + " " + string(b.JSON))
	case wsv2.Usage:
		return fmt.Sprintf("%s: %s, %d tokens in, %d out", b.Model, output.Plural(b.Requests, "request"), b.InputTokens, b.OutputTokens)
	case wsv2.Commit:
		return describeCommit(b)
	case wsv2.Card:
		return string(b.Card)
	case wsv2.Rejected:
		return b.Path + ": " + b.Reason
	case wsv2.Error:
		return b.Message
	case wsv2.TurnDone:
		return describeEnd(b)
	case wsv2.State:
		return strings.Join(strings.Fields(b.State+" "+b.StopReason+" "+b.Detail), " ")
	default:
		return ""
	}
}

func describePlan(p wsv2.Plan) string {
	steps := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		steps[i] = s.Text
		if s.State != wsv2.StepPending {
			steps[i] += " (" + string(s.State) + ")"
		}
	}
	return strings.Join(steps, "; ")
}

func describeEnd(d wsv2.TurnDone) string {
	s := string(d.Outcome)
	if d.Error != "" {
		s += " " + d.Error
	}
	if d.Unknown > 0 {
		s += fmt.Sprintf(" (%s not understood)", output.Plural(d.Unknown, "line"))
	}
	return s
}

func describeCommit(c wsv2.Commit) string {
	name := c.Name
	if name == "" {
		name = c.Workspace
	}
	s := fmt.Sprintf("%s in %s, %s", c.SHA, name, output.Plural(c.Files, "file"))
	switch {
	case len(c.Conflicts) > 0:
		s += ", proposed: conflicts in " + strings.Join(c.Conflicts, ", ")
	case !c.Merged:
		s += ", proposed: needs approval"
	}
	return s
}

func verdict(ok bool) string {
	if ok {
		return "ok"
	}
	return "failed"
}
