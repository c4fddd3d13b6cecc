package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Exit is one exit code and what it means.
type Exit struct {
	Code    int
	Kinds   []fault.Kind // the classes of failure that end with it
	Meaning string
}

// Exits lists the exit codes. They are a promise: docs/exit-codes.md and
// "vexa help exit-codes" show this table.
func Exits() []Exit {
	return []Exit{
		{0, nil, "it worked"},
		{1, []fault.Kind{fault.Internal, fault.Failed, fault.Invalid}, "it failed, the agent's turn failed, or a document breaks its contract"},
		{2, []fault.Kind{fault.Usage}, "the command line is wrong"},
		{3, []fault.Kind{fault.NotFound}, "the named thing does not exist"},
		{4, []fault.Kind{fault.Locked}, "Vexa is locked; run vexa unlock"},
		{5, []fault.Kind{fault.Conflict}, "the name is taken, or the state changed meanwhile"},
		{6, []fault.Kind{fault.Unreachable}, "the daemon does not answer"},
		{7, []fault.Kind{fault.Unavailable}, "the container runtime does not answer"},
		{8, []fault.Kind{fault.Timeout}, "it took too long, is still pending, or a limit of the dispatch is used up"},
		{9, []fault.Kind{fault.Denied}, "a boundary refused"},
		{130, []fault.Kind{fault.Interrupted}, "it was interrupted"},
	}
}

// ExitCode maps an error to its exit code; nil is 0.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	kind := fault.KindOf(err)
	for _, e := range Exits() {
		if slices.Contains(e.Kinds, kind) {
			return e.Code
		}
	}
	return 1
}

// exitTable renders the exit codes as lines of text.
func exitTable() string {
	var b strings.Builder
	for _, e := range Exits() {
		fmt.Fprintf(&b, "  %3d  %s\n", e.Code, e.Meaning)
	}
	return b.String()
}
