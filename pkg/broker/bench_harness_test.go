package broker_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/broker"
)

// bench is a provider that answers at once, straight, through the broker, and
// through a proxy that does nothing but pass on what it is given.
type bench struct {
	*testing.B
	stage  *stage
	direct *httptest.Server
	proxy  *http.Client
	way    way
}

func newBench(b *testing.B, w way, answer func(w http.ResponseWriter, path string), options ...func(*broker.Options)) *bench {
	b.Helper()
	up := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Type", "text/event-stream")
		answer(rw, r.URL.Path)
	})
	direct := httptest.NewServer(up)
	b.Cleanup(direct.Close)
	c := config{upstream: up}
	for _, o := range options {
		c.options = o
	}
	return &bench{b, open(b, c), direct, bareProxy(b, direct.URL), w}
}

// bareProxy is a client of a Unix socket behind which the standard library's proxy
// passes everything on to a provider. Whatever else the broker does, it makes the same
// two hops, so that this is the least that it can take.
func bareProxy(b *testing.B, provider string) *http.Client {
	b.Helper()
	target, err := url.Parse(provider)
	if err != nil {
		b.Fatal(err)
	}
	socket := b.TempDir() + "/s"
	l, err := net.Listen("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	out := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
	proxy := &httputil.ReverseProxy{Transport: out, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // else an answer that comes early ends the request
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(l) }()
	in := &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", socket)
	}}
	b.Cleanup(func() {
		_ = server.Close()
		in.CloseIdleConnections()
		out.CloseIdleConnections()
	})
	return &http.Client{Transport: in}
}

// road is how a request of a benchmark gets to the provider.
type road int

const (
	straight road = iota
	bare          // the proxy
	brokered
)

// ask makes one request and reads its answer.
func (b *bench) ask(r road, body string) time.Duration {
	b.Helper()
	client, path := b.stage.client, b.way.client
	if r != brokered {
		client, path = b.proxy, b.way.provider
	}
	if r == straight {
		client = b.direct.Client()
	}
	begin := time.Now()
	req := b.stage.request(b.Context(), path, body)
	if r == straight {
		target, err := req.URL.Parse(b.direct.URL + path)
		if err != nil {
			b.Fatal(err)
		}
		req.URL = target
	}
	resp, err := client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp.Status, err)
	}
	_ = resp.Body.Close()
	return time.Since(begin)
}
