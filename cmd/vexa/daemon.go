package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runtime/remote"
	"github.com/vexa-ai/vexa/pkg/toolbox"
)

func daemonRunCmd() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Serve in the foreground", Hidden: true, Args: cobra.NoArgs,
		Long: "Serve the daemon in the foreground, logging to stderr. vexa daemon start does this in the background.",
		RunE: func(cmd *cobra.Command, _ []string) error { return serveDaemon(cmd.Context()) },
	}
}

func newLog() *slog.Logger {
	level := slog.LevelInfo
	if os.Getenv("VEXA_DEBUG") != "" {
		level = slog.LevelDebug
	}
	var out io.Writer = os.Stderr
	if file := newLogFile(int(os.Stderr.Fd()), logName, logLimit); file != nil {
		out = file
	}
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
}

func serveDaemon(ctx context.Context) error {
	syscall.Umask(0o077)
	log := newLog()
	h, err := home.Open(os.Getenv, os.Getuid())
	if err != nil {
		return err
	}
	caller, err := caller()
	if err != nil {
		return err
	}
	catalog, err := loadRunners(h)
	if err != nil {
		return err
	}
	files, endFiles := watchFiles(ctx, log)
	defer endFiles()
	defer followRunners(ctx, h, catalog, files, log)()
	tools, err := toolbox.Shipped()
	if err != nil {
		return err
	}
	kernelLife, endKernel := context.WithCancel(context.WithoutCancel(ctx))
	defer endKernel()
	kernel := daemon.NewKernel(kernelLife, daemon.KernelOptions{
		Command: func() (*exec.Cmd, error) {
			cmd, _, err := detached(h, "runtime", "serve")
			return cmd, err
		},
		PID: kernelPID(h), Log: log,
	})
	s := daemon.New(kernelLife, daemon.Options{
		Home: h, Version: version().Version, PID: os.Getpid(), Now: time.Now, Log: log,
		Caller: caller, Kernel: kernel, Runners: catalog, RunnersDir: h.Runners(), Builds: runner.Builds{Dir: h.Images()}, Tools: tools,
		Open: func(ctx context.Context, identity string) (*daemon.Engine, error) {
			return openEngine(ctx, h, identity, catalogs{catalog, tools, files}, log)
		},
	})
	log.InfoContext(ctx, "daemon starts", "pid", os.Getpid(), "install", h.InstallID)
	if err := s.Serve(ctx); err != nil {
		return err
	}
	log.InfoContext(ctx, "daemon ends")
	return nil
}

func kernelPID(h home.Home) func(context.Context) (int, error) {
	client := remote.New(h.RuntimeSocket())
	return func(ctx context.Context) (int, error) {
		health, err := client.Health(ctx)
		return health.PID, err
	}
}

// caller is the user of this installation: the one that may open its socket.
func caller() (dispatch.Caller, error) {
	u, err := user.Current()
	if err != nil {
		return dispatch.Caller{}, err
	}
	unfit := regexp.MustCompile(`[^a-z0-9_-]+`)
	name := strings.Trim(unfit.ReplaceAllString(strings.ToLower(u.Username), "-"), "-")
	if name == "" {
		name = u.Uid
	}
	return dispatch.Caller{Subject: "u_" + name, Launcher: "user:" + name, Trigger: unitv1.TriggerMessage}, nil
}
