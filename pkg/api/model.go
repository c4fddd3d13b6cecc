package api

import "time"

// Provider is one row of GET /v1/models. It never holds the key.
type Provider struct {
	Name     string   `json:"name"`
	Protocol string   `json:"protocol"` // anthropic-messages | openai-responses | openai-chat | gemini | rehearsal
	Also     []string `json:"also"`     // further protocols
	URL      string   `json:"url"`
	Models   []string `json:"models"`
	Cassette string   `json:"cassette"` // file, for rehearsal
	HasKey   bool     `json:"hasKey"`
	Default  bool     `json:"default"` // its first model is the default model

	Prices map[string]Price `json:"prices"` // by model; those that are known
}

// AddProvider is the body of POST /v1/models.
type AddProvider struct {
	Name     string   `json:"name"`
	Protocol string   `json:"protocol"`
	Also     []string `json:"also,omitempty"`
	URL      string   `json:"url,omitempty"`
	Models   []string `json:"models,omitempty"`
	Key      string   `json:"key,omitempty"`
	Cassette string   `json:"cassette,omitempty"` // absolute path; read now and at each change
	Default  bool     `json:"default,omitempty"`

	Prices map[string]Price `json:"prices,omitempty"` // by model; a unit's costUsd needs one
}

// Price is what a model costs, in USD per million tokens. Those of a cache are that of
// the input where they are 0.
type Price struct {
	Input      float64 `json:"input"`
	Output     float64 `json:"output"`
	CacheRead  float64 `json:"cacheRead,omitempty"`
	CacheWrite float64 `json:"cacheWrite,omitempty"`
}

// SetPrices is the body of POST /v1/models/{name}/prices, which the provider answers.
type SetPrices struct {
	Prices map[string]*Price `json:"prices"` // by model; null: it is not known; those left out stay
}

// TestModel is the body of POST /v1/models/{name}/test. A client that accepts
// text/event-stream is answered with events whose data is a ModelProgress, and
// else with a ModelTest.
type TestModel struct {
	Model string `json:"model,omitempty"` // one of the provider's; empty: its first
}

// ModelProgress is one event of a test: what is tried next, or as the last the
// outcome.
type ModelProgress struct {
	Check    string     `json:"check,omitempty"`
	Protocol string     `json:"protocol,omitempty"`
	Done     *ModelTest `json:"done,omitempty"`
}

// ModelTest is what an endpoint can do.
type ModelTest struct {
	OK        bool   `json:"ok"` // it answers in every protocol that the provider is said to speak
	Model     string `json:"model"`
	Reply     string `json:"reply"`
	Error     string `json:"error"`
	Streaming bool   `json:"streaming"`
	ElapsedMS int64  `json:"elapsedMs"`

	Provider      string          `json:"provider"`
	Hint          string          `json:"hint"` // what to do about the error
	Checks        []ModelCheck    `json:"checks"`
	Protocols     []ModelProtocol `json:"protocols"`
	Runners       []ModelRunner   `json:"runners"`
	ContextTokens int64           `json:"contextTokens"` // 0: not known
	Requests      int64           `json:"requests"`      // that the test made
	InputTokens   int64           `json:"inputTokens"`   // that they took, as far as the provider says so
	OutputTokens  int64           `json:"outputTokens"`
}

// ModelCheck is one thing that was tried out.
type ModelCheck struct {
	Check    string `json:"check"`    // reachable | key | listed | context | answers | streams | usage | speed | reasoning | tools | results | parallel | images | speaks
	Protocol string `json:"protocol"` // empty: it is about the endpoint
	State    string `json:"state"`    // yes | no | partly | unknown
	Detail   string `json:"detail"`
}

// ModelProtocol is how one protocol was answered.
type ModelProtocol struct {
	Protocol     string  `json:"protocol"`
	Declared     bool    `json:"declared"` // the provider is said to speak it
	OK           bool    `json:"ok"`
	FirstMS      int64   `json:"firstMs"`      // until the first piece of an answer; 0: not known
	TokensPerSec float64 `json:"tokensPerSec"` // of the pieces after it; 0: not known
}

// ModelRunner is whether a runner can work with the model.
type ModelRunner struct {
	Runner   string `json:"runner"`
	State    string `json:"state"`    // yes | no | partly | unknown
	Protocol string `json:"protocol"` // that the runner speaks; empty: none, it uses no model
	Through  string `json:"through"`  // the provider's protocol; another than the runner's is translated
	Detail   string `json:"detail"`
}

// Runner is one row of GET /v1/runners.
type Runner struct {
	Name      string   `json:"name"`
	Title     string   `json:"title"`
	Image     string   `json:"image"`
	Digest    string   `json:"digest,omitempty"` // of the image that was made here; empty: none was
	Dialect   string   `json:"dialect"`
	Protocols []string `json:"protocols"`
	Resumes   bool     `json:"resumes"`
}

// AddRunner is the body of POST /v1/runners; the manifest answers it.
type AddRunner struct {
	Manifest string `json:"manifest"`          // agent-runner.v2#Manifest
	Lock     string `json:"lock,omitempty"`    // what its image is made of; empty: nothing says
	Replace  bool   `json:"replace,omitempty"` // one of the same name
}

// Session is one row of GET /v1/sessions.
type Session struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"` // what was asked first, or what the person called it
	Runner    string    `json:"runner"`
	Unit      string    `json:"unit"` // the last one that ran it
	UpdatedAt time.Time `json:"updatedAt"`
}

// RenameSession is the body of POST /v1/sessions/{id}/rename, which the session answers.
type RenameSession struct {
	Title string `json:"title"` // one line
}

// UnlockRequest is the body of POST /v1/unlock. The identity is held in the
// daemon's memory only.
type UnlockRequest struct {
	Identity   string `json:"identity"`             // AGE-SECRET-KEY-…
	TimeoutSec int    `json:"timeoutSec,omitempty"` // lock again after so many seconds; 0: never
}
