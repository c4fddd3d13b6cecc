package output_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/cli/output"
)

type style struct{}

func (style) Bold(s string) string     { return "\x1b[1m" + s + "\x1b[0m" }
func (style) Good(s string) string     { return "\x1b[32m" + s + "\x1b[0m" }
func (style) Doubtful(s string) string { return "\x1b[33m" + s + "\x1b[0m" }
func (style) Bad(s string) string      { return "\x1b[31m" + s + "\x1b[0m" }

func table(t *testing.T, tty bool, s output.Style) string {
	t.Helper()
	var buf bytes.Buffer
	list := output.NewTable(&buf, tty, "NAME", "STATE", "PROBLEM")
	if s != nil {
		list.In(s)
	}
	list.Row("running", "running", "")
	list.Row("漢字", "failed", "it\x1b[2J broke")
	list.Row("", "skip", "")
	list.Row("c", "of no colour", "")
	if err := list.Flush(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// Colour is given to what says how things are, and to nothing that a row brought; without
// it a table is the same.
func TestTable(t *testing.T) {
	t.Parallel()
	const want = "" +
		"\x1b[1mNAME\x1b[0m     \x1b[1mSTATE\x1b[0m         \x1b[1mPROBLEM\x1b[0m\n" +
		"running  \x1b[32mrunning\x1b[0m\n" +
		"漢字     \x1b[31mfailed\x1b[0m        \x1b[31mit broke\x1b[0m\n" +
		"         \x1b[33mskip\x1b[0m\n" +
		"c        of no colour\n"
	if got := table(t, true, style{}); got != want {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	bare := regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(want, "")
	if got := table(t, true, nil); got != bare {
		t.Errorf("%q\nwant\n%q", got, bare)
	}
	if got := table(t, false, nil); strings.Contains(got, "\x1b") || !strings.HasPrefix(got, "running\trunning\t\n") {
		t.Errorf("%q", got)
	}
}
