package agent

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/agent/model/anthropic"
	"github.com/vexa-ai/vexa/pkg/agent/model/openaichat"
	"github.com/vexa-ai/vexa/pkg/agent/tool"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// The exit codes of the agent; runners/vexa/runner.json knows them.
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

// Main is the command "vexa agent": it reads its flags and environment, runs
// one turn and returns the exit code. Cancelling the context interrupts the
// turn. The environment is that of runners/vexa/runner.json.
func Main(ctx context.Context, args []string, env func(string) string, s Streams) int {
	c, err := configure(args, env, s.Err)
	if errors.Is(err, flag.ErrHelp) {
		return ExitOK
	}
	if err != nil {
		fmt.Fprintf(s.Err, "vexa agent: %v\n", err)
		return ExitUsage
	}
	c.In, c.Out = s.In, s.Out
	switch err := Run(ctx, c); {
	case err == nil:
		return ExitOK
	case errors.Is(err, ErrInterrupted):
		return ExitInterrupted
	default:
		fmt.Fprintf(s.Err, "vexa agent: %v\n", err)
		return ExitFailed
	}
}

func configure(args []string, env func(string) string, errw io.Writer) (Config, error) {
	var c Config
	var workdir, others string
	flags := flag.NewFlagSet("vexa agent", flag.ContinueOnError)
	flags.SetOutput(errw)
	flags.StringVar(&c.Session, "session", "", "id of the conversation")
	flags.BoolVar(&c.Resume, "resume", false, "continue the conversation instead of beginning it")
	flags.IntVar(&c.Steps, "max-steps", defaultSteps, "model requests of one turn")
	flags.StringVar(&workdir, "workdir", "/workspace", "the first workspace")
	flags.StringVar(&others, "workspaces", "/workspaces", "directory of the further workspaces")
	if err := flags.Parse(args); err != nil {
		return Config{}, err
	}
	if flags.NArg() > 0 {
		return Config{}, fault.Newf(fault.Usage, "unexpected argument %q: the message is read from standard input", flags.Arg(0))
	}
	if c.Session == "" {
		return Config{}, fault.New(fault.Usage, "--session is missing", "")
	}
	if c.Steps < 1 {
		return Config{}, fault.New(fault.Usage, "--max-steps must be at least 1", "")
	}
	if c.State = env("VEXA_AGENT_STATE"); c.State == "" {
		return Config{}, fault.New(fault.Usage, "VEXA_AGENT_STATE is not set", "")
	}
	if c.Name = env("VEXA_AGENT_MODEL"); c.Name == "" {
		return Config{}, fault.New(fault.Usage, "VEXA_AGENT_MODEL is not set", "")
	}
	m, err := connect(env)
	if err != nil {
		return Config{}, err
	}
	c.Model = model.Retry(m, model.DefaultBackoff())
	shell := findShell()
	c.Tools = tool.New(tool.Options{Workdir: workdir, Others: others, Shell: shell, Env: shellEnv(env)})
	c.Granted = Tools{URL: env(runner.EnvToolsURL), Token: env(runner.EnvToolsToken)}
	c.System = SystemPrompt(workdir, others, shell != "")
	return c, nil
}

func connect(env func(string) string) (model.Model, error) {
	base := env("VEXA_AGENT_BASE_URL")
	if base == "" {
		return nil, fault.New(fault.Usage, "VEXA_AGENT_BASE_URL is not set", "")
	}
	// No proxy of the environment: the broker is the only way out.
	client := &http.Client{Transport: &http.Transport{}}
	token, name := env("VEXA_AGENT_TOKEN"), env("VEXA_AGENT_MODEL")
	switch protocol := env("VEXA_AGENT_PROTOCOL"); protocol {
	case "anthropic-messages":
		return anthropic.New(client, base, token, name), nil
	case "openai-chat":
		return openaichat.New(client, base, token, name), nil
	default:
		return nil, fault.Newf(fault.Usage, "VEXA_AGENT_PROTOCOL is %q, not anthropic-messages or openai-chat", protocol)
	}
}

// findShell returns the image's shell, or "" where it has none.
func findShell() string {
	for _, path := range []string{"/bin/bash", "/usr/bin/bash", "/bin/sh"} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// shellEnv is what commands get to see: not the token.
func shellEnv(env func(string) string) []string {
	var out []string
	for _, name := range []string{"PATH", "HOME", "USER", "TERM", "LANG", "TMPDIR"} {
		if value := env(name); value != "" {
			out = append(out, name+"="+value)
		}
	}
	return out
}
