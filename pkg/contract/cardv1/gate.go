package cardv1

import (
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/ijson"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// FromCall is the gate: it turns a call of a tool whose grant is "gate" into
// the card that a person decides on. Nothing has happened yet when it returns.
//
// The unit is the verified one the call came from, not the one the call names;
// the card's owner is its subject. The card carries the arguments with a digest
// over their canonical form (RFC 8785), so that what is approved is what is
// called. The error is fault.Denied where call, tool and unit do not belong
// together, and fault.Invalid where the tool is not gated or the arguments are
// not I-JSON.
func FromCall(tool toolv1.Tool, call toolv1.Call, unit unitv1.Unit, id string, expires time.Time) (Card, error) {
	switch {
	case call.Tool != tool.Name:
		return Card{}, fault.Newf(fault.Denied, "a call of %s is not one of %s", call.Tool, tool.Name)
	case call.Unit != unit.ID:
		return Card{}, fault.Newf(fault.Denied, "the call %s names unit %s, it came from %s", call.CallID, call.Unit, unit.ID)
	case tool.Grant != toolv1.Gate:
		return Card{}, fault.Newf(fault.Invalid, "the tool %s is not gated", tool.Name)
	}
	digest, err := ijson.Digest(call.Arguments)
	if err != nil {
		return Card{}, fault.Newf(fault.Invalid, "the arguments of the call %s: %w", call.CallID, err)
	}
	return Card{
		ID:        id,
		Unit:      unit.ID,
		Owner:     unit.Identity.Subject,
		Kind:      Suggestion,
		Title:     tool.Title,
		Proposal:  Proposal{Call: &Call{Tool: tool.Name, Arguments: call.Arguments, ArgumentsDigest: digest}},
		State:     Proposed,
		ExpiresAt: expires.UTC(),
		DedupeKey: "call/" + tool.Name + "/" + digest,
		Provenance: Provenance{
			Launcher: unit.Identity.Launcher,
			Trigger:  unit.Trigger,
			Turn:     call.Turn,
			CallID:   call.CallID,
		},
		TS: call.TS.UTC(),
	}, nil
}
