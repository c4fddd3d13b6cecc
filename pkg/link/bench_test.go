package link_test

import (
	"bufio"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/link"
)

// BenchmarkSend measures a frame of ordinary size from worker to host against
// the same bytes over a bare Unix socket, line by line.
func BenchmarkSend(b *testing.B) {
	line := []byte(`{"type":"frame","agentSeq":1234,"turn":"01K5Q8Z3V4M7T2C9XW6B0NRHJA","frame":{"type":"message-delta","text":"a few words of an answer"}}`)
	floor := bare(b, line)
	received := make(chan error, 1)
	dial := serve(b, func(c *link.Conn) {
		for range b.N {
			if _, err := c.ReceiveLine(); err != nil {
				received <- err
				return
			}
		}
		received <- nil
	})
	c, err := link.Dial(b.Context(), dial, "good")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.ResetTimer()
	for range b.N {
		if err := c.SendLine(line); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-received; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(floor), "x-floor")
}

// bare returns how long one line takes over a socket without a link.
func bare(b *testing.B, line []byte) time.Duration {
	b.Helper()
	ln, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	const n = 20_000
	done := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		r := bufio.NewReaderSize(conn, 64<<10)
		for range n {
			if _, err := r.ReadSlice('\n'); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	conn, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	whole := append(slices.Clip(line), '\n')
	began := time.Now()
	for range n {
		if _, err := conn.Write(whole); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	return time.Since(began) / n
}
