package probe_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/probe"
)

// pipes are connections in memory: a listener, and how it is dialled.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (pipes) Close() error { return nil }

func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p <- there
	return here, nil
}

// Each request of a slow provider is answered within its own time, and all of them
// together end after four minutes.
func TestFourMinutesInAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := make(pipes)
		f := &field{protocols: all(), before: func(_ http.ResponseWriter, r *http.Request, _ asked) bool {
			if r.Method == http.MethodPost {
				time.Sleep(50 * time.Second)
			}
			return false
		}}
		s := &http.Server{Handler: f}
		served := make(chan error)
		go func() { served <- s.Serve(network) }()
		r := probe.Run(t.Context(), probe.Options{
			Upstream: inference.NewUpstream(inference.UpstreamOptions{Dial: network.dial}), Model: "m", Now: time.Now,
			Provider: inference.Provider{Name: "x", Protocol: all()[0], Also: all()[1:], URL: "http://slow", Models: []string{"m"}},
		})
		if r.Elapsed != 4*time.Minute || r.OK || !strings.Contains(r.Error, "the test ran out of time") {
			t.Errorf("after %s: OK %t, %s", r.Elapsed, r.OK, r.Error)
		}
		if answers, _ := r.Find(probe.Answers, all()[0]); answers.State != probe.Yes {
			t.Errorf("its first answer came in time: %+v", answers)
		}
		close(network)
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
