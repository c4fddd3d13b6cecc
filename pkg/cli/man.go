package cli

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// WriteMan writes a manual page for each command below and including root, in section
// 1, and for each help topic, in section 7, into dir, which it makes where it is
// missing. Nothing but date differs between two times.
//
// The pages are written as roff and not converted from Markdown: to that, what stands
// behind a < or between two _ is not the text that it is.
func WriteMan(root *cobra.Command, dir string, date time.Time) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	root.InitDefaultHelpCmd()
	prepare(root)
	return writePages(root, dir, date.UTC())
}

// writePages writes the page of a command, and those below it.
func writePages(cmd *cobra.Command, dir string, date time.Time) error {
	page, section := commandPage, "1"
	if isTopic(cmd) {
		page, section = topicPage, "7"
	}
	name := pageName(cmd)
	if err := writeFile(filepath.Join(dir, name+"."+section), page(name, cmd, date)); err != nil {
		return err
	}
	for _, c := range cmd.Commands() {
		if isTopic(c) || c.IsAvailableCommand() {
			if err := writePages(c, dir, date); err != nil {
				return err
			}
		}
	}
	return nil
}

// pageName is what the page of a command is called.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// pageHead begins a page.
func pageHead(name, section string, cmd *cobra.Command, date time.Time) *bytes.Buffer {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %q %q %q \"Vexa\" \"Vexa\"\n.nh\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), section, date.Format("Jan 2006"), roff(name), roff(cmd.Short))
	return &b
}

// topicPage is the manual page of a topic, whose text stays as it is laid out.
func topicPage(name string, cmd *cobra.Command, date time.Time) []byte {
	b := pageHead(name, "7", cmd, date)
	fmt.Fprintf(b, ".SH DESCRIPTION\n.nf\n%s\n.fi\n.SH SEE ALSO\n\\fBvexa(1)\\fP\n", roff(cmd.Long))
	return b.Bytes()
}

// commandPage is the manual page of a command.
func commandPage(name string, cmd *cobra.Command, date time.Time) []byte {
	cmd.InitDefaultHelpFlag()
	b := pageHead(name, "1", cmd, date)
	fmt.Fprintf(b, ".SH SYNOPSIS\n\\fB%s\\fP\n.SH DESCRIPTION\n", roff(cmd.UseLine()))
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	writeText(b, text)
	writeOptions(b, "OPTIONS", cmd.NonInheritedFlags())
	writeOptions(b, "OPTIONS INHERITED FROM PARENT COMMANDS", cmd.InheritedFlags())
	if cmd.Example != "" {
		fmt.Fprintf(b, ".SH EXAMPLE\n.EX\n%s\n.EE\n", roff(cmd.Example))
	}
	if also := seeAlso(cmd); len(also) > 0 {
		fmt.Fprintf(b, ".SH SEE ALSO\n%s\n", strings.Join(also, ", "))
	}
	return b.Bytes()
}

// writeText writes paragraphs, as wide as who reads them has them; lines that are set in
// stay as they are.
func writeText(b *bytes.Buffer, text string) {
	for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		b.WriteString(".PP\n")
		fixed := false
		for line := range strings.SplitSeq(part, "\n") {
			if in := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"); in != fixed {
				fixed = in
				b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[in])
			}
			b.WriteString(roff(line) + "\n")
		}
		if fixed {
			b.WriteString(".fi\n")
		}
	}
}

// writeOptions writes a section of flags, where there are any.
func writeOptions(b *bytes.Buffer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(b, "\\fB%s\\fP, ", roff("-"+f.Shorthand))
		}
		fmt.Fprintf(b, "\\fB%s\\fP", roff("--"+f.Name))
		if value != "" {
			fmt.Fprintf(b, " \\fI%s\\fP", roff(value))
		}
		if !slices.Contains([]string{"", "0", "0s", "false", "[]"}, f.DefValue) {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, "\n%s\n", roff(usage))
	})
}

// seeAlso are the pages of the command above and of those below.
func seeAlso(cmd *cobra.Command) (pages []string) {
	add := func(c *cobra.Command, section string) {
		pages = append(pages, fmt.Sprintf("\\fB%s(%s)\\fP", roff(pageName(c)), section))
	}
	if cmd.HasParent() {
		add(cmd.Parent(), "1")
	}
	for _, c := range cmd.Commands() {
		switch {
		case isTopic(c):
			add(c, "7")
		case c.IsAvailableCommand():
			add(c, "1")
		}
	}
	return pages
}

// roff is a text that means nothing to roff.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
