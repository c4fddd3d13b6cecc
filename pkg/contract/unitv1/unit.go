// Package unitv1 holds the Go types of the contract unit.v1: one dispatch, the
// only backend object. The schema in schemas/unit.v1 is the authority.
package unitv1

// Unit is one dispatch: one agent run, for a subject, over granted workspaces.
// Trust and the output topic are derived from it and never stored.
type Unit struct {
	ID             string      `json:"id"` // ULID, upper case
	Identity       Identity    `json:"identity"`
	Runner         string      `json:"runner"`
	Model          string      `json:"model,omitempty"` // a model name the provider table knows
	Workspaces     []Workspace `json:"workspaces"`      // at least one; the first is the working directory
	Tools          []string    `json:"tools,omitempty"` // tool.v1 names
	Trigger        Trigger     `json:"trigger"`
	Context        *Context    `json:"context,omitempty"`
	Start          Start       `json:"start"`
	Limits         *Limits     `json:"limits,omitempty"`
	Parent         string      `json:"parent,omitempty"` // the unit that caused this one
	IdempotencyKey string      `json:"idempotencyKey,omitempty"`
}

// Identity says on whose behalf the dispatch runs and who or what triggered it.
type Identity struct {
	Subject  string `json:"subject"`  // a person, for example "u_jane"
	Launcher string `json:"launcher"` // "user:<id>" | "schedule:<id>" | "integration:<name>"
}

// Mode is how a workspace is granted.
type Mode string

// The modes of a granted workspace.
const (
	ReadOnly  Mode = "ro"
	ReadWrite Mode = "rw"
)

// Workspace is one granted workspace, named by its opaque id.
type Workspace struct {
	ID   string `json:"id"`
	Mode Mode   `json:"mode"`
}

// Trigger is what fired the dispatch.
type Trigger string

// The triggers.
const (
	TriggerMessage       Trigger = "message"
	TriggerScheduled     Trigger = "scheduled"
	TriggerEvent         Trigger = "event"
	TriggerTranscription Trigger = "transcription"
)

// Context is what the dispatch is about; Kind names the member that is set.
type Context struct {
	Kind    string   `json:"kind"` // none | meeting | mail | source
	Meeting *Meeting `json:"meeting,omitempty"`
	Mail    *Mail    `json:"mail,omitempty"`
	Source  *Source  `json:"source,omitempty"`
}

// Meeting refers to one session of a meeting.
type Meeting struct {
	MeetingID  string `json:"meetingId"`
	SessionUID string `json:"sessionUid"`
	Platform   string `json:"platform,omitempty"`
}

// Mail refers to one message; it never holds its bytes.
type Mail struct {
	URI       string `json:"uri"`
	MessageID string `json:"messageId"`
	ETag      string `json:"etag,omitempty"`
}

// Source refers to any other outside thing; it never holds its bytes.
type Source struct {
	URI  string `json:"uri"`
	ETag string `json:"etag,omitempty"`
}

// Start is where the agent begins: exactly one member is set.
type Start struct {
	Entrypoint *Entrypoint `json:"entrypoint,omitempty"`
	Session    *Session    `json:"session,omitempty"`
}

// Entrypoint is a first instruction: exactly one member is set.
type Entrypoint struct {
	Inline string `json:"inline,omitempty"`
	Path   string `json:"path,omitempty"` // a plan file, relative to the first workspace
}

// Session refers to a conversation to be continued.
type Session struct {
	Ref string `json:"ref"` // the session's id
}

// Limits bound one dispatch. A missing member means the installation's default.
type Limits struct {
	IdleSec *int     `json:"idleSec,omitempty"` // seconds a container waits for a next message; 0: exit after the turn
	MaxSec  *int     `json:"maxSec,omitempty"`  // seconds the container may live
	Tokens  *int64   `json:"tokens,omitempty"`  // input plus output tokens, metered at the broker
	CostUSD *float64 `json:"costUsd,omitempty"`
	DiskMB  *int     `json:"diskMb,omitempty"` // growth of the checkouts and of scratch space
}
