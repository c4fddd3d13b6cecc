package chatcmd

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/tui/attach"
	"github.com/vexa-ai/vexa/pkg/tui/chat"
)

// ChatOptions is what the command line of vexa chat says.
type ChatOptions struct {
	Factory *factory.Factory
	Request api.StartRequest
	JSON    output.JSON
	// Text is what is said; empty for a conversation, and where stdin says it.
	Text string
	// Plain has a conversation go line by line, where a terminal would show it on the
	// whole screen.
	Plain bool
	Theme string
	// Attach are the files of this machine that are put into the message.
	Attach []string

	message message // empty for a conversation
	flags   request
}

// conversationIdle is how long the container of a conversation waits for the
// person's next message unless --idle says otherwise.
const conversationIdle = 5 * time.Minute

// NewChat returns the command vexa chat.
func NewChat(f *factory.Factory) *cobra.Command {
	o := &ChatOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "chat [--command NAME] [-p TEXT]",
		Short: "Talk to an agent",
		Long: "On a terminal it is a conversation on the whole screen: answers as they come, the calls\n" +
			"of tools and the commits between them, several sessions at once. What the agent changes\n" +
			"is committed to the workspaces it was given. ? lists the keys, / the commands.\n\n" +
			"With --plain, and where the terminal is dumb or ACCESSIBLE is set, it goes line by line,\n" +
			"without moving the cursor, until Ctrl-D. Ctrl-C ends the agent's turn and saves what was\n" +
			"written; a second one leaves, and the agent goes on.\n\n" +
			"In it \\ at the end of a line continues the message, and /help lists the commands.\n\n" +
			"With -p, or with the message on stdin, it prints the reply and exits; the exit code\n" +
			"tells how the turn ended. With both, what a pipe or a file on stdin holds (at most\n" +
			"1 MiB) follows the text of -p after an empty line; </dev/null keeps it out. No agent sees a file of\n" +
			"this machine: --attach puts what one holds into the message, as text. In the text of -p\n" +
			"@WORKSPACE:PATH is a file of a granted workspace.\n\n" +
			"With --command it sends the prompt that a workspace brings for it (vexa workspace commands),\n" +
			"with the text of -p for its arguments. Without --command a slash is a character.\n\n" +
			"With --json it prints the frames of the turn (contract ws.v2), one a line; the last\n" +
			"is turn-done.",
		Example: "$ vexa chat\n" +
			"$ vexa chat --continue --theme light\n" +
			"$ vexa chat -p \"Write a note that says hello\"\n" +
			"$ git log -5 | vexa chat -p \"Summarise this\"\n" +
			"$ vexa chat -p \"And what did I ask before?\" --continue\n" +
			"$ vexa chat -p \"What went wrong here?\" --attach build.log\n" +
			"$ vexa chat --command review -p \"notes/otters.md links\"\n" +
			"$ git diff | vexa chat -w notes:ro --json --jq 'select(.type==\"turn-done\").reply'",
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd); err != nil {
				return err
			}
			return runChat(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.Plain, "plain", false, "converse line by line, without a screen, as a screen reader reads it")
	cmd.Flags().StringVar(&o.Theme, "theme", "", "the `colours` of the screen: "+strings.Join(chat.Themes(), ", ")+" (default: config/chat.json, else auto)")
	_ = cmd.RegisterFlagCompletionFunc("theme", cobra.FixedCompletions(chat.Themes(), cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that does not exist
	cmd.Flags().StringVarP(&o.Text, "prompt", "p", "", "the `text` to send")
	cmd.Flags().StringArrayVar(&o.Attach, "attach", nil, "put a `file` of this machine into the message, as text; repeatable")
	_ = cmd.MarkFlagFilename("attach") // fails only for a flag that does not exist
	o.flags.addFlags(f, cmd)
	cmd.Flags().Lookup("idle").Usage += " (default 5m in a conversation, else 0)"
	output.AddSwitch(cmd, &o.JSON, "print the frames of the turn as JSON, one a line")
	return cmd
}

// complete checks the flags and finds the message.
func (o *ChatOptions) complete(cmd *cobra.Command) error {
	f, given, m := o.Factory, cmd.Flags().Changed("prompt"), &o.message
	var err error
	switch {
	case given && strings.TrimSpace(o.Text) == "" && o.flags.command == "":
		return fault.New(fault.Usage, "-p has no text", `say what the agent is to do: vexa chat -p "Write a note that says hello"`)
	case given || o.flags.command != "":
		m.command, m.typed = strings.TrimPrefix(o.flags.command, "/"), o.Text
		if m.piped, err = beside(cmd.Context(), f); err != nil {
			return err
		}
	case !factory.IsTTY(f.InTTY):
		if m.piped, err = readText(cmd.Context(), f); err != nil {
			return err
		}
		if m.empty() {
			return grammar.Usage(cmd, "there is no message: stdin is empty and -p was not given")
		}
	case o.JSON.On():
		return grammar.Usage(cmd, "--json needs -p or the message on stdin")
	case f.Flags.NoInput:
		return grammar.Usage(cmd, "--no-input needs -p or the message on stdin")
	case !cmd.Flags().Changed("idle"):
		o.flags.idle = conversationIdle
	}
	if m.empty() && len(o.Attach) > 0 {
		return grammar.Usage(cmd, "--attach needs -p or the message on stdin; in the chat itself write @/PATH")
	}
	if o.Theme != "" && !slices.Contains(chat.Themes(), o.Theme) {
		return grammar.Usage(cmd, "--theme is one of %s", strings.Join(chat.Themes(), ", "))
	}
	o.Request, err = o.flags.build(cmd)
	return err
}

// noWords refuses words that are no flags: they are a message, most likely.
func noWords(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fault.New(fault.Usage, fmt.Sprintf("%s does not take %q", cmd.CommandPath(), args[0]),
		fmt.Sprintf("to send it as a message: %s -p %q", cmd.CommandPath(), strings.Join(args, " ")))
}

func runChat(ctx context.Context, o *ChatOptions) error {
	if o.onScreen() {
		return runScreen(ctx, o)
	}
	if o.message.empty() {
		if err := firstRun(ctx, o.Factory); err != nil {
			return err
		}
	}
	files, err := attached(o.Attach)
	if err != nil {
		return err
	}
	c, err := o.Factory.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if o.message.empty() {
		return converse(ctx, o, c)
	}
	text, err := o.message.text(ctx, o.Factory, c, &o.Request)
	if err != nil {
		return err
	}
	if o.Request.Text = text; len(files) > 0 {
		o.Request.Text = attach.Compose(text, files)
	}
	_, err = runTurn(ctx, newTurn(o.Factory, c, &o.JSON), o.Request)
	return err
}

// attached reads the files of this machine that go behind a message.
func attached(names []string) ([]attach.File, error) {
	paths := make([]string, len(names))
	for i, name := range names {
		path, err := filepath.Abs(name)
		if err != nil {
			return nil, fault.Newf(fault.Internal, "find %s: %w", name, err)
		}
		paths[i] = path
	}
	return attach.Load(paths, "")
}
