// Package dispatchcmd holds the commands about dispatches: ps, show, logs, stop
// and session list.
package dispatchcmd

import (
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// psFields are the JSON fields of vexa ps. They only ever grow.
func psFields() output.Fields[api.Dispatch] {
	type d = api.Dispatch
	return output.Fields[d]{
		{Name: "id", Value: func(x d) any { return x.ID }},
		{Name: "state", Value: func(x d) any { return x.State }},
		{Name: "subject", Value: func(x d) any { return x.Subject }},
		{Name: "launcher", Value: func(x d) any { return x.Launcher }},
		{Name: "runner", Value: func(x d) any { return x.Runner }},
		{Name: "model", Value: func(x d) any { return x.Model }},
		{Name: "trigger", Value: func(x d) any { return x.Trigger }},
		{Name: "workspaces", Value: func(x d) any { return output.OrEmpty(x.Workspaces) }},
		{Name: "container", Value: func(x d) any { return x.Container }},
		{Name: "session", Value: func(x d) any { return x.Session }},
		{Name: "startedAt", Value: func(x d) any { return x.StartedAt }},
		{Name: "endedAt", Value: func(x d) any { return x.EndedAt }},
		{Name: "stopReason", Value: func(x d) any { return x.StopReason }},
		{Name: "detail", Value: func(x d) any { return x.Detail }},
		{Name: "busy", Value: func(x d) any { return x.Busy }},
		{Name: "turns", Value: func(x d) any { return x.Turns }},
		{Name: "requests", Value: func(x d) any { return x.Requests }},
		{Name: "tokens", Value: func(x d) any { return x.Tokens }},
	}
}

// showFields are the JSON fields of vexa show.
func showFields() output.Fields[api.Dispatch] {
	return append(psFields(),
		output.Field[api.Dispatch]{Name: "unit", Value: func(x api.Dispatch) any { return x.Unit }},
		output.Field[api.Dispatch]{Name: "commits", Value: func(x api.Dispatch) any { return output.OrEmpty(x.Commits) }},
	)
}

// sessionFields are the JSON fields of vexa session list.
func sessionFields() output.Fields[api.Session] {
	type s = api.Session
	return output.Fields[s]{
		{Name: "id", Value: func(x s) any { return x.ID }},
		{Name: "title", Value: func(x s) any { return x.Title }},
		{Name: "runner", Value: func(x s) any { return x.Runner }},
		{Name: "unit", Value: func(x s) any { return x.Unit }},
		{Name: "updatedAt", Value: func(x s) any { return x.UpdatedAt }},
	}
}

// grants renders workspaces as NAME:mode, separated by commas.
func grants(list []api.GrantedWorkspace) string {
	parts := make([]string, len(list))
	for i, w := range list {
		name := w.Name
		if name == "" {
			name = w.ID
		}
		parts[i] = name + ":" + string(w.Mode)
	}
	return strings.Join(parts, ",")
}

// stamp renders a time for vexa show.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
