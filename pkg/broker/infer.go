package broker

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/identity"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/translate"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

// api is one path of a protocol.
type api struct {
	action   string // in the audit log
	protocol inference.Protocol
	path     string // below the API's version
	metered  bool   // it uses tokens
	model    string // where the path names it and not the body
	stream   bool   // where the path says that the answer is one, and not the body
}

// The served paths that lead to a provider.
//
//nolint:gochecknoglobals // constants; Go has none of this type
var (
	anthropicMessages = api{action: "messages", protocol: inference.AnthropicMessages, path: "messages", metered: true}
	anthropicCount    = api{action: "count-tokens", protocol: inference.AnthropicMessages, path: "messages/count_tokens"}
	openAIResponses   = api{action: "responses", protocol: inference.OpenAIResponses, path: "responses", metered: true}
	openAIChat        = api{action: "chat-completions", protocol: inference.OpenAIChat, path: "chat/completions", metered: true}
)

// exchange is one request on its way through.
type exchange struct {
	socket      *Socket
	large       bool // it holds one of socket.large
	api         api
	in          *http.Request
	began       time.Time
	request     *parsed
	provider    inference.Provider     // as it is asked
	spoken      inference.Protocol     // with the provider
	model       string                 // the provider's name for it
	path        string                 // below the API's version, as it is sent
	plain       []byte                 // the body to send
	body        []byte                 // as it is sent: as the model wants it
	adaptation  inference.Adaptation   // how that differs
	outworn     []inference.Adaptation // forms that the provider has refused
	translation *translate.Translation // nil where the provider speaks the client's protocol
	counted     bool                   // it is answered by an estimate of our own
	key         []byte
	size        int   // of the body as it came
	failed      error // why a translated answer broke, as the provider says
	foreign     int   // pieces of reasoning that were left out, as another provider's
	attempts    int
	reached     atomic.Bool // the provider has had the whole request of this attempt
	lost        int64       // attempts that it has had and that were not answered
	status      int         // of the provider's answer; 0 where there was none
	why         string      // the last attempt failed, safe to show
	tally       tally
	recording   *transcript.Recording // nil where nothing is recorded
}

// rejected is a request that is answered by us alone.
type rejected struct {
	denial  Denial
	message string
}

// Error returns the message.
func (r *rejected) Error() string { return r.message }

// infer serves one API. A request that the end of the socket cuts off gets no
// answer but a broken connection, so that a client asks the next broker.
func (s *Socket) infer(a api) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.serveInference(a, w, r)
		if r.Context().Err() != nil || !s.live() {
			panic(http.ErrAbortHandler) // how a handler breaks its connection; the server takes it
		}
	}
}

func (s *Socket) serveInference(a api, w http.ResponseWriter, r *http.Request) {
	claims, err := s.verify(r, identityv1.AudienceBroker)
	if err != nil {
		s.refuseToken(w, r, audit.Inference, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.broker.opts.Timeouts.Total)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		writeError(w, http.StatusBadRequest, "too many requests of this dispatch are under way")
		return
	}
	x := &exchange{socket: s, api: a, in: r, path: a.path, began: s.broker.opts.Now()}
	defer x.done()
	release, err := x.prepare(ctx, w, claims)
	if err != nil {
		x.reject(ctx, w, err)
		return
	}
	defer release()
	if x.counted {
		x.count(ctx, w)
		return
	}
	x.adapt()
	if err := x.transcribe(ctx); err != nil {
		x.reject(ctx, w, err)
		return
	}
	x.run(ctx, w)
}

// prepare decides whether the request may go on, and makes it ready. After nil
// the caller calls release.
func (x *exchange) prepare(ctx context.Context, w http.ResponseWriter, claims identityv1.DispatchToken) (release func(), err error) {
	s, opts := x.socket, x.socket.broker.opts
	body, err := x.read(ctx, w)
	if err != nil {
		return nil, err
	}
	x.size = len(body)
	if x.request, err = parseRequest(body, x.api.model); err != nil {
		return nil, &rejected{DeniedRequest, err.Error()}
	}
	if !identity.AllowsModel(claims, x.request.model) {
		granted := strings.Join(identity.Models(claims), ", ")
		return nil, &rejected{DeniedModel, fmt.Sprintf("model %.200q is not granted to this dispatch; it has %s", x.request.model, orNone(granted))}
	}
	if x.provider, x.model, err = opts.Providers.Resolve(x.request.model); err != nil {
		return nil, &rejected{DeniedModel, err.Error()}
	}
	if err := x.request.egress(x.api.protocol); err != nil {
		return nil, &rejected{DeniedEgress, err.Error()}
	}
	if x.key, err = opts.Providers.Key(x.provider.Name); err != nil {
		return nil, &rejected{DeniedRequest, err.Error()}
	}
	if err := x.address(body); err != nil {
		return nil, err
	}
	_, priced := x.provider.Price(x.model)
	estimate := int64(0)
	if x.api.metered {
		estimate = int64(len(body)) / bytesPerToken
	}
	release, over := s.meter.admit(estimate, priced)
	if over != nil {
		return nil, &rejected{over.reason, over.msg}
	}
	return release, nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// largeRequest is the size of a body, in bytes, beyond which only a few are
// taken in at once: each is held whole, and more than once.
const largeRequest = 4 << 20

// done gives back what the exchange held.
func (x *exchange) done() {
	if x.large {
		<-x.socket.large
	}
}

// read takes the body, within its limits of size and time. A large one waits
// for its turn with the rest still unread.
func (x *exchange) read(ctx context.Context, w http.ResponseWriter) ([]byte, error) {
	opts := x.socket.broker.opts
	if x.in.ContentLength > opts.Rates.RequestBytes { // it need not be waited for
		return nil, tooMany(opts.Rates.RequestBytes)
	}
	control := http.NewResponseController(w)
	in := http.MaxBytesReader(w, x.in.Body, opts.Rates.RequestBytes)
	var body bytes.Buffer
	const most = 1 << 20 // of what is set aside on the client's word
	body.Grow(int(min(max(x.in.ContentLength, 0)+bytes.MinRead, most)))
	// A deadline that were left standing would look like a client that hangs up.
	if err := control.SetReadDeadline(time.Now().Add(opts.Timeouts.Idle)); err != nil {
		return nil, err
	}
	n, err := body.ReadFrom(io.LimitReader(in, largeRequest))
	if err == nil && n == largeRequest {
		select {
		case x.socket.large <- struct{}{}:
			x.large = true
		case <-ctx.Done():
			return nil, &rejected{DeniedRate, "too many large requests of this dispatch are under way"}
		}
		if err := control.SetReadDeadline(time.Now().Add(opts.Timeouts.Idle)); err != nil {
			return nil, err
		}
		_, err = body.ReadFrom(in)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, tooMany(tooLarge.Limit)
	case err != nil:
		return nil, &rejected{DeniedRequest, "the request did not arrive whole"}
	}
	return body.Bytes(), control.SetReadDeadline(time.Time{})
}

func tooMany(limit int64) error {
	return &rejected{DeniedRate, fmt.Sprintf("the request is larger than %d bytes", limit)}
}

// reject answers a request that goes no further.
func (x *exchange) reject(ctx context.Context, w http.ResponseWriter, err error) {
	var r *rejected
	if !errors.As(err, &r) {
		r = &rejected{DeniedRequest, "the broker failed"}
		x.socket.log.ErrorContext(ctx, "an inference request failed", "error", err)
	}
	x.socket.deny(ctx, r.denial, refusal{audit.Inference, x.api.action, r.message})
	x.refuse(w, r.message)
}

// refuse answers with an error, after which no agent tries again.
func (x *exchange) refuse(w http.ResponseWriter, message string) {
	if x.api.protocol == inference.Gemini {
		writeGeminiError(w, message)
		return
	}
	writeError(w, http.StatusBadRequest, message)
}

// run sends the request, passes the answer on and accounts for it.
func (x *exchange) run(ctx context.Context, w http.ResponseWriter) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := newWatchdog(x.socket.broker.opts.Timeouts.Idle, func() { cancel(errIdle) })
	defer idle.stop()
	outcome := "answered"
	resp, err := x.ask(ctx, idle)
	switch {
	case err == nil && x.translation != nil:
		err = x.relayTranslated(ctx, w, resp, idle)
	case err == nil:
		err = x.relay(ctx, w, resp, idle)
	case x.in.Context().Err() == nil:
		x.refuse(w, err.Error())
	}
	if resp != nil {
		_ = resp.Body.Close() // it was read as far as it will be
	}
	switch {
	case err == nil: // a client may hang up as soon as it has the last event
		x.why = ""
	case x.in.Context().Err() != nil:
		outcome = "client-gone"
	default:
		outcome = "failed"
		x.why = cmp.Or(x.why, x.redact(err.Error()))
		x.socket.log.WarnContext(ctx, "an inference request failed", "provider", x.provider.Name, "status", x.status, "error", err)
	}
	x.account(ctx, outcome)
}

// account meters the request, tells the owner and writes its audit record.
func (x *exchange) account(ctx context.Context, outcome string) {
	s := x.socket
	detail := map[string]string{
		"model":    x.provider.FullName(x.model),
		"provider": x.provider.Name,
		"status":   strconv.Itoa(x.status),
		"outcome":  outcome,
		"attempts": strconv.Itoa(x.attempts),
		"ms":       strconv.FormatInt(s.broker.opts.Now().Sub(x.began).Milliseconds(), 10),
	}
	var used spent
	if x.api.metered {
		if x.status >= 200 && x.status < 300 {
			used = x.tally.result(len(x.body))
		}
		if x.lost > 0 {
			used.Input += x.lost * int64(len(x.body)) / bytesPerToken
			used.Estimated = true
		}
		price, priced := x.provider.Price(x.model)
		turn, unit := s.meter.settle(used, x.request.model, price, priced)
		detail["inputTokens"] = strconv.FormatInt(used.Input, 10)
		detail["outputTokens"] = strconv.FormatInt(used.Output, 10)
		if used.Estimated {
			detail["estimated"] = "true"
		}
		if s.live() {
			s.session.Events.Usage(turn, unit)
		}
	}
	if x.translation != nil {
		detail["translated"] = string(x.provider.Protocol)
		if lost := dropped(x.translation.Lost()); lost != "" {
			detail["dropped"] = lost
		}
	}
	if x.foreign > 0 {
		detail["dropped"] = "reasoning"
	}
	if adapted := x.adapted(); adapted != "" {
		detail["adapted"] = adapted
	}
	x.recordEnd(ctx, outcome, used)
	if n := x.recording.Number(); n > 0 {
		detail["recorded"] = strconv.Itoa(n)
	}
	s.record(ctx, audit.Event{Boundary: audit.Inference, Action: x.api.action, Effect: audit.Allow, Detail: detail})
}
