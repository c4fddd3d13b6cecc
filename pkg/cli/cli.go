// Package cli is the command line of Vexa: the root command, the exit codes
// and the help topics. The commands are in the packages below it, one for each
// noun. It is a client of the daemon and names no adapter.
//
// Stdout carries the result of a command and nothing else; notices, questions
// and errors go to stderr. See style in docs/cli.
package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vexa-ai/vexa/pkg/cli/chatcmd"
	"github.com/vexa-ai/vexa/pkg/cli/contractcmd"
	"github.com/vexa-ai/vexa/pkg/cli/daemoncmd"
	"github.com/vexa-ai/vexa/pkg/cli/dispatchcmd"
	"github.com/vexa-ai/vexa/pkg/cli/doctorcmd"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/gitcmd"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/initcmd"
	"github.com/vexa-ai/vexa/pkg/cli/keycmd"
	"github.com/vexa-ai/vexa/pkg/cli/modelcmd"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/proposalcmd"
	"github.com/vexa-ai/vexa/pkg/cli/toolcmd"
	"github.com/vexa-ai/vexa/pkg/cli/webcmd"
	"github.com/vexa-ai/vexa/pkg/cli/workspacecmd"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/nearest"
)

// Factory is what the commands are given; see package factory.
type Factory = factory.Factory

// The groups of the root's help.
const (
	groupStart  = "start"
	groupRuns   = "runs"
	groupThings = "things"
	groupSetup  = "setup"
)

// New returns the root command. It does nothing but build the tree.
func New(f *Factory) *cobra.Command {
	version := false
	root := &cobra.Command{
		Use:   "vexa",
		Short: "Run agents in containers over workspaces you own",
		Long: "Vexa runs an agent in a short-lived container of its own, without network and\n" +
			"without credentials, over workspaces that are Git repositories of yours. What the\n" +
			"agent says is a stream; what it changes is a commit.",
		Example: "$ vexa init\n" +
			"$ vexa chat -p \"Write a note that says hello\"\n" +
			"$ vexa workspace log personal",
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              cobra.ArbitraryArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return checkFlags(cmd, f) },
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case version:
				return printVersion(f)
			case len(args) > 0:
				return unknownWord(cmd, args[0])
			default:
				return nextStep(cmd.Context(), f)
			}
		},
	}
	root.SetIn(f.In)
	root.SetOut(f.Out)
	root.SetErr(f.Err)
	root.Flags().BoolVarP(&version, "version", "v", false, "print the version")
	flags := root.PersistentFlags()
	flags.BoolVarP(&f.Flags.Quiet, "quiet", "q", false, "print no notices")
	flags.BoolVar(&f.Flags.NoInput, "no-input", false, "ask nothing")
	flags.BoolVar(&f.Flags.NoDaemonStart, "no-daemon-start", false, "fail where no daemon runs instead of starting one")
	f.Flags.Color = factory.ColorAuto
	flags.Var(&f.Flags.Color, "color", "use colour `when`: auto, always or never")
	_ = root.RegisterFlagCompletionFunc("color", cobra.FixedCompletions(factory.Colors(), cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that does not exist
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { help(cmd, f.OutStyle()) })
	root.SetUsageFunc(func(cmd *cobra.Command) error { help(cmd, f.OutStyle()); return nil })
	addCommands(root, f)
	return root
}

func addCommands(root *cobra.Command, f *Factory) {
	root.AddGroup(
		&cobra.Group{ID: groupStart, Title: "Start here:"},
		&cobra.Group{ID: groupRuns, Title: "Dispatches, one for each run of an agent:"},
		&cobra.Group{ID: groupThings, Title: "What they work with:"},
		&cobra.Group{ID: groupSetup, Title: "This installation:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
		}
		root.AddCommand(cmds...)
	}
	add(groupStart, initcmd.New(f), chatcmd.NewChat(f), chatcmd.NewRun(f), webcmd.New(f), doctorcmd.New(f))
	add(groupRuns, dispatchcmd.NewPS(f), dispatchcmd.NewShow(f), dispatchcmd.NewLogs(f),
		dispatchcmd.NewStop(f), dispatchcmd.NewSession(f))
	add(groupThings, workspacecmd.New(f), proposalcmd.New(f), modelcmd.NewRunner(f), modelcmd.New(f), toolcmd.New(f), contractcmd.New(f))
	daemon := daemoncmd.New(f)
	git := gitcmd.New(f)
	add(groupSetup, daemon, git, keycmd.New(f), daemoncmd.NewUnlock(f), daemoncmd.NewLock(f), newCompletionCmd(), newVersionCmd(f))
	root.SetHelpCommand(newHelpCmd())
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newDocsCmd(root))
	root.AddCommand(topics()...)
	if f.Extra == nil {
		return
	}
	extra := f.Extra()
	root.AddCommand(extra[""]...)
	daemon.AddCommand(extra["daemon"]...)
	git.AddCommand(extra["git"]...)
	if verbs := extra["runtime"]; len(verbs) > 0 {
		group := grammar.Group("runtime", "The runtime kernel, which runs the containers", verbs...)
		group.GroupID = groupSetup
		root.AddCommand(group)
	}
}

// errListed ends a command that listed the JSON fields: that was the result.
var errListed = errors.New("the fields were listed")

// flagError classifies an error of the flags; --json alone lists its fields.
func flagError(cmd *cobra.Command, err error) error {
	var needs *pflag.ValueRequiredError
	if errors.As(err, &needs) && needs.GetSpecifiedName() == output.FlagJSON {
		if names := cmd.Annotations[output.AnnotationFields]; names != "" {
			_, werr := fmt.Fprintln(cmd.OutOrStdout(), strings.ReplaceAll(names, ",", "\n"))
			return errors.Join(errListed, werr)
		}
	}
	hint := "see: " + cmd.CommandPath() + " --help"
	var bad *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &bad):
		if h := fault.HintOf(bad.Unwrap()); h != "" {
			hint = h
		}
	case errors.As(err, &unknown):
		if name := unknown.GetSpecifiedName(); slices.Contains([]string{"c", "r", "resume"}, name) && cmd.Flags().Lookup("continue") != nil {
			hint = "to go on with the latest session: --continue; with another: --session ID" // as other programs call it
		} else if near := nearest.To(name, flagNames(cmd)); near != "" {
			hint = "did you mean: --" + near
		}
	}
	return fault.New(fault.Usage, err.Error(), hint)
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	collect := func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	}
	cmd.LocalFlags().VisitAll(collect)
	cmd.InheritedFlags().VisitAll(collect)
	return names
}

// checkFlags refuses what no single flag can refuse, and notes what concerns all that
// a command says.
func checkFlags(cmd *cobra.Command, f *Factory) error {
	f.Flags.JSON = cmd.Flags().Changed(output.FlagJSON)
	if jq := cmd.Flags().Lookup(output.FlagJQ); jq != nil && jq.Changed && !f.Flags.JSON {
		return grammar.Usage(cmd, "--jq needs --json")
	}
	return nil
}
