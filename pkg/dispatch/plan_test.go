package dispatch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// TestPlanIsWhatTheAgentIsTold: the runner gets the bytes of the plan's file,
// and the unit says where they came from.
func TestPlanIsWhatTheAgentIsTold(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	const script = "# counts\necho ran > ran.md\necho done\n"
	grant := s.withPlans(map[string]string{"s.sh": script})
	st := s.start(api.StartRequest{Plan: "plans/s.sh", Runner: "text", Limits: limits(0), Workspaces: grant})
	frames := s.turn(st)
	if d := done(t, frames); !d.OK || strings.TrimSpace(d.Reply) != "done" {
		t.Errorf("turn-done %+v", d)
	}
	if accepted := body[wsv2.TurnAccepted](frames); len(accepted) != 1 || accepted[0].Text != script {
		t.Errorf("turn-accepted %+v", accepted)
	}
	if commits := body[wsv2.Commit](frames); len(commits) != 1 || !commits[0].Merged {
		t.Errorf("commits %+v", commits)
	}
	row := s.ended(st.Unit)
	d, err := s.m.Get(row.ID)
	must(t, err)
	if d.Unit.Start.Entrypoint == nil || d.Unit.Start.Entrypoint.Path != "plans/s.sh" || d.Unit.Start.Entrypoint.Inline != "" {
		t.Errorf("start %+v", d.Unit.Start)
	}
}

func TestPlanThatIsNoText(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	plans := map[string]string{
		"long.md": strings.Repeat("a", 1<<20+1), "binary": "a\x00b", "latin1.md": "caf\xe9", "empty.md": " \n",
	}
	grant := s.withPlans(plans)
	for name := range plans {
		_, err := s.m.Start(t.Context(), jane, api.StartRequest{Plan: "plans/" + name, Runner: "text", Workspaces: grant})
		if !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rows := s.m.List(true); len(rows) != 0 {
		t.Errorf("units exist: %+v", rows)
	}
}

// withPlans makes a workspace whose directory plans holds the files.
func (s *stack) withPlans(files map[string]string) []api.Grant {
	s.t.Helper()
	dir := s.t.TempDir()
	must(s.t, os.Mkdir(filepath.Join(dir, "plans"), 0o700))
	for name, text := range files {
		must(s.t, os.WriteFile(filepath.Join(dir, "plans", name), []byte(text), 0o600))
	}
	_, err := s.workspaces.Create(s.t.Context(), workspace.CreateRequest{Name: "planned", From: dir, Author: workspace.Author{Subject: jane.Subject}})
	must(s.t, err)
	return []api.Grant{{Workspace: "planned"}}
}
