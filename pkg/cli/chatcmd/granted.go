package chatcmd

import (
	"context"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/sessionid"
	"github.com/vexa-ai/vexa/pkg/tui/mention"
)

// personal is the workspace that is granted where nobody names one.
const personal = "personal"

// granted returns the workspaces that a request is given, in order: those that it names,
// else those of the session that it goes on with, else personal. None: it goes on with a
// session, and nobody knows any more what that was given. One that does not exist has no
// id. A request for the latest session is one for that very session from then on.
func granted(ctx context.Context, c *client.Client, r *api.StartRequest) ([]api.Workspace, error) {
	var asked []string
	for _, g := range r.Workspaces {
		asked = append(asked, g.Workspace)
	}
	switch {
	case len(asked) > 0:
	case r.Session == "" && !r.Continue:
		asked = []string{personal}
	default:
		var err error
		if asked, err = ofSession(ctx, c, r); err != nil || len(asked) == 0 {
			return nil, err
		}
	}
	all, err := c.Workspaces(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]api.Workspace, len(asked))
	for i, name := range asked {
		list[i] = api.Workspace{Name: name}
		if at := slices.IndexFunc(all, func(w api.Workspace) bool { return w.Name == name || w.ID == name }); at >= 0 {
			list[i] = all[at]
		}
	}
	return list, nil
}

// ofSession returns the ids of the workspaces of the session that a request goes on with,
// as the daemon has them: those of the dispatch that holds it, else of the last that did.
// None: that is not known.
func ofSession(ctx context.Context, c *client.Client, r *api.StartRequest) ([]string, error) {
	sessions, err := c.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	if r.Session == "" {
		if len(sessions) == 0 {
			return nil, nil
		}
		r.Session, r.Continue = sessions[0].ID, false
	}
	all, err := c.Dispatches(ctx, true)
	if err != nil {
		return nil, err
	}
	if r.Session, err = sessionid.Among(r.Session, sessions, all); err != nil {
		return nil, err
	}
	if at := slices.IndexFunc(all, func(d api.Dispatch) bool { return d.Session == r.Session && d.EndedAt == nil }); at >= 0 {
		return idsOf(all[at]), nil
	}
	at := slices.IndexFunc(sessions, func(s api.Session) bool { return s.ID == r.Session })
	if at < 0 {
		return nil, nil
	}
	last, err := c.Dispatch(ctx, sessions[at].Unit)
	if fault.Is(err, fault.NotFound) { // it is kept for a time only
		return nil, nil
	}
	return idsOf(last), err
}

func idsOf(d api.Dispatch) []string {
	var ids []string
	for _, w := range d.Workspaces {
		ids = append(ids, w.ID)
	}
	return ids
}

// dirs is where an agent has the workspaces that it is given, by their names.
func dirs(list []api.Workspace) map[string]string {
	at := map[string]string{}
	for i, w := range list {
		if w.ID != "" {
			at[w.Name] = mention.Dir(i, w.ID)
		}
	}
	return at
}

// place returns what a person wrote with the files of granted workspaces, @WORKSPACE:PATH,
// as the agent knows them. Where it can name none nobody asks which they are.
func place(text string, granted func() ([]api.Workspace, error)) (string, error) {
	named := func(m mention.Mention) bool { return strings.Contains(m.Name, ":") }
	if !slices.ContainsFunc(mention.All(text), named) {
		return text, nil
	}
	list, err := granted()
	if err != nil {
		return "", err
	}
	return mention.Place(text, dirs(list)), nil
}

// errUngranted is about a request whose workspaces nobody can name.
func errUngranted(r api.StartRequest) error {
	if r.Session == "" {
		return fault.New(fault.NotFound, "there is no session to continue", "leave --continue out")
	}
	return fault.New(fault.NotFound, "it is not known which workspaces the session has", "name them: -w WORKSPACE")
}
