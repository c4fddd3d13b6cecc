package daemon

import (
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
)

// Operation is what the description of the HTTP API says of one route. docs/api is
// made of it, and a test holds it to what the handlers read and write.
type Operation struct {
	Summary string
	// Query names the parameters that are read, each with what it is: "rev: a
	// commit, or a ref".
	Query []string
	// Body is a value of the type that is read, nil where no body is; Answer is
	// likewise what is written.
	Body, Answer any
	// Status is that of a success.
	Status int
	// Media is the type of what is written where that is not one JSON document; of
	// events and of lines Answer is each one.
	Media string
	// Also says that the JSON document is written where the client does not accept
	// Media.
	Also bool
}

// Types of what is no JSON document.
const (
	mediaEvents = "text/event-stream"
	mediaLines  = "application/x-ndjson"
	mediaBytes  = "application/octet-stream"
)

// answers describes a route that reads no body.
func answers(summary string, with any, query ...string) Operation {
	return Operation{Summary: summary, Answer: with, Query: query, Status: http.StatusOK}
}

// takes describes a route that reads one. With no answer it writes none.
func takes(summary string, body, answer any) Operation {
	o := Operation{Summary: summary, Body: body, Answer: answer, Status: http.StatusOK}
	if answer == nil {
		o.Status = http.StatusNoContent
	}
	return o
}

// does describes a route that reads and writes nothing.
func does(summary string) Operation { return takes(summary, nil, nil) }

// makes is takes, of a route that makes something.
func makes(summary string, body, answer any) Operation {
	return Operation{Summary: summary, Body: body, Answer: answer, Status: http.StatusCreated}
}

// Operations are the routes of the API by their patterns. [Server.Handler] serves
// none that is not here.
func Operations() map[string]Operation {
	all := map[string]Operation{
		"GET /v1/status":         answers("How the daemon is", api.Status{}),
		"POST /v1/shutdown":      takes("End the daemon, once all is saved", api.ShutdownRequest{}, nil),
		"POST /v1/runtime/start": does("Start the runtime kernel, where it does not run"),
		"POST /v1/unlock":        takes("Open the installation with its identity", api.UnlockRequest{}, nil),
		"POST /v1/lock":          does("Forget the identity, once all is saved"),

		"POST /v1/dispatches":            makes("Say something to an agent: start a dispatch, or go on with a live one", api.StartRequest{}, api.Started{}),
		"GET /v1/dispatches":             answers("The dispatches that are live", []api.Dispatch{}, "all: 1 for those that have ended, too", "session: those of this conversation alone"),
		"GET /v1/dispatches/{id}":        answers("One dispatch, with its unit and its commits", api.Dispatch{}),
		"POST /v1/dispatches/{id}/stop":  takes("End a dispatch, or its turn", api.StopRequest{}, api.Dispatch{}),
		"GET /v1/dispatches/{id}/frames": frameEvents(),
		"GET /v1/dispatches/{id}/inference": {
			Summary: "What a dispatch sent to models and what came back, where that was recorded; an exchange a line",
			Answer:  api.Exchange{}, Status: http.StatusOK, Media: mediaLines,
		},
		"GET /v1/recording": answers("What is recorded", api.Recording{}),
		"PUT /v1/recording": takes("Switch the recording", api.Recording{}, api.Recording{}),

		"GET /v1/sessions":              answers("The conversations that can go on, first those whose turns came last", []api.Session{}),
		"POST /v1/sessions/{id}/rename": takes("Give a conversation a title", api.RenameSession{}, api.Session{}),

		"POST /v1/keys":      answers("Bring the installation's keys into every bucket", []api.Rekeyed{}),
		"POST /v1/keys/open": takes("Open what is encrypted to the installation", api.OpenSealed{}, api.Opened{}),
		"POST /v1/keys/sign": takes("Sign the line of a bucket's manifest, or of a delivery", api.Sign{}, api.Signed{}),

		"GET /v1/models":           answers("The providers of models", []api.Provider{}),
		"POST /v1/models":          makes("Add a provider", api.AddProvider{}, api.Provider{}),
		"DELETE /v1/models/{name}": does("Remove a provider, with its key"),
		"POST /v1/models/{name}/test": {
			Summary: "Try out what a model can do; as events, what is tried next and at last the outcome", Body: api.TestModel{},
			Answer: api.ModelTest{}, Status: http.StatusOK, Media: mediaEvents, Also: true,
		},
		"POST /v1/models/{name}/prices": takes("Set what models cost", api.SetPrices{}, api.Provider{}),

		"GET /v1/runners":           answers("The runners", []api.Runner{}),
		"POST /v1/runners":          makes("Add a runner of one's own", api.AddRunner{}, runnerv2.Manifest{}),
		"GET /v1/runners/{name}":    answers("The manifest of a runner", runnerv2.Manifest{}),
		"DELETE /v1/runners/{name}": does("Remove a runner of one's own"),
		"GET /v1/tools":             answers("The tools that a dispatch can be granted", []toolv1.Tool{}),
		"GET /v1/tools/{name}":      answers("One tool", toolv1.Tool{}),

		"GET /v1/subscribe": {
			Summary: "Follow any number of topics over a WebSocket: the client sends Subscribe of ws.v2, and what comes is the server-sent events of frames, each with its topic",
			Status:  http.StatusSwitchingProtocols,
		},
		"GET /v1/web":    answers("Whether the pages of the browser are served", api.Web{}),
		"POST /v1/web":   answers("Serve the pages of the browser, and give a link that signs in once", api.WebLink{}),
		"DELETE /v1/web": does("Stop serving the pages, and forget who was signed in"),
	}
	workspaceOperations(all)
	proposalOperations(all)
	return all
}

// frameEvents describes the stream of frames, whose form is a contract's.
func frameEvents() Operation {
	return Operation{
		Summary: "The frames of a dispatch: the id of an event is its cursor, its data one frame of ws.v2. The header Last-Event-ID, else from, says after which to begin",
		Query:   []string{"from: the cursor of the last frame that is known", "follow: 1 to go on until the dispatch has ended"},
		Status:  http.StatusOK, Media: mediaEvents,
	}
}

func workspaceOperations(all map[string]Operation) {
	const of = "/v1/workspaces/{name}/"
	all["GET /v1/workspaces"] = answers("The workspaces", []api.Workspace{})
	all["POST /v1/workspaces"] = makes("Create a workspace", api.CreateWorkspace{}, api.Workspace{})
	all["POST /v1/workspaces/add"] = makes("Add a workspace whose bucket is there", api.AddWorkspace{}, api.Workspace{})
	all["POST /v1/workspaces/join"] = makes("Take up an invitation", api.Join{}, api.Joined{})
	all["GET /v1/workspaces/{name}"] = answers("One workspace", api.Workspace{})
	all["POST "+of+"close"] = does("Remove what is readable of a workspace from memory, once it is saved")
	all["POST "+of+"verify"] = takes("Read all of a bucket and say what is wrong with it", api.VerifyRequest{}, api.Verified{})
	all["POST "+of+"repair"] = takes("Put a bucket right", api.RepairRequest{}, api.Repaired{})
	all["POST "+of+"backup"] = takes("Copy a bucket as it is, encrypted", api.BackupRequest{}, api.Copied{})
	all["POST "+of+"restore"] = takes("Bring back what is missing from a bucket", api.RestoreRequest{}, api.Copied{})
	all["GET "+of+"members"] = answers("The members, and who was one", api.Members{})
	all["POST "+of+"members"] = makes("Let somebody in", api.AddMember{}, api.Member{})
	all["POST "+of+"members/remove"] = takes("Shut somebody out", api.RemoveMember{}, api.RemovedMember{})
	all["POST "+of+"members/rights"] = takes("Give a member other rights", api.SetRights{}, api.Member{})
	all["POST "+of+"members/keys"] = takes("Let a member use more keys", api.AddKeys{}, api.Member{})
	all["GET "+of+"inbox"] = answers("What was delivered by members who do not read", []api.Delivery{}, "limit: how many, the newest first")
	all["POST "+of+"inbox/drop"] = takes("Remove a delivery", api.DropDelivery{}, nil)
	all["POST "+of+"rotate"] = takes("Begin a new epoch, encrypt everything again, or both", api.Rotate{}, api.Rotated{})
	all["POST "+of+"invite"] = takes("Write an invitation for a member", api.Invite{}, api.Invitation{})
	all["GET "+of+"log"] = answers(
		"The history, the newest first", []api.Commit{}, "limit: how many; 0 for all", "unit: only commits of this dispatch", "session: only commits of this conversation",
		"path: only commits that change this path", "rev: the commit or ref to begin at", "subject: only commits on behalf of this person", "launcher: only commits of this launcher",
	)
	all["GET "+of+"files"] = answers("The files", []api.FileEntry{}, "rev: a commit or ref; default: main")
	file := answers("The bytes of a file", nil, "rev: a commit or ref; default: main", "path: of the file")
	file.Media = mediaBytes
	all["GET "+of+"file"] = file
	all["GET "+of+"diff"] = answers(
		"What changed, as a patch", api.Diff{}, "from: a commit or ref", "to: a commit or ref", "unit: what this dispatch changed, in place of from and to", "path: only below this path",
	)
	all["GET "+of+"blame"] = answers("The commit that last changed each line", []api.BlameLine{}, "rev: a commit or ref; default: main", "path: of the file")
	all["GET "+of+"status"] = answers("How a workspace is, and its bucket", api.WorkspaceStatus{})
	all["POST "+of+"undo"] = takes("Take back what was changed, by a commit", api.UndoRequest{}, api.Undone{})
}

func proposalOperations(all map[string]Operation) {
	const of, one = "/v1/workspaces/{name}/", "/v1/workspaces/{name}/proposals/{id}"
	all["GET "+of+"policy"] = answers("How many approvals branches need", api.Policy{})
	all["POST "+of+"policy"] = takes("Change that for some branches", api.ApprovalsRule{}, api.Policy{})
	all["GET "+of+"proposals"] = answers("The proposals that are open", []api.Proposal{}, "all: true for those that are closed, too")
	all["POST "+of+"proposals"] = makes("Propose a branch", api.CreateProposal{}, api.Proposal{})
	all["GET "+one] = answers("One proposal with its history", api.Proposal{})
	all["GET "+one+"/diff"] = answers("What a proposal changes, as a patch", api.Diff{}, "path: only below this path")
	all["GET "+one+"/sides"] = answers("The versions of a path that could not be merged", api.ProposalSides{}, "path: of the file")
	all["POST "+one+"/comment"] = takes("Say something about a proposal", api.ProposalText{}, api.Proposal{})
	all["POST "+one+"/resolve"] = takes("Say what paths that conflict are to be", api.ResolveProposal{}, api.Proposal{})
	all["POST "+one+"/approve"] = takes("Sign that the result may be merged", api.ProposalResult{}, api.Proposal{})
	all["POST "+one+"/reject"] = takes("Close a proposal without merging it", api.ProposalText{}, api.Proposal{})
	all["POST "+one+"/accept"] = takes("Merge a proposal", api.ProposalResult{}, api.Proposal{})
	all["POST "+one+"/refresh"] = answers("Merge a proposal again, with the target as it is now", api.Proposal{})
}
