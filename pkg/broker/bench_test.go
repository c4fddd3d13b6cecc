package broker_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/wsv1"
	"github.com/vexa-ai/vexa/pkg/link"
)

// BenchmarkInference is the latency that the broker adds to a request of 76 KB,
// the size of a coding agent's, against the same request straight to the same
// provider.
func BenchmarkInference(b *testing.B) {
	for _, c := range []struct{ path, model string }{{messages, "claude/m1"}, {chat, "local/m2"}} {
		b.Run(c.path[4:], func(b *testing.B) {
			up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "text/event-stream")
				if c.path == messages {
					_, _ = io.WriteString(w, anthropicStream)
				} else {
					_, _ = io.WriteString(w, openaiText+openaiUsage+openaiDone)
				}
			})
			direct := httptest.NewServer(up)
			b.Cleanup(direct.Close)
			s := open(b, config{upstream: up})
			body := say(c.model, strings.Repeat("some words of a prompt, ", 3200), true)
			var floor, through []time.Duration
			round := func(client *http.Client, url string) time.Duration {
				begin := time.Now()
				req := s.request(b.Context(), c.path, body)
				if url != "" {
					target, err := req.URL.Parse(url + c.path)
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
			for b.Loop() {
				floor = append(floor, round(direct.Client(), direct.URL))
				through = append(through, round(s.client, ""))
			}
			b.ReportMetric(median(through)/median(floor), "x-floor")
			b.ReportMetric((median(through)-median(floor))/1000, "added-µs")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}

// BenchmarkReport is a frame's way from the worker to its receipt, against a
// bare hop over a Unix socket and back.
func BenchmarkReport(b *testing.B) {
	s := open(b, config{})
	c := s.worker("")
	floor := hop(b)
	var seq uint64
	var took []time.Duration
	for b.Loop() {
		seq++
		begin := time.Now()
		if err := c.Send(frame(seq, "some words of an answer")); err != nil {
			b.Fatal(err)
		}
		var in wsv1.Input
		if err := c.Receive(&in); err != nil || in.AgentSeq != seq {
			b.Fatal(in, err)
		}
		took = append(took, time.Since(begin))
	}
	b.ReportMetric(median(took)/floor, "x-floor")
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
}

// BenchmarkReports is the rate at which a worker's frames are taken.
func BenchmarkReports(b *testing.B) {
	s := open(b, config{options: nil})
	c := s.worker("")
	lines := make(chan struct{})
	go drain(c, lines)
	seq := uint64(0)
	for b.Loop() {
		seq++
		if err := c.Send(frame(seq, "some words of an answer")); err != nil {
			b.Fatal(err)
		}
	}
	await(b, "the last report", func() bool {
		s.owner.mu.Lock()
		defer s.owner.mu.Unlock()
		return uint64(len(s.owner.reports)) == seq
	})
	b.ReportMetric(float64(seq)/b.Elapsed().Seconds(), "frames/s")
	_ = c.Close()
	<-lines
}

func drain(c *link.Conn, done chan<- struct{}) {
	defer close(done)
	for {
		if _, err := c.ReceiveLine(); err != nil {
			return
		}
	}
}

// hop measures a line there and back over a bare Unix socket, in nanoseconds.
func hop(b *testing.B) float64 {
	b.Helper()
	l, err := net.Listen("unix", b.TempDir()+"/s")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(c, c)
		}
	}()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	line, err := json.Marshal(frame(1, "some words of an answer"))
	if err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for range 500 {
		begin := time.Now()
		if _, err := fmt.Fprintf(c, "%s\n", line); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, len(line)+1)); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	return median(took)
}
