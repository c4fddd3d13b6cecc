package acp

import (
	"bytes"
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
	text := r.Message
	if text == "" {
		text = fmt.Sprintf("error %d", r.Code)
	}
	if more := r.details(); more != "" && !strings.Contains(text, more) {
		text += ": " + more
	}
	return shorten(text, maxCause)
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
	if json.Unmarshal(r.Data, &d) == nil {
		for _, s := range []string{d.Details, d.Message, d.Error} {
			if s != "" {
				return s
			}
		}
	}
	return string(r.Data)
}

// outcome is what a response to the call of method came to.
func (m message) outcome(method string) (json.RawMessage, error) {
	if m.Error != nil {
		return nil, fault.Wrap(fault.Failed, "the agent refuses "+method, m.Error)
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
