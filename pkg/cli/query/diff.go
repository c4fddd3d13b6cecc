package query

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// Diff makes cmd print a unified diff, or say that there is nothing in it.
func Diff(f *factory.Factory, cmd *cobra.Command, ask Ask[api.Diff], nothing string) *cobra.Command {
	type d = api.Diff
	fields := output.Fields[d]{
		{Name: "from", Value: func(x d) any { return x.From }},
		{Name: "to", Value: func(x d) any { return x.To }},
		{Name: "patch", Value: func(x d) any { return x.Patch }},
	}
	return One(f, cmd, fields, ask, func(x d) error {
		if x.Patch == "" {
			f.Notice("%s", nothing)
		}
		return f.Printf("%s", colored(f.Patch(x.Patch), f.OutStyle()))
	})
}

// colored gives the lines of a unified diff the colours of what they begin with.
func colored(patch string, style factory.Style) string {
	if !style.On() {
		return patch
	}
	var b strings.Builder
	for line := range strings.Lines(patch) {
		text, end := strings.CutSuffix(line, "\n")
		switch {
		case strings.HasPrefix(text, "diff "), strings.HasPrefix(text, "+++ "), strings.HasPrefix(text, "--- "):
			text = style.Bold(text)
		case strings.HasPrefix(text, "@@"):
			text = style.Aside(text)
		case strings.HasPrefix(text, "+"):
			text = style.Good(text)
		case strings.HasPrefix(text, "-"):
			text = style.Bad(text)
		}
		if b.WriteString(text); end {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
