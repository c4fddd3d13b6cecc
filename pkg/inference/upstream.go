package inference

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
)

// UpstreamOptions configure an Upstream.
type UpstreamOptions struct {
	Roots *x509.CertPool                        // nil: the system's
	Proxy func(*http.Request) (*url.URL, error) // nil: none, whatever the environment says
	Dial  DialFunc                              // nil: the network
}

// DialFunc opens a connection.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Upstream sends requests to providers: over the network, or to a cassette
// where the provider is a rehearsal. It follows no redirect, keeps no cookie
// and decodes nothing. It is safe for concurrent use.
type Upstream struct {
	client *http.Client

	mu       sync.Mutex
	rehearse map[string]*rehearsal.Server // by cassette
}

// NewUpstream returns an upstream.
func NewUpstream(opts UpstreamOptions) *Upstream {
	dial := opts.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	return &Upstream{
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:                  opts.Proxy,
				DialContext:            dial,
				TLSClientConfig:        &tls.Config{RootCAs: opts.Roots, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:    10 * time.Second,
				ForceAttemptHTTP2:      true,
				MaxIdleConnsPerHost:    16,
				IdleConnTimeout:        90 * time.Second,
				DisableCompression:     true, // what comes back is read as it passes
				MaxResponseHeaderBytes: 64 << 10,
				WriteBufferSize:        128 << 10, // most requests are written at once
				ReadBufferSize:         32 << 10,  // and what has come of an answer is read so
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		rehearse: map[string]*rehearsal.Server{},
	}
}

// Do sends the request to the provider. The caller closes the body of the
// response, which may still be coming in; the request's context ends both.
func (u *Upstream) Do(req *http.Request, p Provider) (*http.Response, error) {
	if p.Protocol == Rehearsal {
		return rehearsal.RoundTrip(u.cassette(p.Cassette), req)
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, "ask provider "+p.Name, unwrapURL(err))
	}
	return resp, nil
}

func (u *Upstream) cassette(path string) *rehearsal.Server {
	u.mu.Lock()
	defer u.mu.Unlock()
	s, ok := u.rehearse[path]
	if !ok {
		s = rehearsal.New(path)
		u.rehearse[path] = s
	}
	return s
}

// Authorize sets the headers that carry the provider's key, and removes any
// others that could carry one. An empty key sets none.
func (p Provider) Authorize(h http.Header, key []byte) {
	h.Del("Authorization")
	h.Del("X-Api-Key")
	h.Del("X-Goog-Api-Key")
	h.Del("Cookie")
	if len(key) == 0 {
		return
	}
	switch p.Protocol {
	case AnthropicMessages:
		h.Set("X-Api-Key", string(key))
	case Gemini:
		h.Set("X-Goog-Api-Key", string(key))
	default:
		h.Set("Authorization", "Bearer "+string(key))
	}
}

// Identify sets the headers of a request of our own: the version of the protocol,
// where it asks for one, and the provider's key.
func (p Provider) Identify(h http.Header, key []byte) {
	if p.Protocol == AnthropicMessages {
		h.Set("Anthropic-Version", AnthropicVersion)
	}
	p.Authorize(h, key)
}

// AnthropicVersion is that of anthropic-messages, in a header that it asks for.
const AnthropicVersion = "2023-06-01"

// unwrapURL takes the URL out of a client's error: it says nothing that the
// provider's name does not, and would be repeated wherever the error goes.
func unwrapURL(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // the client returns exactly this type
		return e.Err
	}
	return err
}
