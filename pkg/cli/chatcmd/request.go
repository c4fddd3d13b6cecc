// Package chatcmd holds the commands that talk to an agent: vexa chat and vexa
// run. A turn is one request to the daemon and one stream of frames back; the
// outcome of the turn is the exit code.
package chatcmd

import (
	"crypto/rand"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/internal/sessionid"
)

// request holds the flags that chat and run share.
type request struct {
	command    string
	workspaces []string
	runner     string
	model      string
	tools      []string
	session    string
	resume     bool
	idle       time.Duration
	maxTime    time.Duration
	tokens     int64
	cost       float64
}

func (r *request) addFlags(f *factory.Factory, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&r.workspaces, "workspace", "w", nil, "grant a `workspace`, NAME or NAME:ro or NAME:rw; repeatable, the first is the working directory (default personal:rw)")
	flags.StringVar(&r.command, "command", "", "send the prompt of this `command` of a granted workspace, NAME or WORKSPACE:NAME; the text is its arguments")
	flags.StringVar(&r.runner, "runner", "", "the `runner` to use (default: the session's, else vexa)")
	flags.StringVar(&r.model, "model", "", "the `model` to use (default: the session's, else the default model)")
	flags.StringArrayVar(&r.tools, "tool", nil, "grant a `tool`, by its name; repeatable (default: the session's, else none)")
	flags.StringVar(&r.session, "session", "", "go on with the session of this `id`; its first letters do")
	flags.BoolVar(&r.resume, "continue", false, "go on with the latest session")
	flags.DurationVar(&r.idle, "idle", 0, "how long the container waits for a next message; 0: it ends with the turn")
	flags.DurationVar(&r.maxTime, "max-time", 0, "how long the container may live (default: the installation's limit)")
	flags.Float64Var(&r.cost, "cost", 0, "how many `USD` the dispatch may cost, at the prices of its models (vexa model price) (default: no limit)")
	flags.Int64Var(&r.tokens, "tokens", 0, "how many `tokens` the dispatch may use (default: the installation's limit)")
	f.CompleteFlags(cmd, factory.Flagged{
		"workspace": factory.WorkspaceNames,
		"command":   r.commandNames,
		"runner":    factory.RunnerNames,
		"model":     factory.ModelNames,
		"tool":      factory.ToolNames,
		"session":   factory.SessionIDs,
	})
}

// build turns the flags into a request that says text.
func (r *request) build(cmd *cobra.Command) (api.StartRequest, error) {
	if r.session != "" && r.resume {
		return api.StartRequest{}, grammar.Usage(cmd, "--session and --continue exclude each other")
	}
	if strings.Trim(r.command, "/") == "" && cmd.Flags().Changed("command") {
		return api.StartRequest{}, grammar.Usage(cmd, "--command has no name")
	}
	if r.session != "" {
		if err := sessionid.Check(r.session); err != nil {
			return api.StartRequest{}, grammar.Argument(err)
		}
	}
	if err := r.checkLimits(cmd); err != nil {
		return api.StartRequest{}, err
	}
	grants, err := parseGrants(cmd, r.workspaces)
	if err != nil {
		return api.StartRequest{}, err
	}
	return api.StartRequest{
		Workspaces: grants,
		Runner:     r.runner,
		Model:      r.model,
		Tools:      r.tools,
		Session:    r.session,
		Continue:   r.resume,
		Limits:     r.limits(),
		Key:        rand.Text(),
	}, nil
}

// checkLimits refuses a limit that limits nothing, and one that leaves nothing to
// run with: 0 is not a way to ask for no limit.
func (r *request) checkLimits(cmd *cobra.Command) error {
	if r.idle < 0 {
		return grammar.Usage(cmd, "--idle cannot be negative")
	}
	for _, l := range []struct {
		name string
		ok   bool
	}{
		{"max-time", r.maxTime > 0},
		{"tokens", r.tokens > 0},
		{"cost", r.cost > 0 && !math.IsInf(r.cost, 0)}, // which NaN is not either
	} {
		if !l.ok && cmd.Flags().Changed(l.name) {
			return grammar.Usage(cmd, "--%s must be more than 0; without it the default holds", l.name)
		}
	}
	return nil
}

func (r *request) limits() *unitv1.Limits {
	idle := seconds(r.idle)
	l := &unitv1.Limits{IdleSec: &idle}
	if r.maxTime > 0 {
		most := seconds(r.maxTime)
		l.MaxSec = &most
	}
	if r.cost > 0 {
		l.CostUSD = &r.cost
	}
	if r.tokens > 0 {
		l.Tokens = &r.tokens
	}
	return l
}

// seconds rounds up: a time that was asked for never becomes none.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// parseGrants reads NAME[:ro|rw]; without a mode it is rw.
func parseGrants(cmd *cobra.Command, args []string) ([]api.Grant, error) {
	var grants []api.Grant
	seen := map[string]bool{}
	for _, arg := range args {
		name, mode, given := strings.Cut(arg, ":")
		g := api.Grant{Workspace: name, Mode: unitv1.ReadWrite}
		if given {
			g.Mode = unitv1.Mode(mode)
		}
		switch {
		case name == "":
			return nil, grammar.Usage(cmd, "--workspace %q names no workspace", arg)
		case g.Mode != unitv1.ReadOnly && g.Mode != unitv1.ReadWrite:
			return nil, grammar.Usage(cmd, "--workspace %q: the mode is ro or rw", arg)
		case seen[name]:
			return nil, grammar.Usage(cmd, "--workspace %q is given twice", name)
		}
		seen[name] = true
		grants = append(grants, g)
	}
	return grants, nil
}
