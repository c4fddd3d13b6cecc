package rehearsal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// conversation is what a request says, whatever its protocol.
type conversation struct {
	Model        string
	Stream       bool
	IncludeUsage bool // openai-chat streams only
	Tools        []offered
	LastUser     string // latest user message
	PreviousUser string // the one before
	Users        int    // user messages
	ToolResult   string // latest, where it came after the latest user message
	HasResult    bool
	Bytes        int // of the request
	digest       [sha256.Size]byte
}

// offered is a tool of the request.
type offered struct {
	Name       string
	Properties map[string]json.RawMessage // of its input; empty: not said
}

// id makes an identifier that is the same for the same request, and another for
// any other: agents take a repeated id for a repeated call.
func (c *conversation) id(prefix, what string) string {
	sum := sha256.Sum256(append(c.digest[:], what...))
	return prefix + hex.EncodeToString(sum[:12])
}

// tool is the first of the names that is offered. One that ends in * stands for any
// that begins so: some agents put a hash behind a name.
func (c *conversation) tool(names []string) (offered, bool) {
	for _, name := range names {
		prefix, more := strings.CutSuffix(name, "*")
		for _, t := range c.Tools {
			if t.Name == name || more && strings.HasPrefix(t.Name, prefix) {
				return t, true
			}
		}
	}
	return offered{}, false
}

// reminder is what agent CLIs put into a user's message, or send as one, that the person
// did not write.
var reminder = textform.Regexp(`(?s)<system-reminder>.*?</system-reminder>|<environment_context>.*?</environment_context>|<session_context>.*?</session_context>`)

func (c *conversation) said(text string) {
	text = strings.TrimSpace(reminder.ReplaceAllString(text, ""))
	if text == "" {
		return
	}
	c.PreviousUser, c.LastUser = c.LastUser, text
	c.Users++
	c.ToolResult, c.HasResult = "", false
}

func (c *conversation) returned(text string) {
	c.ToolResult, c.HasResult = text, true
}

type schema struct {
	Properties map[string]json.RawMessage `json:"properties"`
}

// block is a piece of content in either protocol.
type block struct {
	Type    string  `json:"type"`
	Text    string  `json:"text"`
	Content content `json:"content"` // of a tool result
}

// content is a string, null or a list of blocks.
type content struct {
	Blocks []block
}

// UnmarshalJSON reads the three forms.
func (c *content) UnmarshalJSON(data []byte) error {
	switch {
	case len(data) == 0 || string(data) == "null":
		return nil
	case data[0] == '"':
		var s string
		err := json.Unmarshal(data, &s)
		c.Blocks = []block{{Type: "text", Text: s}}
		return err
	default:
		return json.Unmarshal(data, &c.Blocks)
	}
}

func (c content) text() string {
	var parts []string
	for _, b := range c.Blocks {
		if b.Type == "text" {
			parts = append(parts, b.Text)
		}
	}
	return strings.Join(parts, "\n")
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

type request struct {
	Model         string    `json:"model"`
	Stream        bool      `json:"stream"`
	Messages      []message `json:"messages"`
	Tools         []tool    `json:"tools"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type tool struct {
	Name        string `json:"name"` // anthropic-messages
	InputSchema schema `json:"input_schema"`
	Function    struct {
		Name       string `json:"name"` // openai-chat
		Parameters schema `json:"parameters"`
	} `json:"function"`
}

// read takes a request of anthropic-messages or openai-chat apart.
func read(body []byte) (*conversation, error) {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, errors.New("the request is not JSON of the form that this protocol has")
	}
	c := &conversation{
		Model: r.Model, Stream: r.Stream, IncludeUsage: r.StreamOptions.IncludeUsage,
		Bytes: len(body), digest: sha256.Sum256(body),
	}
	for _, t := range r.Tools {
		o := offered{Name: t.Name, Properties: t.InputSchema.Properties}
		if o.Name == "" {
			o = offered{Name: t.Function.Name, Properties: t.Function.Parameters.Properties}
		}
		c.Tools = append(c.Tools, o)
	}
	for _, m := range r.Messages {
		c.add(m)
	}
	if c.Users == 0 && !c.HasResult {
		return nil, errors.New("the request holds no user message")
	}
	return c, nil
}

func (c *conversation) add(m message) {
	switch m.Role {
	case "tool":
		c.returned(m.Content.text())
	case "user":
		var text []string
		for _, b := range m.Content.Blocks {
			switch b.Type {
			case "tool_result":
				c.returned(b.Content.text())
			case "text":
				text = append(text, b.Text)
			}
		}
		c.said(strings.Join(text, "\n"))
	}
}
