package keycmd

import (
	"context"
	"os"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/home"
)

// tellWorkspaces brings the installation's keys into its workspaces. What cannot
// be done now the daemon does when it next opens them.
func tellWorkspaces(ctx context.Context, f *factory.Factory, h home.Home) {
	if entries, err := os.ReadDir(h.Workspaces()); err != nil || len(entries) == 0 {
		return
	}
	c, err := f.Connect(ctx)
	if err != nil {
		f.Warn("the workspaces take the keys over when the daemon next opens them: %s", err)
		return
	}
	defer c.Close()
	rows, err := c.Rekey(ctx)
	if err != nil {
		f.Warn("the workspaces take the keys over when they are next unlocked: %s", err)
		return
	}
	for _, r := range rows {
		switch {
		case r.Error != "":
			f.Warn("workspace %s has not taken the keys over: %s", r.Workspace, r.Error)
		case r.Changed:
			f.Notice("workspace %s has taken the keys over, as generation %d of its bucket", r.Workspace, r.Generation)
		}
	}
}
