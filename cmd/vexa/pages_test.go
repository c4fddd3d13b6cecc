package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vexa-ai/vexa/pkg/cli"
)

// There is a page of the manual for each command and each topic, with its examples, and
// the same program writes the same pages.
func TestManual(t *testing.T) {
	t.Parallel()
	when := time.Date(2027, 3, 1, 0, 0, 0, 0, time.FixedZone("east", 3600))
	dirs := []string{t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		must(t, cli.WriteMan(cli.New(newFactory()), dir, when))
	}
	pages := readDir(t, dirs[0])
	if diff := cmp.Diff(pages, readDir(t, dirs[1])); diff != "" {
		t.Errorf("two times two manuals:\n%s", diff)
	}
	seen := 0
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
		page := pages[name+".1"]
		if cmd.IsAdditionalHelpTopicCommand() {
			page = pages[name+".7"]
		}
		seen++
		if !strings.Contains(page, ".SH NAME") || !strings.Contains(page, "Feb 2027") {
			t.Errorf("%s has no page: %.200q", cmd.CommandPath(), page)
		}
		if cmd.Example != "" && !strings.Contains(page, ".SH EXAMPLE") {
			t.Errorf("the page of %s has no example", cmd.CommandPath())
		}
		for _, c := range cmd.Commands() {
			if !c.Hidden && (c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand()) {
				look(c)
			}
		}
	}
	look(cli.New(newFactory()))
	if seen < 80 || len(pages) < seen {
		t.Errorf("%d commands, %d pages", seen, len(pages))
	}
	if page := pages["vexa-exit-codes.7"]; !strings.Contains(page, "\n  130  it was interrupted\n") {
		t.Errorf("a topic is not laid out as it was:\n%s", page)
	}
	if page := pages["vexa-workspace-undo.1"]; !strings.Contains(page, "JSON fields") {
		t.Errorf("the JSON fields are missing:\n%s", page)
	}
}

// Nothing of a command's help is lost on the way to its page: not a flag, not a line of
// its examples, not a word.
func TestTheManualIsWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := cli.New(newFactory())
	must(t, cli.WriteMan(root, dir, time.Unix(0, 0)))
	pages := readDir(t, dir)
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
		page := pages[name+".1"] + pages[name+".7"]
		text := printed(t, page)
		words := strings.Join(strings.Fields(text), " ")
		for _, what := range []string{cmd.Long, cmd.Short} {
			if want := strings.Join(strings.Fields(what), " "); !strings.Contains(words, want) {
				t.Errorf("%s: the page does not say %q:\n%s", cmd.CommandPath(), want, text)
			}
		}
		for line := range strings.Lines(cmd.Example) {
			if !strings.Contains(text, "\n"+strings.TrimSuffix(line, "\n")+"\n") {
				t.Errorf("%s: the page has no line %q", cmd.CommandPath(), line)
			}
		}
		if cmd.IsAdditionalHelpTopicCommand() && !strings.Contains(text, "\n"+cmd.Long+"\n") {
			t.Errorf("%s: it is not laid out as it was:\n%s", cmd.CommandPath(), text)
		}
		flags := func(f *pflag.Flag) {
			_, usage := pflag.UnquoteUsage(f)
			if !strings.Contains(words, "--"+f.Name+" ") || !strings.Contains(words, strings.Join(strings.Fields(usage), " ")) {
				t.Errorf("%s: the page lacks --%s, or %q", cmd.CommandPath(), f.Name, usage)
			}
		}
		if !cmd.IsAdditionalHelpTopicCommand() {
			cmd.NonInheritedFlags().VisitAll(flags)
			cmd.InheritedFlags().VisitAll(flags)
		}
		for _, c := range cmd.Commands() {
			if !c.Hidden && (c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand()) {
				look(c)
			}
		}
	}
	look(root)
	if page := printed(t, pages["vexa-chat.1"]); !strings.Contains(page, "</dev/null keeps it out") || !strings.Contains(page, `In it \ at the end`) {
		t.Errorf("vexa chat:\n%s", page)
	}
}

// printed is the text of a page as roff prints it, but for how wide the lines are. It fails
// where the page has something of roff that pages are not to have.
func printed(t *testing.T, page string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(page) {
		if name, of, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); strings.HasPrefix(line, ".") {
			if !slices.Contains([]string{".TH", ".SH", ".PP", ".TP", ".nh", ".nf", ".fi", ".EX", ".EE"}, name) {
				t.Errorf("there is no such request: %q", line)
			}
			if line = of + "\n"; !ok {
				continue
			}
		}
		b.WriteString(strings.NewReplacer(`\e`, `\`, `\-`, "-", `\&`, "", `\fB`, "", `\fI`, "", `\fP`, "", `\(aq`, "'", `\(ga`, "`", `\(ha`, "^", `\(ti`, "~").Replace(line))
	}
	return b.String()
}

// Each shell that is here takes its completions.
func TestCompletionsAreScripts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, cli.WriteCompletions(cli.New(newFactory()), dir))
	files := readDir(t, dir)
	var names []string
	for name, text := range files {
		names = append(names, name)
		if len(text) < 1000 || !strings.Contains(text, "__complete") {
			t.Errorf("%s: %.200q", name, text)
		}
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "vexa.bash vexa.fish vexa.powershell vexa.zsh" {
		t.Errorf("written is %s", got)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		if out, err := exec.Command(path, "-n", filepath.Join(dir, "vexa."+shell)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", shell, err, out)
		}
	}
	// In Bash what is completed is what the program says: here one that knows one name.
	bash, err := exec.LookPath("bash")
	if err != nil {
		missing(t, "bash", err.Error())
	}
	bin := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "vexa"), []byte("#!/bin/sh\n[ \"$1 $2 $3\" = \"__complete workspace show\" ] && printf 'notes\\n:4\\n'\n"), 0o700))
	script := `_get_comp_words_by_ref() { cur=no; prev=show; words=(vexa workspace show no); cword=3; }
compopt() { :; }
. "$1"; COMP_WORDS=(vexa workspace show no) COMP_CWORD=3 COMP_LINE="vexa workspace show no" COMP_POINT=22
__start_vexa; echo "${COMPREPLY[*]}"`
	cmd := exec.Command(bash, "-c", script, "bash", filepath.Join(dir, "vexa.bash"))
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "notes" {
		t.Errorf("%q, %v", out, err)
	}
}
