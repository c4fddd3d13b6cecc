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

// Price is what a model costs, in USD per million tokens.
type Price struct {
	Input  float64 `json:"input"`
	Output float64 `json:"output"`
}

// ModelTest answers POST /v1/models/{name}/test.
type ModelTest struct {
	OK        bool   `json:"ok"`
	Model     string `json:"model"`
	Reply     string `json:"reply"`
	Error     string `json:"error"`
	Streaming bool   `json:"streaming"`
	ElapsedMS int64  `json:"elapsedMs"`
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
	Runner    string    `json:"runner"`
	Unit      string    `json:"unit"` // the last one that ran it
	UpdatedAt time.Time `json:"updatedAt"`
}

// UnlockRequest is the body of POST /v1/unlock. The identity is held in the
// daemon's memory only.
type UnlockRequest struct {
	Identity   string `json:"identity"`             // AGE-SECRET-KEY-…
	TimeoutSec int    `json:"timeoutSec,omitempty"` // lock again after so many seconds; 0: never
}
