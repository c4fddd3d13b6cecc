package contract

import (
	"encoding/json"

	"github.com/vexa-ai/vexa/pkg/contract/cardv1"
	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/inboxv1"
	"github.com/vexa-ai/vexa/pkg/contract/invitationv1"
	"github.com/vexa-ai/vexa/pkg/contract/keyringv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/contract/proposalv1"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/schedulev1"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/contract/transcriptv1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/workspacev1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// roundTrip reads a JSON text into a Go type and writes it again.
type roundTrip func(data []byte) ([]byte, error)

func through[T any](data []byte) ([]byte, error) {
	var v T
	if err := unmarshal(data, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

func throughBody(data []byte) ([]byte, error) {
	b, err := wsv2.UnmarshalBody(data)
	if err != nil {
		return nil, err
	}
	return wsv2.MarshalBody(b)
}

// goTypes returns the Go type of every shape, by "unit.v1#Unit".
func goTypes() map[string]roundTrip {
	return map[string]roundTrip{
		"agent-runner.v1#Launch":          through[runnerv2.Launch],
		"agent-runner.v1#Manifest":        through[runnerv2.Manifest],
		"agent-runner.v2#Launch":          through[runnerv2.Launch],
		"agent-runner.v2#Manifest":        through[runnerv2.Manifest],
		"bucket-inbox.v1#Delivery":        through[inboxv1.Delivery],
		"bucket-inbox.v1#Notice":          through[inboxv1.Notice],
		"bucket-keyring.v1#Keyring":       through[keyringv1.Keyring],
		"bucket-manifest.v1#Manifest":     through[manifestv1.Manifest],
		"bucket-manifest.v1#Snapshot":     through[manifestv1.Snapshot],
		"identity.v1#AccessDecision":      through[identityv1.AccessDecision],
		"identity.v1#Action":              through[identityv1.Action],
		"identity.v1#DispatchClaims":      through[identityv1.DispatchClaims],
		"identity.v1#DispatchToken":       through[identityv1.DispatchToken],
		"identity.v1#ResourceKind":        through[identityv1.ResourceKind],
		"identity.v1#Scope":               through[identityv1.Scope],
		"identity.v1#ScopedToken":         through[identityv1.ScopedToken],
		"identity.v1#WorkspaceGrant":      through[identityv1.WorkspaceGrant],
		"invitation.v1#Introduction":      through[invitationv1.Introduction],
		"invitation.v1#Invitation":        through[invitationv1.Invitation],
		"proactive-card.v1#Card":          through[cardv1.Card],
		"proposal.v1#Approval":            through[proposalv1.Approval],
		"proposal.v1#Conflicts":           through[proposalv1.Conflicts],
		"proposal.v1#Proposal":            through[proposalv1.Proposal],
		"runtime.v1#Backend":              through[string],
		"runtime.v1#RuntimeEvent":         through[runtimev1.Event],
		"runtime.v1#RuntimeState":         through[runtimev1.State],
		"runtime.v1#StopReason":           through[runtimev1.StopReason],
		"runtime.v1#WorkloadSpec":         through[runtimev1.Spec],
		"runtime.v1#WorkloadStatus":       through[runtimev1.Status],
		"schedule.v1#Request":             through[schedulev1.Request],
		"schedule.v1#Retry":               through[schedulev1.Retry],
		"schedule.v1#ScheduleJob":         through[schedulev1.ScheduleJob],
		"tool.v1#Call":                    through[toolv1.Call],
		"tool.v1#Tool":                    through[toolv1.Tool],
		"transcript.v1#MutableBundle":     through[transcriptv1.MutableBundle],
		"transcript.v1#SessionEnd":        through[transcriptv1.SessionEnd],
		"transcript.v1#SessionStart":      through[transcriptv1.SessionStart],
		"transcript.v1#Source":            through[transcriptv1.Source],
		"transcript.v1#TranscriptSegment": through[transcriptv1.TranscriptSegment],
		"transcript.v1#Transcription":     through[transcriptv1.Transcription],
		"transcript.v1#Word":              through[transcriptv1.Word],
		"unit.v1#Unit":                    through[unitv1.Unit],
		"workspace.v1#Workspace":          through[workspacev1.Workspace],
		"ws.v1#AgentFrame":                throughBody,
		"ws.v1#Frame":                     through[wsv2.Frame],
		"ws.v1#Input":                     through[wsv2.Input],
		"ws.v1#Outcome":                   through[wsv2.Outcome],
		"ws.v1#Report":                    through[wsv2.Report],
		"ws.v1#Subscribe":                 through[wsv2.Subscribe],
		"ws.v2#AgentFrame":                throughBody,
		"ws.v2#Frame":                     through[wsv2.Frame],
		"ws.v2#Input":                     through[wsv2.Input],
		"ws.v2#Outcome":                   through[wsv2.Outcome],
		"ws.v2#Report":                    through[wsv2.Report],
		"ws.v2#Subscribe":                 through[wsv2.Subscribe],
	}
}
