// Package runnerv2 holds the Go types of the contract agent-runner.v2: how one
// agent CLI is run, read, resumed and told where its model is. A manifest of
// agent-runner.v1 is the same without Manifest.Files.
package runnerv2

import "github.com/vexa-ai/vexa/pkg/contract/unitv1"

// Manifest describes a runner. Strings in argv, env, files and session.capsule are
// templates over {{name}} variables; an unknown variable is refused on load.
// The variables: session, model, baseUrl, token, workdir, home, state, prompt
// (only where prompt is "argv") and promptFile (only where it is "file").
type Manifest struct {
	Name        string            `json:"name"`
	Title       string            `json:"title"`
	Image       Image             `json:"image"`
	Argv        Argv              `json:"argv"`
	Prompt      string            `json:"prompt"` // stdin | file | argv
	Stream      Stream            `json:"stream"`
	Session     Session           `json:"session"`
	Inference   *Inference        `json:"inference,omitempty"`
	MCP         *MCP              `json:"mcp,omitempty"`
	Permissions *Permissions      `json:"permissions,omitempty"`
	Env         map[string]string `json:"env,omitempty"`   // includes the quiet environment
	Files       map[string]string `json:"files,omitempty"` // written before each turn; by path, which begins with {{state}}/ or {{home}}/
	Signals     *Signals          `json:"signals,omitempty"`
	Exit        Exit              `json:"exit"`
	Limits      *Limits           `json:"limits,omitempty"`
	Package     *Package          `json:"package,omitempty"`
	KnownLimits []string          `json:"knownLimits,omitempty"`
}

// Image says which image the runner needs. Exactly one member is set.
type Image struct {
	Builtin string `json:"builtin,omitempty"` // "empty" or "shell": Vexa makes it itself, offline
	Ref     string `json:"ref,omitempty"`     // an image by digest or local name
}

// Package pins the program inside the image.
type Package struct {
	Kind    string `json:"kind"` // builtin | npm | debian | go | pypi | release
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest,omitempty"`
}

// Argv holds the command lines; Resume is absent where a runner keeps no session.
type Argv struct {
	New    []string `json:"new"`
	Resume []string `json:"resume,omitempty"`
	Probe  []string `json:"probe,omitempty"`
}

// Stream says what the runner prints.
type Stream struct {
	Dialect  string `json:"dialect"` // vexa-ndjson | text | claude-ndjson | codex-jsonl | …
	Deltas   bool   `json:"deltas"`
	Terminal string `json:"terminal,omitempty"` // the event type that ends a turn; empty: the exit code alone
	MaxLine  int    `json:"maxLine,omitempty"`  // bytes; default 32 MiB
}

// Session says how a conversation is named and what must be kept of it.
type Session struct {
	ID       string   `json:"id"`                 // assigned | stream | none
	Path     string   `json:"path,omitempty"`     // dotted path in the stream, where id is "stream"
	KeyedBy  string   `json:"keyedBy,omitempty"`  // id | cwd | name
	StateEnv string   `json:"stateEnv,omitempty"` // the variable that moves the state directory
	Capsule  []string `json:"capsule,omitempty"`  // globs below the state directory
}

// Inference says which wire protocol the runner speaks and how it is told.
type Inference struct {
	Protocols []string          `json:"protocols"` // anthropic-messages | openai-chat | openai-responses | gemini; first preferred
	Env       map[string]string `json:"env"`       // templates: base URL, key, model
	HTTPSOnly bool              `json:"httpsOnly,omitempty"`
}

// MCP says how the runner is given tool servers.
type MCP struct {
	Kind      string   `json:"kind"` // none | claude-json | codex-toml | opencode-json | gemini-settings | vexa-env
	Transport []string `json:"transport,omitempty"`
}

// Permissions says how the runner's own prompts are switched off: the
// container is the sandbox.
type Permissions struct {
	Bypass string `json:"bypass"` // none | args | env
}

// Signals says how the runner is interrupted.
type Signals struct {
	Interrupt string `json:"interrupt"` // SIGINT | SIGTERM
	GraceSec  int    `json:"graceSec"`
}

// Exit says what the runner's exit codes mean.
type Exit struct {
	OK          []int `json:"ok"`
	Interrupted []int `json:"interrupted,omitempty"`
}

// Limits are the runner's needs of the container.
type Limits struct {
	Processes int `json:"processes,omitempty"`
	OpenFiles int `json:"openFiles,omitempty"`
	DataMB    int `json:"dataMb,omitempty"`
	TmpMB     int `json:"tmpMb,omitempty"`
	HomeMB    int `json:"homeMb,omitempty"`
}

// Launch is the dispatch file /.vexa/run/dispatch.json: what the worker needs
// to run turns. It holds no credential beyond the dispatch token's path.
type Launch struct {
	Unit      unitv1.Unit   `json:"unit"`
	Manifest  Manifest      `json:"manifest"`
	Session   LaunchSession `json:"session"`
	Model     string        `json:"model,omitempty"`
	Protocol  string        `json:"protocol,omitempty"` // the inference protocol chosen for this dispatch
	Socket    string        `json:"socket"`             // broker socket, in the container
	TokenFile string        `json:"tokenFile"`          // in the container
	Listen    string        `json:"listen"`             // host:port of the inference forwarder, in the container
	IdleSec   int           `json:"idleSec"`
	MaxSec    int           `json:"maxSec"`
}

// LaunchSession names the conversation and whether its capsule is in place.
type LaunchSession struct {
	ID     string `json:"id"`
	Resume bool   `json:"resume"`
	Ref    string `json:"ref,omitempty"` // the runner's own session id, where it assigns it
}
