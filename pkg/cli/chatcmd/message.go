package chatcmd

import (
	"context"
	"strings"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/client"
)

// message is what is said in one go.
type message struct {
	command string // of a workspace, whose prompt it is; empty: none
	typed   string // by the person; where there is a command, what stands behind its name
	piped   string // what stdin holds, which the person did not write
}

func (m message) empty() bool { return m == message{} }

// text returns the message as the agent is sent it: the prompt of a command with its
// arguments, the files of workspaces where the agent has them, and what was piped behind an
// empty line, as it is.
func (m message) text(ctx context.Context, f *factory.Factory, c *client.Client, r *api.StartRequest) (string, error) {
	said, err := m.said(ctx, c, r)
	if err == nil && m.command != "" {
		f.Notice("/%s sends:\n%s", m.command, said) // the person has not written it
	}
	switch {
	case err != nil || m.piped == "":
		return said, err
	case said == "":
		return m.piped, nil
	}
	return strings.TrimSpace(said) + "\n\n" + m.piped, nil
}

func (m message) said(ctx context.Context, c *client.Client, r *api.StartRequest) (string, error) {
	if m.command != "" {
		return prompt(ctx, c, r, m.command, m.typed)
	}
	looked := *r
	text, err := place(m.typed, func() ([]api.Workspace, error) { return granted(ctx, c, &looked) })
	if err == nil && text != m.typed {
		*r = looked // for the session whose workspaces these are
	}
	return text, err
}
