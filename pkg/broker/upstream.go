package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/internal/sleep"
)

var errIdle = errors.New("the provider was silent for too long")

// ask sends the request until the provider answers with success, for good, or
// often enough. What it returns is a success; an error is safe to show.
func (x *exchange) ask(ctx context.Context, idle *watchdog) (*http.Response, error) {
	waits := x.socket.broker.opts.Timeouts.Retry
	for failed, repeated := 0, false; ; {
		if repeated {
			if err := x.again(ctx); err != nil {
				return nil, err
			}
		}
		resp, a := x.attempt(ctx, idle)
		if a == nil {
			return x.acceptable(resp)
		}
		if a.adapted {
			if err := x.anew(ctx); err != nil {
				return nil, err
			}
			repeated = false
			continue
		}
		x.why, repeated = a.failure.Error(), true
		if failed++; !a.retry || failed > len(waits) {
			return nil, a.failure
		}
		//nolint:gosec // it keeps clients apart from each other and secures nothing
		wait := backoff(waits[failed-1], a.after, rand.Float64())
		if err := sleep.For(ctx, wait); err != nil {
			return nil, a.failure
		}
	}
}

// missed is an attempt that was not answered with success.
type missed struct {
	adapted bool // there is another form of the request, which the provider may take
	failure error
	retry   bool
	after   time.Duration // that the provider asks for
}

// attempt sends the request once.
func (x *exchange) attempt(ctx context.Context, idle *watchdog) (*http.Response, *missed) {
	x.attempts++
	idle.touch()
	resp, err := x.send(x.traced(ctx))
	if err == nil && resp.StatusCode >= 200 && resp.StatusCode < 300 {
		if err = firstByte(resp, idle); err == nil {
			x.remember()
			x.tee(ctx, resp)
			return resp, nil
		}
		x.status = 0 // it said nothing
	}
	if err != nil {
		x.lose()
		return nil, &missed{failure: x.unreachable(ctx, err), retry: ctx.Err() == nil}
	}
	refusal := inference.ReadRefusal(resp.Body)
	_ = resp.Body.Close() // it was read as far as it will be
	x.recordRefusal(ctx, resp.StatusCode, refusal)
	if ctx.Err() == nil && x.adaptTo(ctx, resp.StatusCode, refusal) {
		return nil, &missed{adapted: true}
	}
	m := &missed{failure: x.failure(resp.StatusCode, refusal)}
	m.retry, m.after = retryable(resp, x.socket.broker.opts.Now())
	return nil, m
}

// traced has an attempt's context tell when the request has reached the provider.
func (x *exchange) traced(ctx context.Context) context.Context {
	x.reached.Store(false)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(info httptrace.WroteRequestInfo) {
		if info.Err == nil {
			x.reached.Store(true)
		}
	}})
}

// lose counts an attempt that the provider has had and nobody has an answer to,
// since the connection broke or the client has hung up: it may be charged.
func (x *exchange) lose() {
	if x.reached.Load() {
		x.lost++
	}
}

// acceptable refuses a success that could not be read as it passes.
func (x *exchange) acceptable(resp *http.Response) (*http.Response, error) {
	if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		_ = resp.Body.Close() // it is not used
		return nil, fmt.Errorf("provider %s answered with encoding %.32q, which nobody asked for", x.provider.Name, e)
	}
	return resp, nil
}

// url is where the request is sent.
func (x *exchange) url() string {
	url := x.provider.Endpoint(x.path)
	if x.translation == nil && x.api.protocol == inference.AnthropicMessages && x.in.URL.Query().Get("beta") == "true" {
		url += "?beta=true"
	}
	return url
}

func (x *exchange) send(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.url(), bytes.NewReader(x.body))
	if err != nil {
		return nil, err
	}
	x.header(req.Header)
	resp, err := x.socket.broker.opts.Upstream.Do(req, x.provider)
	x.status = 0
	if err == nil {
		x.status = resp.StatusCode
	}
	return resp, err
}

func (x *exchange) unreachable(ctx context.Context, err error) error {
	level := slog.LevelWarn
	if x.in.Context().Err() != nil {
		level = slog.LevelDebug // nobody waits for it any more
	}
	x.socket.log.Log(ctx, level, "a provider did not answer", "provider", x.provider.Name, "attempt", x.attempts, "error", err)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errIdle):
		return fmt.Errorf("provider %s did not answer in time", x.provider.Name)
	case errors.Is(cause, context.DeadlineExceeded):
		return fmt.Errorf("the request took too long")
	default:
		return fmt.Errorf("provider %s cannot be reached", x.provider.Name)
	}
}

// failure says what a provider's error means to the person. Where the provider
// may repeat the key in its text, the text is left out.
func (x *exchange) failure(status int, refusal []byte) error {
	name := x.provider.Name
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("provider %s refuses its key (HTTP %d); try vexa model test %s", name, status, name)
	case status >= 300 && status < 400:
		return fmt.Errorf("provider %s answers with a redirect (HTTP %d); is its URL right?", name, status)
	}
	text := x.redact(inference.ErrorText(refusal))
	if text != "" {
		text = ": " + text
	}
	switch {
	case status == http.StatusNotFound:
		return fmt.Errorf("provider %s does not know the model %s or the path %s (HTTP 404)%s", name, x.model, x.path, text)
	case status == http.StatusTooManyRequests:
		return fmt.Errorf("provider %s has had too many requests (HTTP 429)%s", name, text)
	case status >= http.StatusInternalServerError:
		return fmt.Errorf("provider %s failed (HTTP %d)%s", name, status, text)
	default:
		return fmt.Errorf("provider %s refuses the request (HTTP %d)%s", name, status, text)
	}
}

func (x *exchange) redact(s string) string { return inference.Redact(s, x.key) }

// watchdog calls a function when it was not touched for a while.
type watchdog struct {
	timer *time.Timer
	after time.Duration
}

func newWatchdog(after time.Duration, bark func()) *watchdog {
	return &watchdog{time.AfterFunc(after, bark), after}
}

func (d *watchdog) touch() { d.timer.Reset(d.after) }

func (d *watchdog) stop() { d.timer.Stop() }
