// Command vexa runs agents in containers over workspaces you own. It is the
// command line, the daemon, the runtime kernel and, inside the container, the
// worker, the built-in agent and the bridge to agents of the Agent Client Protocol:
// one static binary.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/vexa-ai/vexa/pkg/acp"
	"github.com/vexa-ai/vexa/pkg/agent"
	"github.com/vexa-ai/vexa/pkg/cli"
	"github.com/vexa-ai/vexa/pkg/worker"
)

func main() { os.Exit(run(filepath.Base(os.Args[0]), os.Args[1:])) }

// run dispatches on the program's name, which is another one where git starts
// it, and on the first argument: "worker", "agent" and "acp" are the names under
// which this binary is started inside a container, everything else is the command
// line.
func run(name string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	switch {
	case name == remoteHelper:
		return runRemote(ctx, newFactory(), args)
	case len(args) == 1 && args[0] == "worker":
		return runWorker(ctx)
	case len(args) > 0 && args[0] == "agent":
		ctx, stop := signalContext(ctx)
		defer stop()
		return agent.Main(ctx, args[1:], os.Getenv, agent.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	case len(args) > 0 && args[0] == "acp":
		ctx, stop := signalContext(ctx)
		defer stop()
		return acp.Main(ctx, args[1:], os.Environ(), acp.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	default:
		return cli.Execute(ctx, newFactory(), args)
	}
}

// signalContext also ends with Ctrl-C.
func signalContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt)
}

func runWorker(ctx context.Context) int {
	ctx, stop := signalContext(ctx)
	defer stop()
	log := newLog()
	code, err := worker.Run(ctx, worker.Options{Log: log})
	if err != nil {
		log.ErrorContext(ctx, "worker", "code", code, "error", err)
	}
	return code
}
