package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// newTransport makes the connections to the server; roots are whom it is
// believed, nil for those of the machine.
func newTransport(roots *x509.CertPool, stall time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: stall, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout: stall,
		MaxIdleConnsPerHost: 2 * parallel,
		IdleConnTimeout:     time.Minute,
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      64 << 10,
		DisableCompression:  true, // a blob is given as it was stored
	}
}

// patience is the key in a context of how many times the stall a request may
// wait for its answer.
type patience struct{}

// watch ends a request for which no byte has moved for the limit, in either
// direction. What its caller does between two reads of an answer does not count.
// It takes no page of HTML for success.
type watch struct {
	next  http.RoundTripper
	limit time.Duration
}

// RoundTrip implements http.RoundTripper.
func (w watch) RoundTrip(req *http.Request) (*http.Response, error) {
	limit := w.limit
	if times, ok := req.Context().Value(patience{}).(int); ok {
		limit *= time.Duration(times)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(limit, func() { cancel(errStall) })
	out := req.Clone(ctx)
	if req.Body != nil {
		out.Body = &sent{ReadCloser: req.Body, moved: func() { timer.Reset(limit) }}
	}
	resp, err := w.next.RoundTrip(out)
	timer.Stop()
	if err != nil {
		err = stalled(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &received{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, timer: timer, limit: w.limit}
	if page := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"); page && resp.StatusCode < http.StatusMultipleChoices {
		resp.Body.Close()
		return nil, errForeign // the client would take it for a list of nothing
	}
	return resp, nil
}

// stalled is err, or errStall where that is why ctx ended.
func stalled(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStall) {
		return errStall
	}
	return err
}

// sent is the body of a request, which is read as fast as the server takes it.
type sent struct {
	io.ReadCloser
	moved func()
}

func (s *sent) Read(p []byte) (int, error) {
	s.moved()
	return s.ReadCloser.Read(p)
}

// received is the body of an answer.
type received struct {
	io.ReadCloser
	ctx    context.Context //nolint:containedctx // that of the request, to tell why it ended
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
}

func (r *received) Read(p []byte) (int, error) {
	r.timer.Reset(r.limit)
	n, err := r.ReadCloser.Read(p)
	r.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = stalled(r.ctx, err)
	}
	return n, err
}

func (r *received) Close() error {
	r.timer.Stop()
	err := r.ReadCloser.Close()
	r.cancel(nil)
	return err
}
