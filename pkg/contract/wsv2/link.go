package wsv2

import "encoding/json"

// The messages below cross the per-dispatch broker socket between the worker
// and the host, one JSON object a line, after an HTTP upgrade (see
// docs/architecture.md). The host believes none of the worker's.

// InputType names what an Input asks of the worker.
type InputType string

// The inputs.
const (
	InputTurn      InputType = "turn"      // run a turn
	InputInterrupt InputType = "interrupt" // end the running turn
	InputStop      InputType = "stop"      // end the running turn and exit
	InputAck       InputType = "ack"       // the host has stored reports up to AgentSeq
)

// Input is one entry of unit:<id>:in, and with type "ack" a receipt.
type Input struct {
	Type     InputType `json:"type"`
	Turn     string    `json:"turn,omitempty"`
	Text     string    `json:"text,omitempty"`
	AgentSeq uint64    `json:"agentSeq,omitempty"`
}

// ReportType names what a Report says.
type ReportType string

// The reports.
const (
	ReportHello   ReportType = "hello"    // first line of every connection
	ReportFrame   ReportType = "frame"    // a frame of the agent's
	ReportTurnEnd ReportType = "turn-end" // the agent process ended; every other process is gone
	ReportIdle    ReportType = "idle"     // the idle time is over; the worker is about to exit
)

// Report is one line from the worker. AgentSeq counts frame and turn-end
// reports from 1 over the container's life, so that a reconnect repeats none.
type Report struct {
	Type     ReportType      `json:"type"`
	AgentSeq uint64          `json:"agentSeq,omitempty"`
	Turn     string          `json:"turn,omitempty"` // hello: the turn in progress, if any
	Frame    json.RawMessage `json:"frame,omitempty"`
	End      *TurnEnd        `json:"end,omitempty"`
}

// TurnEnd is what the worker saw at the end of a turn.
type TurnEnd struct {
	Outcome    Outcome `json:"outcome"`
	ExitCode   int     `json:"exitCode"`
	Reply      string  `json:"reply"`
	SessionRef string  `json:"sessionRef,omitempty"` // the runner's own session id
	Error      string  `json:"error,omitempty"`
	Unknown    int     `json:"unknown,omitempty"` // events of types that the dialect does not know, and lines it could not use
}
