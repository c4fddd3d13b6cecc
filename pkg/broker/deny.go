package broker

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/identity"
	"github.com/vexa-ai/vexa/pkg/link"
)

// verify returns the claims of the request's token for the audience.
func (s *Socket) verify(r *http.Request, audience string) (identityv1.DispatchToken, error) {
	return s.broker.opts.Verifier.Verify(bearer(r), audience, s.session.Unit.ID)
}

// bearer returns the token of a request, as any protocol's clients send it.
func bearer(r *http.Request) string {
	for _, name := range []string{"X-Api-Key", "X-Goog-Api-Key"} {
		if key := r.Header.Get(name); key != "" {
			return key
		}
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// refuseToken answers a request whose token does not hold: 403 where it is a
// good token for something else, 401 where it is none.
func (s *Socket) refuseToken(w http.ResponseWriter, r *http.Request, boundary audit.Boundary, err error) {
	reason := identity.ReasonOf(err)
	status := http.StatusUnauthorized
	switch reason {
	case identity.WrongUnit, identity.WrongAudience, identity.WrongIssuer:
		status = http.StatusForbidden
	default:
	}
	action := "request"
	if r.URL.Path == link.Path {
		action = "link"
	}
	s.deny(r.Context(), DeniedToken, refusal{boundary, action, string(reason)})
	writeError(w, status, "the dispatch token was refused: "+string(reason))
}

// refusal is one denial: where, of what, and why.
type refusal struct {
	boundary audit.Boundary
	action   string
	detail   string
}

// deny records a refusal and tells the owner. A container that causes very many
// has the rest counted instead, so that it cannot fill the logs; what ends it is
// told in any case.
func (s *Socket) deny(ctx context.Context, reason Denial, d refusal) {
	ok, missed := s.denials.take()
	if !ok && reason != DeniedReport && reason != DeniedFlood {
		return
	}
	if s.live() {
		s.session.Events.Denied(reason, d.detail)
	}
	detail := map[string]string{"detail": d.detail}
	if missed > 0 {
		detail["unrecorded"] = strconv.Itoa(missed)
	}
	s.record(ctx, audit.Event{
		Boundary: d.boundary, Action: d.action, Effect: audit.Deny, Reason: string(reason), Detail: detail,
	})
}

// record appends to the audit log in the name of this dispatch and its turn,
// also where the client has gone meanwhile. It takes e.Detail over.
func (s *Socket) record(ctx context.Context, e audit.Event) {
	u := s.session.Unit
	e.Unit, e.Subject, e.Launcher = u.ID, u.Identity.Subject, u.Identity.Launcher
	s.mu.Lock()
	if s.turn != "" {
		e.Detail["turn"] = s.turn
	}
	s.mu.Unlock()
	if err := s.broker.opts.Audit.Record(context.WithoutCancel(ctx), e); err != nil {
		s.log.ErrorContext(ctx, "an audit record was lost", "action", e.Action, "error", err)
	}
}

// writeError answers with an error that clients of every protocol understand:
// anthropic-messages reads type and error.type, the others error alone.
func writeError(w http.ResponseWriter, status int, message string) {
	kind := "invalid_request_error"
	switch status {
	case http.StatusUnauthorized:
		kind = "authentication_error"
	case http.StatusForbidden:
		kind = "permission_error"
	case http.StatusNotFound:
		kind = "not_found_error"
	}
	body, err := json.Marshal(errorBody{
		Type: "error", Error: errorDetail{Type: kind, Message: "vexa: " + message},
	})
	if err != nil {
		body = []byte(`{"type":"error"}`) // two strings can be encoded
	}
	sendError(w, status, body)
}

func sendError(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Should-Retry", "false") // the vendors' client libraries obey it
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that has gone is not told
}

// errorBody is the body of a refusal.
type errorBody struct {
	Type  string      `json:"type"`
	Error errorDetail `json:"error"`
}

// errorDetail is what went wrong. Param and Code belong to the OpenAI protocols.
type errorDetail struct {
	Type    string  `json:"type"`
	Message string  `json:"message"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}
