package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/keys"
)

// Execute runs the command line args (without the program's name) and returns
// the exit code. It prints an error once, to stderr. It ends ctx at the first
// Ctrl-C, where the command does not take that for itself, and returns 130 at
// the second without waiting for the command.
func Execute(ctx context.Context, f *Factory, args []string) int {
	root := New(f)
	root.SetArgs(args)
	ctx, again, stop := f.WatchInterrupts(ctx)
	defer stop()
	type result struct {
		cmd *cobra.Command
		err error
	}
	ended := make(chan result, 1)
	go func() {
		cmd, err := root.ExecuteContextC(ctx)
		ended <- result{cmd, err}
	}()
	var r result
	select {
	case r = <-ended:
	case <-again:
		f.Leave()
		return ExitCode(fault.New(fault.Interrupted, "", ""))
	}
	if r.err == nil || errors.Is(r.err, errListed) {
		return 0
	}
	err := explain(f, classify(ctx, r.err))
	code := ExitCode(err)
	report(f, err, code, jsonAsked(r.cmd, args))
	return code
}

// Fail prints an error of what is no command of the tree, such as the helper
// that git starts, and returns the exit code.
func Fail(f *Factory, err error) int {
	err = explain(f, err)
	code := ExitCode(err)
	report(f, err, code, false)
	return code
}

// classify gives an unclassified error of an ended context its class.
func classify(ctx context.Context, err error) error {
	var e *fault.Error
	if errors.As(err, &e) || ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); errors.As(cause, &e) {
		return cause
	}
	return fault.Wrap(fault.Interrupted, "interrupted", err)
}

// asRoot is the hint for root, whose containers the runtime kernel refuses.
const asRoot = "you are root, and agents never run as root: vexa doctor --fix sets up a user and says how to run Vexa as that user"

// explain says what to do about an error that has its cause on this side of
// the daemon: Vexa is locked for want of a key, which no unlocking opens, or
// the person is root.
func explain(f *Factory, err error) error {
	if fault.Is(err, fault.Unavailable) && f.IsRoot() {
		return &fault.Error{Kind: fault.Unavailable, Hint: asRoot, Err: err}
	}
	if !fault.Is(err, fault.Locked) {
		return err
	}
	_, s, kerr := f.OpenKeys()
	if kerr != nil {
		return err
	}
	if p, kerr := s.Protection(); kerr != nil || p != keys.Missing {
		return err
	}
	return fault.New(fault.Locked, "this installation has no key yet", "make one, a workspace and a model with: vexa init")
}

// jsonAsked reports whether errors are to be JSON too. A command line that
// could not be parsed is searched for the flag.
func jsonAsked(cmd *cobra.Command, args []string) bool {
	if cmd != nil && cmd.Flags().Changed(output.FlagJSON) {
		return true
	}
	for _, a := range args {
		if a == "--" {
			return false
		}
		if a == "--"+output.FlagJSON || strings.HasPrefix(a, "--"+output.FlagJSON+"=") {
			return true
		}
	}
	return false
}

// errorReport is what stderr says of a failure under --json.
type errorReport struct {
	Error    errorBody `json:"error"`
	ExitCode int       `json:"exitCode"`
}

type errorBody struct {
	Code    fault.Kind `json:"code"`
	Message string     `json:"message"`
	Hint    string     `json:"hint"`
}

// issues is where defects are reported.
const issues = "https://github.com/vexa-ai/vexa/issues"

// report prints the error. Its text may quote foreign text.
func report(f *Factory, err error, code int, asJSON bool) {
	kind, msg, hint := fault.KindOf(err), err.Error(), fault.HintOf(err)
	if asJSON {
		data, merr := json.Marshal(errorReport{errorBody{kind, msg, hint}, code})
		if merr == nil {
			_, _ = fmt.Fprintf(f.Err, "%s\n", plain.JSON(data)) // there is no one left to tell
			return
		}
	}
	if hint == "" && kind == fault.Internal {
		hint = "this may be a defect: see vexa daemon logs and vexa doctor, and report it at " + issues
	}
	style := f.ErrStyle()
	_, _ = fmt.Fprintln(f.Err, style.Bad("vexa: error:")+" "+plain.Line(msg))
	if hint != "" {
		_, _ = fmt.Fprintln(f.Err, style.Aside("vexa: hint:")+" "+plain.Line(hint))
	}
}
