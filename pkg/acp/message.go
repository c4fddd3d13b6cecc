package acp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// What is shown of what an agent says, in bytes.
const (
	maxShown = 512
	maxCause = 4 << 10 // of an error
)

// message is one of JSON-RPC 2.0: a request, a notification or a response.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *refusal        `json:"error,omitempty"`
}

// refusal is the error of a response.
type refusal struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// UnmarshalJSON takes whatever an agent makes of an error: somebody waits for it.
func (r *refusal) UnmarshalJSON(data []byte) error {
	type plain refusal
	var p plain
	if json.Unmarshal(data, &p) != nil && p.Message == "" {
		p = plain{Data: bytes.Clone(data)}
	}
	*r = refusal(p)
	return nil
}

// Error says what the agent says, and of its data what people can read.
func (r *refusal) Error() string {
	text, more := r.Message, r.details()
	switch {
	case text == "" && more == "":
		text = fmt.Sprintf("error %d %s", r.Code, r.Data)
	case text == "":
		text = more
	case !strings.Contains(text, more):
		text += ": " + more
	}
	return shorten(strings.TrimSpace(text), maxCause)
}

func (r *refusal) details() string {
	var s string
	if json.Unmarshal(r.Data, &s) == nil {
		return s
	}
	var d struct {
		Details string `json:"details"`
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	_ = json.Unmarshal(r.Data, &d) // what has another shape says nothing
	return cmp.Or(d.Details, d.Message, d.Error)
}

// outcome is what a response to the call of method came to.
func (m message) outcome(method string) (json.RawMessage, error) {
	if m.Error != nil {
		return nil, fault.Wrap(fault.Failed, "the agent's "+method+" failed", m.Error)
	}
	return m.Result, nil
}

// asks reports whether the message wants an answer.
func (m message) asks() bool { return len(m.ID) > 0 && !bytes.Equal(m.ID, []byte("null")) }

// answerable reports whether a request can be answered: its id is a string or a
// number, and no tale.
func (m message) answerable() bool {
	const most = 256
	id := m.ID
	return len(id) <= most && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9')
}

// shorten is s of at most limit bytes, valid and without a character cut in two.
func shorten(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.ToValidUTF8(s, "")
}
