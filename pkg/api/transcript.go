package api

import "time"

// Exchange is one line of GET /v1/dispatches/{id}/inference: a request that was
// sent to a model's provider, and what came back.
type Exchange struct {
	Number   int    `json:"number"` // in the dispatch, from 1; one that is missing is not kept any more or was not sent
	Turn     string `json:"turn"`
	Provider string `json:"provider"`
	Model    string `json:"model"`    // the provider's name for it
	Protocol string `json:"protocol"` // that it was sent in
	Client   string `json:"client"`   // that the agent spoke; another one where it was translated
	URL      string `json:"url"`

	Headers map[string]string `json:"headers,omitempty"` // that the agent chose

	SentAt       time.Time    `json:"sentAt"`
	EndedAt      *time.Time   `json:"endedAt"` // null: it is under way, or the daemon ended first
	Outcome      string       `json:"outcome"` // answered, failed, client-gone; empty: nothing says
	Status       int          `json:"status"`  // of the last attempt; 0: no answer
	Error        string       `json:"error"`
	Attempts     []Attempt    `json:"attempts"`
	InputTokens  int64        `json:"inputTokens"`
	OutputTokens int64        `json:"outputTokens"`
	Estimated    bool         `json:"estimated"` // the provider did not say how many
	Request      ExchangeBody `json:"request"`
	Answer       ExchangeBody `json:"answer"`
	Reply        []ReplyPart  `json:"reply"` // what the answer says, as far as it can be read
}

// Attempt is one time that a request was sent.
type Attempt struct {
	At     time.Time `json:"at"`
	Status int       `json:"status"` // 0: no answer
	Error  string    `json:"error"`
}

// ExchangeBody is a body as it was sent.
type ExchangeBody struct {
	Bytes    int64  `json:"bytes"`            // how many there were
	Cut      bool   `json:"cut"`              // not all of them are kept
	Redacted bool   `json:"redacted"`         // the provider's key was in it and is left out
	Text     string `json:"text"`             // empty where Base64 is not
	Base64   []byte `json:"base64,omitempty"` // what is kept, where it is no text
}

// ReplyPart is a piece of what a model said.
type ReplyPart struct {
	Kind string `json:"kind"` // text, reasoning, call
	Text string `json:"text"` // of a call its arguments
	Tool string `json:"tool"` // of a call
}

// Recording is what is recorded of the installation: GET and PUT /v1/recording.
type Recording struct {
	Inference bool `json:"inference"` // what is sent to models, from the next request on
}
