// Package contractcmd holds the commands about contracts: the schemas that
// everything which crosses a seam is validated against.
package contractcmd

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// New returns the command vexa contract. Its commands need no daemon.
func New(f *factory.Factory) *cobra.Command {
	return grammar.Group("contract", "The sealed schemas of everything that crosses a seam",
		newList(f), newShow(f), newValidate(f), newCheck(f), newSeal(f))
}

// maxDocument bounds a document to be validated, in bytes.
const maxDocument = 64 << 20

func contracts(f *factory.Factory) (factory.Contracts, error) {
	if f.Contracts == nil {
		return nil, factory.Missing("contracts")
	}
	return f.Contracts, nil
}

func newList(f *factory.Factory) *cobra.Command {
	var o output.JSON
	fields := output.Fields[string]{{Name: "name", Value: func(s string) any { return s }}}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the contracts",
		Long:    "Lists the contracts by name and version.",
		Example: "$ vexa contract list",
		Args:    grammar.Args(),
		RunE: func(*cobra.Command, []string) error {
			c, err := contracts(f)
			if err != nil {
				return err
			}
			if o.On() {
				return output.List(f.Out, &o, fields, c.Names())
			}
			t := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "NAME").In(f.OutStyle())
			for _, name := range c.Names() {
				t.Row(name)
			}
			return t.Flush()
		},
	}
	output.AddFlags(cmd, &o, fields.Names(), f.OutTTY)
	return cmd
}

func newShow(f *factory.Factory) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Print the schema of a contract",
		Long:              "Prints the JSON Schema of a contract.",
		Example:           "$ vexa contract show unit.v1",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: completeNames(f),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := contracts(f)
			if err != nil {
				return err
			}
			source, err := c.Source(args[0])
			if err != nil {
				return err
			}
			return f.Printf("%s\n", bytes.TrimRight(source, "\n"))
		},
	}
}

// ValidateOptions is what the command line of vexa contract validate says.
type ValidateOptions struct {
	Factory *factory.Factory
	Name    string
	File    string // "-" is stdin
}

func newValidate(f *factory.Factory) *cobra.Command {
	o := &ValidateOptions{Factory: f}
	return &cobra.Command{
		Use:   "validate NAME {FILE | -}",
		Short: "Check a document against a contract",
		Long: "Checks a JSON document against a contract. The exit code is 0 where it holds and 1 where\n" +
			"it does not; the error names the place as a JSON pointer and the rule.",
		Example:           "$ vexa contract validate unit.v1 unit.json\n$ vexa chat -p hello --json | head -1 | vexa contract validate ws.v2 -",
		Args:              grammar.Args("NAME", "FILE"),
		ValidArgsFunction: completeNames(f),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Name, o.File = args[0], args[1]
			return runValidate(o)
		},
	}
}

func runValidate(o *ValidateOptions) error {
	c, err := contracts(o.Factory)
	if err != nil {
		return err
	}
	data, err := read(o.Factory, o.File)
	if err != nil {
		return err
	}
	err = c.Validate(o.Name, data)
	if fault.Is(err, fault.Invalid) && fault.HintOf(err) == "" {
		name, _, _ := strings.Cut(o.Name, "#")
		return &fault.Error{Kind: fault.Invalid, Hint: "the rules are in: vexa contract show " + name, Err: err}
	}
	if err != nil {
		return err
	}
	o.Factory.Notice("%s is a valid %s", o.File, o.Name)
	return nil
}

// whichFile says what to name.
const whichFile = "name a JSON document, or - to read it from stdin"

func read(f *factory.Factory, path string) ([]byte, error) {
	r := f.In
	if path != "-" {
		file, err := os.Open(path)
		if os.IsNotExist(err) {
			return nil, fault.New(fault.NotFound, "there is no file "+path, whichFile)
		}
		if err != nil {
			return nil, &fault.Error{Kind: fault.Usage, Msg: "read the document", Hint: whichFile, Err: err}
		}
		defer file.Close()
		r = file
	}
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Msg: "read the document", Hint: whichFile, Err: err}
	}
	if len(data) > maxDocument {
		return nil, fault.New(fault.Invalid, path+" is longer than 64 MiB", "no document of a contract is that long: see whether it is the right file")
	}
	return data, nil
}

func newCheck(f *factory.Factory) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that every contract and its seal hold",
		Long: "Runs two gates. Schema: every golden validates and no invalid example does. Version: a\n" +
			"sealed contract, goldens included, has not changed. It checks a source tree: that of\n" +
			"--dir, else the one that it is run in, in a Git checkout against the merge base too.\n" +
			"Where there is none it checks what this program was built with. The exit code is 1\n" +
			"where something does not hold.",
		Example: "$ vexa contract check\n$ vexa contract check --dir .",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := contracts(f)
			if err != nil {
				return err
			}
			if dir == "" && inTree() {
				dir = "."
			}
			f.Say("checking %s", whichTree(dir))
			findings, err := c.Check(cmd.Context(), dir)
			if err != nil {
				return err
			}
			for _, line := range findings {
				if err := f.Printf("%s\n", plain.Line(line)); err != nil {
					return err
				}
			}
			if len(findings) > 0 {
				return fault.New(fault.Invalid, fmt.Sprintf("%d findings", len(findings)), "a sealed contract never changes: add the next version beside it")
			}
			f.Notice("every contract and its seal hold")
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "check the source tree in this `directory` (default: the working directory, if it is one)")
	return cmd
}

// inTree reports whether the working directory is a source tree of Vexa.
func inTree() bool {
	_, err := os.Stat(filepath.Join("schemas", "seal.json"))
	return err == nil
}

// whichTree says what is checked.
func whichTree(dir string) string {
	if dir == "" {
		return "the contracts that this program was built with"
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return "the contracts in " + plain.Line(dir)
}

func newSeal(f *factory.Factory) *cobra.Command {
	dir := "."
	cmd := &cobra.Command{
		Use:     "seal",
		Short:   "Seal new contracts of a source tree",
		Long:    "Writes the seal of each contract of a source tree that has none yet. It refuses to change\na seal. Commit schemas/seal.json with the contract.",
		Example: "$ vexa contract seal --dir .",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := contracts(f)
			if err != nil {
				return err
			}
			sealed, err := c.Seal(cmd.Context(), dir)
			if err != nil {
				return err
			}
			for _, name := range sealed {
				if err := f.Printf("%s\n", plain.Line(name)); err != nil {
					return err
				}
			}
			f.Notice("sealed %d contracts", len(sealed))
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", dir, "the source tree's `directory`")
	return cmd
}

func completeNames(f *factory.Factory) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if f.Contracts == nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return f.Contracts.Names(), cobra.ShellCompDirectiveNoFileComp
	}
}
