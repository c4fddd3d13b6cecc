package clienttest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
)

// exchange is what the parrot's model was asked. A message with the word refused
// is one that a second attempt got no answer to either; one with lost is under
// way for ever; one with gap is the third after one that was recorded.
func exchange(number int, turn, text string) api.Exchange {
	if strings.Contains(text, "gap") {
		number += 2
	}
	asked, err := json.Marshal(map[string]any{"messages": []any{map[string]string{"role": "user", "content": text}}, "model": "parrot" + Hostile, "tools": []any{}})
	if err != nil {
		panic(err) // texts can be encoded
	}
	ended := Epoch().Add(1234 * time.Millisecond)
	x := api.Exchange{
		Number: number, Turn: turn, Provider: "zoo", Model: "parrot", Protocol: "openai-chat", Client: "anthropic-messages", URL: "https://zoo.example/v1/chat/completions",
		SentAt: Epoch(), EndedAt: &ended, Outcome: "answered", Status: http.StatusOK, Attempts: []api.Attempt{{At: Epoch(), Status: http.StatusOK}},
		InputTokens: 100, OutputTokens: 20, Request: api.ExchangeBody{Bytes: int64(len(asked)), Text: string(asked)},
		Answer: api.ExchangeBody{Bytes: 4000, Cut: true, Redacted: true, Text: "data: {"},
		Reply:  []api.ReplyPart{{Kind: "text", Text: "you said:\n" + text + Hostile}, {Kind: "call", Tool: "write", Text: `{"path":"note.md"}`}},
	}
	switch {
	case strings.Contains(text, "refused"):
		x.Outcome, x.Status, x.Error, x.InputTokens, x.OutputTokens, x.Reply = "failed", http.StatusServiceUnavailable, "provider zoo failed (HTTP 503): "+Hostile, 0, 0, nil
		x.Attempts = []api.Attempt{{At: Epoch(), Error: "provider zoo cannot be reached"}, {At: ended, Status: x.Status, Error: x.Error}}
		x.Answer = api.ExchangeBody{Bytes: 8, Text: "Overload"}
	case strings.Contains(text, "lost"):
		x.Outcome, x.Status, x.EndedAt, x.InputTokens, x.OutputTokens, x.Reply, x.Answer = "", 0, nil, 0, 0, nil, api.ExchangeBody{}
	}
	return x
}

func routeTranscripts(mux *http.ServeMux, d *Daemon) {
	mux.HandleFunc("GET /v1/dispatches/{id}/inference", func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		u, err := d.find(r.PathValue("id"))
		if err != nil {
			answer(w, 0, nil, err)
			return
		}
		enc := json.NewEncoder(w)
		for _, x := range u.sent {
			if err := enc.Encode(x); err != nil {
				panic(err) // it goes to memory first
			}
			if strings.Contains(x.Request.Text, "break") {
				_ = http.NewResponseController(w).Flush() // the client has the one before it breaks
				panic(http.ErrAbortHandler)
			}
		}
	})
	mux.HandleFunc("GET /v1/recording", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		answer(w, http.StatusOK, api.Recording{Inference: d.recording}, nil)
	})
	mux.HandleFunc("PUT /v1/recording", func(w http.ResponseWriter, r *http.Request) {
		req, err := body[api.Recording](r)
		d.mu.Lock()
		defer d.mu.Unlock()
		if err == nil {
			d.recording = req.Inference
		}
		answer(w, http.StatusOK, req, err)
	})
}
