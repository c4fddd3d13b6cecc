package broker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/inference/translate"
)

// relayTranslated passes a successful answer on in the client's protocol. The
// error says why the answer is not complete.
func (x *exchange) relayTranslated(ctx context.Context, w http.ResponseWriter, resp *http.Response, idle *watchdog) error {
	h := w.Header()
	copyHeader(h, resp.Header)
	h.Set("Content-Type", "application/json")
	streamed := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream")
	if !streamed || !x.translation.Streams() {
		return x.wholeTranslated(ctx, w, resp.Body)
	}
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	out := &flusher{w: w, control: http.NewResponseController(w), patience: idle.after}
	stream := x.translation.Stream()
	err := x.pumpTranslated(out, resp.Body, stream, idle)
	if err == nil {
		return x.failed
	}
	if out.gone || x.in.Context().Err() != nil {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	_ = out.write(stream.Fail("vexa: " + x.brokeOff())) // either way this is the end
	return err
}

// lastWait is how long a provider may take to close a stream whose answer has
// ended, so that its connection can be used again.
const lastWait = 100 * time.Millisecond

// pumpTranslated passes a stream on until its answer ends, each event when it has
// come.
func (x *exchange) pumpTranslated(out *flusher, body io.ReadCloser, stream *translate.Stream, idle *watchdog) error {
	buf := pieces.get()
	defer pieces.put(buf)
	for {
		n, err := body.Read(buf[:])
		idle.touch()
		pass, broken := stream.Write(buf[:n])
		if err := out.write(pass); err != nil {
			return err
		}
		switch {
		case stream.Ended(): // whatever comes behind: some providers keep the stream open
			if err == nil {
				drain(body)
			}
			return nil
		case broken != nil:
			return broken
		case errors.Is(err, io.EOF):
			rest, broken := stream.Close()
			return errors.Join(out.write(rest), broken)
		case err != nil:
			return err
		}
	}
}

// drain reads a stream to its end, if that comes soon.
func drain(body io.ReadCloser) {
	const most = 64 << 10
	late := time.AfterFunc(lastWait, func() { _ = body.Close() }) // which ends the read
	defer late.Stop()
	_, _ = io.CopyN(io.Discard, body, most) // nothing of it is used
}

// wholeTranslated reads an answer to its end and translates it, into a stream
// where the client asked for one and the provider sent none.
func (x *exchange) wholeTranslated(ctx context.Context, w http.ResponseWriter, body io.Reader) error {
	data, err := x.readAnswer(ctx, w, body)
	if err != nil {
		return err
	}
	answer, err := x.translation.Answer(data)
	if err != nil {
		x.tally.bytes = int64(len(data))
		x.refuse(w, "provider "+x.provider.Name+": "+x.redact(err.Error()))
		return errors.New("the answer cannot be translated")
	}
	if x.translation.Streams() {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(answer)
	return err
}

// responsesErrorEvent is how a stream of openai-responses says that it broke: its
// clients listen for one event or the other.
func responsesErrorEvent(message string) []byte {
	return translate.Broken(message)
}
