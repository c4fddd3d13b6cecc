package dispatch_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/internal/require"
)

// What an agent takes permissions away from is saved where the host can know
// it, and is removed either way: no unit stays for ever, and no plain text.
func TestPermissionsTakenAwayLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	require.Unprivileged(t)
	for name, attack := range map[string]string{
		"the workspace":              "chmod 000 .",
		"the workspace, by halves":   "chmod 400 .",
		"the session":                "mkdir -p ../../session/a/b; chmod 000 ../../session/a/b ../../session/a ../../session",
		"directories of a workspace": "mkdir -p a/b; chmod 000 a/b a",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			st := s.start(api.StartRequest{Text: "echo kept > kept.md; " + attack, Runner: "text", Limits: limits(0)})
			if d := done(t, s.turn(st)); !d.OK {
				t.Errorf("turn-done %+v", d)
			}
			s.ended(st.Unit)
			if got := s.file("kept.md"); got != "kept\n" {
				t.Errorf("main holds %q", got)
			}
			if _, err := os.Lstat(s.home.Unit(st.Unit)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the unit's directory is still there: %v", err)
			}
		})
	}
}
