package acp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// The exit codes of the bridge; the manifests of its runners know them.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 130
)

// Streams are the standard streams of a process.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// Main is the command "vexa acp [--resume ID] [--auth METHOD] -- PROGRAM [ARG...]": it
// runs one turn of that agent in the working directory and returns the exit code.
// Cancelling the context interrupts the turn. The environment is the agent's, less
// the variables by which mcp.kind "vexa-env" tells of tools: the agent is told of them
// in the protocol.
func Main(ctx context.Context, args, environ []string, s Streams) int {
	c, err := configure(args, environ, s.Err)
	if errors.Is(err, flag.ErrHelp) {
		return ExitOK
	}
	if err != nil {
		fmt.Fprintf(s.Err, "vexa acp: %v\n", err)
		return ExitUsage
	}
	c.In, c.Out, c.Err = s.In, s.Out, s.Err
	switch err := Run(ctx, c); {
	case err == nil:
		return ExitOK
	case errors.Is(err, ErrInterrupted):
		return ExitInterrupted
	default:
		fmt.Fprintf(s.Err, "vexa acp: %v\n", err)
		return ExitFailed
	}
}

func configure(args, environ []string, errw io.Writer) (Config, error) {
	var c Config
	flags := flag.NewFlagSet("vexa acp", flag.ContinueOnError)
	flags.SetOutput(errw)
	flags.StringVar(&c.Resume, "resume", "", "the agent's id of the session to go on with")
	flags.StringVar(&c.Auth, "auth", "", "the method by which the agent is to sign itself in, for one that begins no session before")
	if err := flags.Parse(args); err != nil {
		return Config{}, err
	}
	if c.Argv = flags.Args(); len(c.Argv) == 0 || c.Argv[0] == "" {
		return Config{}, fault.New(fault.Usage, "the agent's program is missing: vexa acp -- PROGRAM [ARG...]", "")
	}
	var err error
	if c.Dir, err = os.Getwd(); err != nil {
		return Config{}, fault.Wrap(fault.Internal, "find the working directory", err)
	}
	for _, v := range []struct {
		name   string
		member *string
	}{{runner.EnvToolsURL, &c.Tools.URL}, {runner.EnvToolsToken, &c.Tools.Token}} {
		for _, e := range environ {
			if value, ok := strings.CutPrefix(e, v.name+"="); ok {
				*v.member = value
			}
		}
	}
	c.Env = slices.DeleteFunc(slices.Clone(environ), func(e string) bool {
		return strings.HasPrefix(e, runner.EnvToolsURL+"=") || strings.HasPrefix(e, runner.EnvToolsToken+"=")
	})
	return c, nil
}
