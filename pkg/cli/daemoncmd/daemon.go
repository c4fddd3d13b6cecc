// Package daemoncmd holds the commands about the daemon: its life, its log and
// the key in its memory.
package daemoncmd

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// New returns the command vexa daemon.
func New(f *factory.Factory) *cobra.Command {
	return grammar.Group("daemon", "The daemon of this installation",
		newStart(f), newStop(f), newStatus(f), newLogs(f))
}

// statusFields are the JSON fields of vexa daemon status. They only ever grow.
func statusFields() output.Fields[api.Status] {
	type s = api.Status
	return output.Fields[s]{
		{Name: "pid", Value: func(x s) any { return x.PID }},
		{Name: "runtimePid", Value: func(x s) any { return x.RuntimePID }},
		{Name: "version", Value: func(x s) any { return x.Version }},
		{Name: "socket", Value: func(x s) any { return x.Socket }},
		{Name: "home", Value: func(x s) any { return x.Home }},
		{Name: "installId", Value: func(x s) any { return x.InstallID }},
		{Name: "startedAt", Value: func(x s) any { return x.StartedAt }},
		{Name: "locked", Value: func(x s) any { return x.Locked }},
		{Name: "live", Value: func(x s) any { return x.Live }},
	}
}

// StartOptions is what the command line of vexa daemon start says.
type StartOptions struct{ Factory *factory.Factory }

func newStart(f *factory.Factory) *cobra.Command {
	o := &StartOptions{Factory: f}
	return &cobra.Command{
		Use:     "start",
		Short:   "Start the daemon",
		Long:    "Starts the daemon where none runs, and the runtime kernel where it was stopped, and waits\nuntil they answer. Other commands start the daemon by themselves.",
		Example: "$ vexa daemon start",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runStart(cmd.Context(), o)
		},
	}
}

func runStart(ctx context.Context, o *StartOptions) error {
	c, err := o.Factory.Dial(true) // whatever else says that none be started
	if err != nil {
		return err
	}
	defer c.Close()
	st, err := o.Factory.Reach(ctx, c)
	if err != nil {
		return err
	}
	if st.RuntimePID == 0 && !st.Locked {
		doing := o.Factory.Begin("starting the runtime kernel")
		err := c.StartRuntime(ctx)
		doing.End()
		if err != nil {
			return err
		}
	}
	o.Factory.Notice("the daemon runs (pid %d, version %s)", st.PID, st.Version)
	return nil
}

// StatusOptions is what the command line of vexa daemon status says.
type StatusOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
}

func newStatus(f *factory.Factory) *cobra.Command {
	o := &StatusOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show whether the daemon runs",
		Long:    "Shows the daemon's process, the runtime kernel's, and whether Vexa is locked. It starts\nnothing; the exit code is 6 where no daemon runs.",
		Example: "$ vexa daemon status\n$ vexa daemon status --json pid --jq .pid",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runStatus(cmd.Context(), o)
		},
	}
	output.AddFlags(cmd, &o.JSON, statusFields().Names(), f.OutTTY)
	return cmd
}

func runStatus(ctx context.Context, o *StatusOptions) error {
	f := o.Factory
	c, err := f.Dial(false)
	if err != nil {
		return err
	}
	defer c.Close()
	st, err := c.Connect(ctx)
	if err != nil {
		return err
	}
	if o.JSON.On() {
		return output.One(f.Out, &o.JSON, statusFields(), st)
	}
	p := output.NewPairs(f.Out, factory.IsTTY(f.OutTTY))
	p.Add("pid", strconv.Itoa(st.PID))
	p.Add("runtime pid", runtimePID(st))
	p.Add("version", st.Version)
	p.Add("started", st.StartedAt.UTC().Format(time.RFC3339))
	p.Add("socket", st.Socket)
	p.Add("home", st.Home)
	p.Add("install id", st.InstallID)
	p.Add("locked", strconv.FormatBool(st.Locked))
	p.Add("live dispatches", strconv.Itoa(st.Live))
	return p.Flush()
}

func runtimePID(st api.Status) string {
	if st.RuntimePID == 0 {
		return "not running"
	}
	return strconv.Itoa(st.RuntimePID)
}

// StopOptions is what the command line of vexa daemon stop says.
type StopOptions struct {
	Factory *factory.Factory
	Force   bool
	Timeout time.Duration
}

func newStop(f *factory.Factory) *cobra.Command {
	o := &StopOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop the daemon and what it runs",
		Long: "Stops the dispatches, saves what they wrote, and stops the daemon and the runtime kernel.\n" +
			"It refuses where something cannot be saved and names it; --force stops all the same.",
		Example: "$ vexa daemon stop",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runStop(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.Force, "force", false, "stop although something cannot be saved")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", time.Minute, "how long to wait for the end")
	return cmd
}

func runStop(ctx context.Context, o *StopOptions) error {
	c, err := o.Factory.Dial(false)
	if err != nil {
		return err
	}
	defer c.Close()
	st, err := c.Status(ctx)
	if fault.Is(err, fault.Unreachable) {
		o.Factory.Notice("no daemon is running")
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout,
		fault.New(fault.Timeout, "the daemon (pid "+strconv.Itoa(st.PID)+") has not ended yet", "see: vexa daemon logs"))
	defer cancel()
	doing := o.Factory.Begin("stopping the daemon, which saves what dispatches wrote")
	defer doing.End()
	if err := c.Shutdown(ctx, o.Force); err != nil {
		return err
	}
	if err := c.WaitStopped(ctx, st.PID); err != nil {
		return err
	}
	o.Factory.Notice("stopped the daemon")
	return nil
}
