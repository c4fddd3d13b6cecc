// Command vexa runs agents in containers over workspaces you own. It is the
// command line, the daemon, the runtime kernel and, inside the container, the
// worker and the built-in agent: one static binary.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/vexa-ai/vexa/pkg/agent"
	"github.com/vexa-ai/vexa/pkg/cli"
	"github.com/vexa-ai/vexa/pkg/worker"
)

func main() { os.Exit(run(os.Args[1:])) }

// run dispatches on the first argument: "worker" and "agent" are the names
// under which this binary is started inside a container, everything else is
// the command line.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	switch {
	case len(args) == 1 && args[0] == "worker":
		return runWorker(ctx)
	case len(args) > 0 && args[0] == "agent":
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		return agent.Main(ctx, args[1:], os.Getenv, agent.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	default:
		return cli.Execute(ctx, newFactory(), args)
	}
}

func runWorker(ctx context.Context) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	log := newLog()
	code, err := worker.Run(ctx, worker.Options{Log: log})
	if err != nil {
		log.ErrorContext(ctx, "worker", "code", code, "error", err)
	}
	return code
}
