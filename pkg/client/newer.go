package client

import (
	"encoding/json"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// frameOf reads a frame. One of a type that this version does not know, of a daemon that
// is newer, stands as an event that is not understood, so that what comes after it is
// read; whatever else breaks the contract is an error.
func frameOf(data []byte) (wsv2.Frame, error) {
	f, err := contract.Decode[wsv2.Frame]("ws.v2#Frame", data)
	if err == nil || !fault.Is(err, fault.Invalid) {
		return f, err
	}
	var head struct {
		Seq      uint64      `json:"seq"`
		TS       time.Time   `json:"ts"`
		Unit     string      `json:"unit"`
		Source   wsv2.Source `json:"source"`
		Turn     string      `json:"turn"`
		AgentSeq uint64      `json:"agentSeq"`
		Type     wsv2.Type   `json:"type"`
	}
	if json.Unmarshal(data, &head) != nil || head.Seq == 0 || head.Type == "" || wsv2.Knows(head.Type) {
		return f, err
	}
	strange := wsv2.Opaque{Event: string(head.Type), Bytes: len(data), JSON: json.RawMessage(data)}
	out := wsv2.Frame{Seq: head.Seq, TS: head.TS, Unit: head.Unit, Source: wsv2.Host, Turn: head.Turn, Body: strange}
	if head.Source == wsv2.Agent && head.AgentSeq > 0 {
		out.Source, out.AgentSeq = head.Source, head.AgentSeq
	}
	// Any other source is one that this version does not know: it is the daemon's word alone.
	return out, nil
}
