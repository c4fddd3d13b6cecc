// Package workspacecmd holds the commands about workspaces.
package workspacecmd

import (
	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
)

// New returns the command vexa workspace.
func New(f *factory.Factory) *cobra.Command {
	return grammar.Group("workspace", "Git repositories that agents work on",
		newCreate(f), newAdd(f), newList(f), newShow(f), newLog(f), newFiles(f),
		newCat(f), newCommands(f), newDiff(f), newBlame(f), newStatus(f), newUndo(f), newClose(f), newVerify(f), newRepair(f),
		newBackup(f), newRestore(f), newMember(f), newPolicy(f), newInvite(f), newJoin(f), newInbox(f), newRotate(f))
}

// workspaceFields are the JSON fields of a workspace. They only ever grow.
func workspaceFields() output.Fields[api.Workspace] {
	type w = api.Workspace
	return output.Fields[w]{
		{Name: "name", Value: func(x w) any { return x.Name }},
		{Name: "id", Value: func(x w) any { return x.ID }},
		{Name: "head", Value: func(x w) any { return x.Head }},
		{Name: "createdAt", Value: func(x w) any { return x.CreatedAt }},
		{Name: "updatedAt", Value: func(x w) any { return x.UpdatedAt }},
		{Name: "files", Value: func(x w) any { return x.Files }},
		{Name: "encrypted", Value: func(x w) any { return x.Encrypted }},
		{Name: "unmerged", Value: func(x w) any { return output.OrEmpty(x.Unmerged) }},
		{Name: "bucket", Value: func(x w) any { return x.Bucket }},
		{Name: "generation", Value: func(x w) any { return x.Generation }},
		{Name: "writeOnly", Value: func(x w) any { return x.WriteOnly }},
		{Name: "problem", Value: func(x w) any { return x.Problem }},
	}
}

// commitFields are the JSON fields of vexa workspace log.
func commitFields() output.Fields[api.Commit] {
	type c = api.Commit
	return output.Fields[c]{
		{Name: "sha", Value: func(x c) any { return x.SHA }},
		{Name: "subject", Value: func(x c) any { return x.Subject }},
		{Name: "launcher", Value: func(x c) any { return x.Launcher }},
		{Name: "unit", Value: func(x c) any { return x.Unit }},
		{Name: "session", Value: func(x c) any { return x.Session }},
		{Name: "runner", Value: func(x c) any { return x.Runner }},
		{Name: "message", Value: func(x c) any { return x.Message }},
		{Name: "author", Value: func(x c) any { return x.Author }},
		{Name: "time", Value: func(x c) any { return x.Time }},
		{Name: "parents", Value: func(x c) any { return output.OrEmpty(x.Parents) }},
		{Name: "workspace", Value: func(x c) any { return x.Workspace }},
		{Name: "undoes", Value: func(x c) any { return output.OrEmpty(x.Undoes) }},
	}
}

// fileFields are the JSON fields of vexa workspace files.
func fileFields() output.Fields[api.FileEntry] {
	type e = api.FileEntry
	return output.Fields[e]{
		{Name: "path", Value: func(x e) any { return x.Path }},
		{Name: "mode", Value: func(x e) any { return x.Mode }},
		{Name: "size", Value: func(x e) any { return x.Size }},
		{Name: "sha", Value: func(x e) any { return x.SHA }},
	}
}

// undoneFields are the JSON fields of vexa workspace undo.
func undoneFields() output.Fields[api.Undone] {
	type u = api.Undone
	return output.Fields[u]{
		{Name: "sha", Value: func(x u) any { return x.SHA }},
		{Name: "reverted", Value: func(x u) any { return output.OrEmpty(x.Reverted) }},
		{Name: "conflicts", Value: func(x u) any { return output.OrEmpty(x.Conflicts) }},
		{Name: "proposal", Value: func(x u) any { return x.Proposal }},
	}
}
