package chat

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/tui/command"
	"github.com/vexa-ai/vexa/pkg/tui/feed"
)

// Turns is how something is said to an agent, and how it is stopped.
type Turns interface {
	feed.Source
	Start(ctx context.Context, r api.StartRequest) (api.Started, error)
	Stop(ctx context.Context, unit string, interrupt bool) (api.Dispatch, error)
	Dispatch(ctx context.Context, unit string) (api.Dispatch, error)
	Dispatches(ctx context.Context, all bool) ([]api.Dispatch, error)
	DispatchesOf(ctx context.Context, session string) ([]api.Dispatch, error)
}

// Sessions are the conversations that are kept.
type Sessions interface {
	Sessions(ctx context.Context) ([]api.Session, error)
	RenameSession(ctx context.Context, id string, r api.RenameSession) (api.Session, error)
}

// Workspaces are what agents change.
type Workspaces interface {
	Workspaces(ctx context.Context) ([]api.Workspace, error)
	History
	Proposals
	command.Source
}

// History is what became of them, and how it is taken back.
type History interface {
	Log(ctx context.Context, name string, q client.LogQuery) ([]api.Commit, error)
	Diff(ctx context.Context, name string, q client.DiffQuery) (api.Diff, error)
	Undo(ctx context.Context, name string, r api.UndoRequest) (api.Undone, error)
}

// Proposals are commits that wait for somebody to decide.
type Proposals interface {
	Proposals(ctx context.Context, name string, all bool) ([]api.Proposal, error)
	Proposal(ctx context.Context, name, id string) (api.Proposal, error)
	AcceptProposal(ctx context.Context, name, id string, r api.ProposalResult) (api.Proposal, error)
	ApproveProposal(ctx context.Context, name, id string, r api.ProposalResult) (api.Proposal, error)
	RejectProposal(ctx context.Context, name, id string, r api.ProposalText) (api.Proposal, error)
}

// Health is whether there is a daemon, and what it can work with.
type Health interface {
	Connect(ctx context.Context) (api.Status, error)
	Status(ctx context.Context) (api.Status, error)
	Models(ctx context.Context) ([]api.Provider, error)
	Runners(ctx context.Context) ([]api.Runner, error)
}

// Daemon is what the chat needs of one; *client.Client is one.
type Daemon interface {
	Turns
	Sessions
	Workspaces
	Health
}
