package broker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

// Transcripts keep what is sent to providers and what comes back, where the
// person wants that; *transcript.Log is one.
type Transcripts interface {
	Writer(unit string) *transcript.Writer
}

// transcribe records the request that is about to be sent. What cannot be
// recorded is not sent.
func (x *exchange) transcribe(ctx context.Context) error {
	var err error
	x.recording, err = x.socket.transcript.Begin(ctx, transcript.Sent{
		Turn: x.socket.turnNow(), Provider: x.provider.Name, Model: x.model, Protocol: string(x.spoken), Client: string(x.api.protocol),
		URL: x.url(), Headers: x.passed(), Body: x.body, Secret: x.key,
	})
	if err != nil {
		return &rejected{DeniedRecord, x.unrecorded(ctx, err)}
	}
	return nil
}

// again records that the request is about to be sent once more, and how the
// attempt before ended.
func (x *exchange) again(ctx context.Context) error {
	err := x.recording.Again(ctx, transcript.Attempt{Status: x.status, Error: x.why})
	x.why = ""
	if err != nil {
		x.why = x.unrecorded(ctx, err)
		return errors.New(x.why)
	}
	return nil
}

// anew records that the request is about to be sent in another form, as a request of
// its own: the provider has had the one before, and refused it.
func (x *exchange) anew(ctx context.Context) error {
	x.why = "refused as it was; sent again without what the provider does not take"
	x.recordEnd(ctx, "refused", spent{})
	if err := x.transcribe(ctx); err != nil {
		x.why = err.Error()
		return err
	}
	x.why = ""
	return nil
}

// recordRefusal records what a provider says with an error. Where that may repeat the
// key it is left out.
func (x *exchange) recordRefusal(ctx context.Context, status int, said []byte) {
	if status == http.StatusUnauthorized || status == http.StatusForbidden || status < http.StatusBadRequest {
		return
	}
	x.recording.Answer(ctx, []byte(inference.HideKey(string(said), x.key)))
}

// unrecorded says why a request is not sent. The agent reads it too, so that it
// names nothing of the host's; the log has all of it.
func (x *exchange) unrecorded(ctx context.Context, err error) string {
	x.socket.log.ErrorContext(ctx, "an inference request was not sent, since it could not be recorded", "error", err)
	why := "vexa daemon logs says why"
	errno, known := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, transcript.ErrFull):
		why = transcript.ErrFull.Error()
	case errors.Is(err, transcript.ErrSetting):
		why = transcript.ErrSetting.Error()
	case known:
		why = errno.Error()
	}
	return "not sent: what goes to models is recorded here, and this cannot be: " + why
}

// tee has the answer recorded as it is read.
func (x *exchange) tee(ctx context.Context, resp *http.Response) {
	if x.recording != nil {
		resp.Body = &recorded{resp.Body, ctx, x.recording}
	}
}

// recorded records an answer as it is read.
type recorded struct {
	io.ReadCloser
	ctx       context.Context //nolint:containedctx // of the request whose answer it is
	recording *transcript.Recording
}

// Read reads and records.
func (r *recorded) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.recording.Answer(r.ctx, p[:n])
	return n, err
}

// recordEnd records how the request ended. The answer has been passed on by then.
func (x *exchange) recordEnd(ctx context.Context, outcome string, used spent) {
	err := x.recording.End(context.WithoutCancel(ctx), transcript.Ended{
		Outcome: outcome, Status: x.status, Error: x.why, InputTokens: used.Input, OutputTokens: used.Output, Estimated: used.Estimated,
	})
	if err != nil {
		x.socket.log.ErrorContext(ctx, "the record of an answer is not whole", "request", x.recording.Number(), "error", err)
	}
}
