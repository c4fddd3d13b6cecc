package daemon

import (
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

// exchanges serves what a dispatch sent to models, one JSON document a line. A
// transcript that cannot be read to its end breaks the connection off.
func (s *Server) exchanges(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	d, err := e.Dispatch.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	enc, control := json.NewEncoder(w), http.NewResponseController(w)
	begun := false
	for x, err := range e.Transcripts.Read(r.Context(), d.ID) {
		if err != nil && !begun {
			return err
		}
		if err != nil {
			s.o.Log.ErrorContext(r.Context(), "a transcript cannot be read", "unit", d.ID, "error", err)
			panic(http.ErrAbortHandler) // how a handler breaks its connection; the server takes it
		}
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("Cache-Control", "no-store")
			begun = true
		}
		err = enc.Encode(exchangeLine(x))
		if err == nil {
			err = control.Flush()
		}
		if err != nil {
			return nil // the client is gone
		}
	}
	if !begun {
		w.Header().Set("Content-Type", "application/x-ndjson") // of no lines
	}
	return nil
}

// exchangeLine renders one exchange.
func exchangeLine(x transcript.Exchange) api.Exchange {
	line := api.Exchange{
		Number: x.Number, Turn: x.Turn, Provider: x.Provider, Model: x.Model, Protocol: x.Protocol, Client: x.Client, URL: x.URL, Headers: x.Headers,
		Outcome: x.Ended.Outcome, Status: x.Ended.Status, Error: x.Ended.Error, Attempts: []api.Attempt{},
		InputTokens: x.Ended.InputTokens, OutputTokens: x.Ended.OutputTokens, Estimated: x.Ended.Estimated,
		Request: exchangeBody(x.Request), Answer: exchangeBody(x.Answer), Reply: reply(x),
	}
	for _, a := range x.Attempts {
		line.Attempts = append(line.Attempts, api.Attempt{At: a.At, Status: a.Status, Error: a.Error})
	}
	if len(x.Attempts) > 0 {
		line.SentAt = x.Attempts[0].At
	}
	if !x.EndedAt.IsZero() {
		line.EndedAt = new(x.EndedAt.Round(time.Millisecond))
	}
	return line
}

func exchangeBody(b transcript.Body) api.ExchangeBody {
	out := api.ExchangeBody{Bytes: b.Bytes, Cut: b.Cut, Redacted: b.Redacted}
	if utf8.Valid(b.Data) {
		out.Text = string(b.Data)
	} else {
		out.Base64 = b.Data
	}
	return out
}

// reply reads what an answer says, as far as that goes: what is recorded of one
// that broke off, or of a protocol that is not read here, is in its text.
func reply(x transcript.Exchange) []api.ReplyPart {
	parts := []api.ReplyPart{}
	answer, err := translate.Read(inference.Protocol(x.Protocol), x.Answer.Data)
	if err != nil && len(answer.Items) == 0 {
		return parts
	}
	for _, item := range answer.Items {
		part := api.ReplyPart{Kind: string(item.Kind), Text: item.Text}
		if item.Kind == translate.Call {
			part.Tool, part.Text = item.Call.Name, item.Call.Arguments
		}
		if part.Text != "" || part.Tool != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

func (s *Server) showRecording(w http.ResponseWriter, _ *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	on, err := e.Recording.On()
	if err != nil {
		return fault.Wrap(fault.Failed, "nothing is sent to models", err) // which is no fault of who asks
	}
	unixhttp.WriteJSON(w, http.StatusOK, api.Recording{Inference: on})
	return nil
}

// setRecording switches the recording. Who did it when is in the audit log before
// it is done.
func (s *Server) setRecording(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req struct {
		Inference *bool `json:"inference"`
	}
	if err := decode(r, &req); err != nil {
		return err
	}
	if req.Inference == nil {
		return fault.New(fault.Invalid, "inference is neither true nor false", "")
	}
	action := "record-off"
	if *req.Inference {
		action = "record-on"
	}
	if err := e.Audit.Record(r.Context(), audit.Event{
		Subject: s.o.Caller.Subject, Launcher: s.o.Caller.Launcher, Boundary: audit.Inference, Action: action, Effect: audit.Allow,
	}); err != nil {
		return err
	}
	if err := e.Recording.Set(*req.Inference); err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, api.Recording{Inference: *req.Inference})
	return nil
}
