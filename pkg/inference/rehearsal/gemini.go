package rehearsal

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// geminiCall is the method of a path of that protocol, models/MODEL:METHOD, with
// the model.
func geminiCall(path string) (model, method string, ok bool) {
	for _, version := range []string{"/v1beta/models/", "/v1/models/"} {
		if call, found := strings.CutPrefix(path, version); found {
			i := strings.LastIndexByte(call, ':')
			if i <= 0 {
				return "", "", false
			}
			return call[:i], call[i+1:], true
		}
	}
	return "", "", false
}

func geminiProtocol(path string) (protocol, bool) {
	model, method, ok := geminiCall(path)
	p := protocol{refuse: refuseGemini, counted: "totalTokens", read: func(body []byte) (*conversation, error) {
		c, err := readGemini(body)
		if err == nil {
			c.Model, c.Stream = model, method == "streamGenerateContent"
		}
		return c, err
	}}
	switch method {
	case "generateContent", "streamGenerateContent":
		p.wire = func(w http.ResponseWriter, c *conversation, cassette string) wire { return newGemini(w, c, cassette) }
	case "countTokens":
	default:
		return p, false
	}
	return p, ok
}

// geminiRequest is what is used of a request. A reader of this protocol takes
// names with underscores, too; agents write them as here.
type geminiRequest struct {
	Contents []struct {
		Role  string       `json:"role"`
		Parts []geminiPart `json:"parts"`
	} `json:"contents"`
	Tools []struct {
		Functions []struct {
			Name       string `json:"name"`
			Parameters schema `json:"parameters"`
			Schema     schema `json:"parametersJsonSchema"`
		} `json:"functionDeclarations"`
	} `json:"tools"`
}

type geminiPart struct {
	Text     string `json:"text"`
	Thought  bool   `json:"thought"`
	Returned *struct {
		Response json.RawMessage `json:"response"`
	} `json:"functionResponse"`
}

// readGemini takes a request of that protocol apart.
func readGemini(body []byte) (*conversation, error) {
	var r geminiRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, errors.New("the request is not JSON of the form that this protocol has")
	}
	c := &conversation{Bytes: len(body), digest: sha256.Sum256(body)}
	for _, t := range r.Tools {
		for _, f := range t.Functions {
			o := offered{Name: f.Name, Properties: f.Schema.Properties}
			if len(o.Properties) == 0 {
				o.Properties = f.Parameters.Properties
			}
			c.Tools = append(c.Tools, o)
		}
	}
	for _, m := range r.Contents {
		if m.Role == "model" {
			continue
		}
		var text []string
		for _, p := range m.Parts {
			switch {
			case p.Returned != nil:
				c.returned(geminiOutput(p.Returned.Response))
			case p.Text != "" && !p.Thought:
				text = append(text, p.Text)
			}
		}
		c.said(strings.Join(text, "\n"))
	}
	if c.Users == 0 && !c.HasResult {
		return nil, errors.New("the request holds no user message")
	}
	return c, nil
}

// geminiOutput is what a function returned: by convention the output or the error
// of its response, else all of it.
func geminiOutput(response json.RawMessage) string {
	var r struct {
		Output *string `json:"output"`
		Error  *string `json:"error"`
	}
	switch err := json.Unmarshal(response, &r); {
	case err == nil && r.Output != nil:
		return *r.Output
	case err == nil && r.Error != nil:
		return "Error: " + *r.Error
	default:
		return string(response)
	}
}

func refuseGemini(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, geminiError(status, message))
}

func geminiError(status int, message string) object {
	name := "INTERNAL"
	switch {
	case status == http.StatusTooManyRequests:
		name = "RESOURCE_EXHAUSTED"
	case status == http.StatusServiceUnavailable:
		name = "UNAVAILABLE"
	case status < http.StatusInternalServerError:
		name = "INVALID_ARGUMENT"
	}
	return object{"error": object{"code": status, "message": message, "status": name}}
}

func newGemini(w http.ResponseWriter, c *conversation, cassette string) *gemini {
	g := &gemini{w: w, head: object{"modelVersion": "rehearsal/" + cassette, "responseId": c.id("", "response")}}
	if c.Stream {
		g.sse = newSSE(w)
	}
	return g
}

// gemini writes an answer: each piece as one of a stream, or all at the end.
type gemini struct {
	w     http.ResponseWriter
	sse   *sse // nil: not streamed
	head  object
	parts []any // that were not sent
}

func (g *gemini) answer(finish string, u *Usage) object {
	candidate := object{"index": 0, "content": object{"role": "model", "parts": g.parts}}
	g.parts = []any{}
	if finish != "" {
		candidate["finishReason"] = finish
	}
	g.head["candidates"] = []any{candidate}
	if u != nil {
		g.head["usageMetadata"] = object{"promptTokenCount": u.Input, "candidatesTokenCount": u.Output, "totalTokenCount": u.Input + u.Output}
	}
	return g.head
}

func (g *gemini) part(p object) error {
	g.parts = append(g.parts, p)
	if g.sse == nil {
		return nil
	}
	return g.sse.send("", g.answer("", nil))
}

func (g *gemini) text(delta string) error { return g.part(object{"text": delta}) }

func (g *gemini) tool(c call) error {
	return g.part(object{"functionCall": object{"id": c.ID, "name": c.Name, "args": c.Arguments}})
}

func (g *gemini) fail(e Error) error {
	if g.sse == nil {
		refuseGemini(g.w, e.Status, e.Message)
		return nil
	}
	return g.sse.send("", geminiError(e.Status, e.Message))
}

func (g *gemini) finish(u Usage, _ bool) error {
	answer := g.answer("STOP", &u)
	if g.sse == nil {
		writeJSON(g.w, http.StatusOK, answer)
		return nil
	}
	return g.sse.send("", answer)
}
