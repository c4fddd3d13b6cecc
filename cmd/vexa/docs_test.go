package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli"
)

var update = flag.Bool("update", false, "write docs/cli")

// The reference is generated from the whole command line, what cmd/vexa adds
// to it included.
func TestTheReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	committed := filepath.Join("..", "..", "docs", "cli")
	if *update {
		if err := os.RemoveAll(committed); err != nil {
			t.Fatal(err)
		}
		if err := cli.WriteDocs(cli.New(newFactory()), committed); err != nil {
			t.Fatal(err)
		}
	}
	generated := t.TempDir()
	if err := cli.WriteDocs(cli.New(newFactory()), generated); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(readDir(t, generated), readDir(t, committed)); diff != "" {
		t.Errorf("docs/cli is out of date; go test ./cmd/vexa -update writes it\n%s", diff)
	}
}

// What documents name of the command line is there: each command with its flags, in
// the text and in what a guide prints without a test running it.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	root := cli.New(newFactory())
	root.InitDefaultHelpCmd()
	named := regexp.MustCompile("`(vexa [^`]+)`|(?m)^[a-z]*\\$ +(vexa .*)$")
	seen := 0
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/how-to/*.md", "docs/api/*.md", "docs/adr/*.md", "evals/README.md", "runners/*/README.md"} {
		pages, err := filepath.Glob(filepath.Join("..", "..", pattern))
		must(t, err)
		for _, page := range pages {
			text, err := os.ReadFile(page)
			must(t, err)
			for _, m := range named.FindAllStringSubmatch(string(text), -1) {
				seen++
				if problem := unknown(root, m[1]+m[2]); problem != "" {
					t.Errorf("%s: %s: %s", page, m[1]+m[2], problem)
				}
			}
		}
	}
	if seen < 200 {
		t.Errorf("%d commands were found", seen)
	}
}

// unknown says what of a command line is not there. What stands in capitals or behind a
// double dash is an argument.
func unknown(root *cobra.Command, line string) string {
	line, _, _ = strings.Cut(line, " #")
	line = regexp.MustCompile(`'[^']*'|"[^"]*"`).ReplaceAllString(line, "X")
	if i := strings.IndexAny(line, "|;&<>"); i >= 0 {
		line = line[:i]
	}
	words := strings.Fields(line)[1:]
	elsewhere := []string{"worker", "agent", "acp", "signing", "COMMAND", "wrokspace"} // in a container, the name of a derivation, any, one that is misspelt to show what is said
	if len(words) > 0 && slices.Contains(elsewhere, words[0]) {
		return ""
	}
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err.Error()
	}
	for _, word := range rest {
		word = strings.Trim(word, "[](),.…")
		switch {
		case word == "--":
			return ""
		case cmd.HasAvailableSubCommands() && cmd != root && regexp.MustCompile(`^[a-z]+$`).MatchString(word):
			return cmd.CommandPath() + " has no " + word
		case cmd == root && regexp.MustCompile(`^[a-z]+$`).MatchString(word):
			return "there is no " + word
		case strings.HasPrefix(word, "--"):
			name, _, _ := strings.Cut(word[2:], "=")
			if name != "help" && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
				return cmd.CommandPath() + " has no " + word
			}
		case regexp.MustCompile(`^-[a-z]$`).MatchString(word):
			if cmd.Flags().ShorthandLookup(word[1:]) == nil && cmd.InheritedFlags().ShorthandLookup(word[1:]) == nil && word != "-h" {
				return cmd.CommandPath() + " has no " + word
			}
		}
	}
	return ""
}

func readDir(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}
