package dispatchcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// runInference prints what a dispatch sent to models.
func runInference(ctx context.Context, o *LogsOptions) error {
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var bodies output.Documents
	last := 0
	for x, err := range c.Exchanges(ctx, o.Unit) {
		if err != nil {
			return err
		}
		if err := o.printExchange(x, last, &bodies); err != nil {
			return err
		}
		last = x.Number
	}
	if last == 0 {
		return nothingRecorded(ctx, o, c)
	}
	return nil
}

// nothingRecorded says why there is nothing to print.
func nothingRecorded(ctx context.Context, o *LogsOptions, c *client.Client) error {
	d, err := c.Dispatch(ctx, o.Unit)
	if err != nil {
		return err
	}
	if d.Requests == 0 {
		yet := ""
		if d.EndedAt == nil {
			yet = " yet"
		}
		o.Factory.Say("unit %s has asked no model%s", d.ID, yet)
		return nil
	}
	r, err := c.Recording(ctx)
	if err != nil {
		return err
	}
	if !r.Inference {
		return fault.New(fault.NotFound, "nothing is recorded of what unit "+d.ID+" sent to models: recording is off",
			"to have it recorded from the next request on: vexa model record on")
	}
	return fault.New(fault.NotFound, "nothing is recorded of what unit "+d.ID+" sent to models: it was sent while recording was off, or is not kept any more",
		"how long it is kept is in config/retention.json, inference")
}

func (o *LogsOptions) printExchange(x api.Exchange, last int, bodies *output.Documents) error {
	if o.JSON.On() {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(x); err != nil {
			return fault.Newf(fault.Internal, "write a request: %w", err)
		}
		return output.Raw(o.Factory.Out, &o.JSON, bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
	}
	var buf bytes.Buffer
	if last > 0 {
		buf.WriteString("\n")
	}
	if missing := x.Number - last - 1; missing > 0 {
		fmt.Fprintf(&buf, "%s before number %d: not kept any more, or not sent\n\n", output.Plural(missing, "request"), x.Number)
	}
	if err := showExchange(&buf, x, stampFor(factory.IsTTY(o.Factory.OutTTY)), bodies); err != nil {
		return err
	}
	_, err := o.Factory.Out.Write(buf.Bytes())
	return err
}

// stampFor renders times: local ones on a terminal.
func stampFor(tty bool) func(time.Time) string {
	return func(t time.Time) string {
		if tty {
			return t.Local().Format(time.DateTime)
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
}

// showExchange writes one request and its answer. Everything but the layout is
// foreign text.
func showExchange(w *bytes.Buffer, x api.Exchange, at func(time.Time) string, bodies *output.Documents) error {
	fmt.Fprintf(w, "request %d  %s  %s  %s\n", x.Number, at(x.SentAt), plain.Line(x.Provider+"/"+x.Model), plain.Line(ending(x)))
	to := x.URL + ", " + x.Protocol
	if strings.HasPrefix(x.URL, "/") {
		to = "a rehearsal on this machine, as if it were " + to
	}
	if x.Client != x.Protocol {
		to += ", translated from " + x.Client
	}
	fmt.Fprintf(w, "  to: %s\n", plain.Line(to))
	for _, name := range slices.Sorted(maps.Keys(x.Headers)) {
		fmt.Fprintf(w, "  %s: %s\n", plain.Line(strings.ToLower(name)), plain.Line(x.Headers[name]))
	}
	if len(x.Attempts) > 1 {
		for i, a := range x.Attempts {
			fmt.Fprintf(w, "  attempt %d: %s  %s\n", i+1, at(a.At), plain.Line(strings.TrimSpace(status(a.Status)+"  "+a.Error)))
		}
	} else if x.Error != "" {
		fmt.Fprintf(w, "  error: %s\n", plain.Line(x.Error))
	}
	fmt.Fprintf(w, "  sent: %s\n", amount(x.Request))
	write := func(w io.Writer, indent string, data []byte) error {
		return bodies.Write(w, indent, fmt.Sprintf("request %d", x.Number), data)
	}
	if err := showBody(w, x.Request, write); err != nil {
		return err
	}
	fmt.Fprintf(w, "  answer: %s\n", amount(x.Answer))
	if len(x.Reply) == 0 {
		return showBody(w, x.Answer, output.Document)
	}
	for _, p := range x.Reply {
		if err := showPart(w, p); err != nil {
			return err
		}
	}
	return nil
}

// ending says in words how a request ended, and what it used.
func ending(x api.Exchange) string {
	if x.EndedAt == nil {
		return "no end is recorded: it is under way, or the daemon ended first"
	}
	text := fmt.Sprintf("%s %s in %s", status(x.Status), x.Outcome, x.EndedAt.Sub(x.SentAt).Round(time.Millisecond))
	if x.InputTokens > 0 || x.OutputTokens > 0 {
		text += fmt.Sprintf("  %d tokens in, %d out", x.InputTokens, x.OutputTokens)
		if x.Estimated {
			text += ", estimated"
		}
	}
	return text
}

func status(code int) string {
	if code == 0 {
		return "no answer"
	}
	return fmt.Sprint(code)
}

// amount says how much of a body there was, and what of it is not shown.
func amount(b api.ExchangeBody) string {
	text := output.Plural(int(b.Bytes), "byte")
	if b.Cut {
		text += fmt.Sprintf(", cut: %d are kept", len(b.Text)+len(b.Base64))
	}
	if b.Redacted {
		text += ", without the provider's key, which was in it"
	}
	return text
}

// bodyIndent is where bodies stand.
const bodyIndent = "    "

func showBody(w io.Writer, b api.ExchangeBody, document func(w io.Writer, indent string, data []byte) error) error {
	switch {
	case len(b.Base64) > 0:
		return output.Block(w, bodyIndent, "no text; --json has it, in base64")
	case b.Text == "":
		return nil
	default:
		return document(w, bodyIndent, []byte(b.Text))
	}
}

func showPart(w io.Writer, p api.ReplyPart) error {
	name := p.Kind
	if p.Tool != "" {
		name += " " + p.Tool
	}
	if _, err := fmt.Fprintf(w, "%s%s:\n", bodyIndent, plain.Line(name)); err != nil {
		return err
	}
	if p.Tool != "" {
		return output.Document(w, bodyIndent+"  ", []byte(p.Text))
	}
	return output.Block(w, bodyIndent+"  ", p.Text)
}
