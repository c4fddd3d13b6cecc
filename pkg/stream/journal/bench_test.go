package streamjournal_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	streamjournal "github.com/vexa-ai/vexa/pkg/stream/journal"
)

const frameSize = 200

// BenchmarkAppend measures frames appended to one topic, made durable in groups
// of a thousand, against writes of the same bytes to a plain file with the same
// flushes.
func BenchmarkAppend(b *testing.B) {
	const records, group = 20_000, 1000
	l := open(b, streamjournal.Options{Root: b.TempDir(), SegmentBytes: 1 << 30})
	defer shut(b, l)
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, frameSize)
	add(b, l, "a", "x")
	var spent, floor time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		start := time.Now()
		for i := range records {
			if _, err := f.Write(p); err != nil {
				b.Fatal(err)
			}
			if i%group == group-1 {
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
			}
		}
		floor += time.Since(start)
		start = time.Now()
		for i := range records {
			if _, err := l.Append(b.Context(), "a", p); err != nil {
				b.Fatal(err)
			}
			if i%group == group-1 {
				if err := l.Sync(b.Context(), "a"); err != nil {
					b.Fatal(err)
				}
			}
		}
		spent += time.Since(start)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(rounds*records)/spent.Seconds(), "frames/s")
	b.ReportMetric(spent.Seconds()/floor.Seconds(), "x-floor")
}

// BenchmarkTail measures the way of a frame from Append to a follower at 1,000
// frames a second, against the same frame over a bare Unix socket at that rate.
func BenchmarkTail(b *testing.B) {
	l := open(b, streamjournal.Options{Root: b.TempDir()})
	defer shut(b, l)
	add(b, l, "a", "x")
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	arrived := make(chan time.Duration)
	origin := time.Now()
	go func() {
		defer close(arrived)
		for e, err := range l.Tail(ctx, "a", "") {
			if err != nil {
				return
			}
			if len(e.Payload) == frameSize {
				arrived <- time.Since(origin) - time.Duration(binary.BigEndian.Uint64(e.Payload))
			}
		}
	}()
	hop, done := socketHop(b, origin)
	defer done()

	p := make([]byte, frameSize)
	var tail, floor []time.Duration
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for b.Loop() {
		<-tick.C
		binary.BigEndian.PutUint64(p, uint64(time.Since(origin)))
		if _, err := l.Append(ctx, "a", p); err != nil {
			b.Fatal(err)
		}
		tail = append(tail, <-arrived)
		<-tick.C
		binary.BigEndian.PutUint64(p, uint64(time.Since(origin)))
		floor = append(floor, hop(p))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(quantile(tail, 50), "p50-µs")
	b.ReportMetric(quantile(tail, 99), "p99-µs")
	b.ReportMetric(quantile(floor, 50), "floor-p50-µs")
	b.ReportMetric(quantile(floor, 99), "floor-p99-µs")
	b.ReportMetric(quantile(tail, 50)/quantile(floor, 50), "x-floor")
}

// socketHop sends frames through a Unix socket to another goroutine.
func socketHop(b *testing.B, origin time.Time) (hop func([]byte) time.Duration, done func()) {
	b.Helper()
	var config net.ListenConfig
	server, err := config.Listen(b.Context(), "unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	arrived := make(chan time.Duration)
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		p := make([]byte, frameSize)
		for {
			if _, err := io.ReadFull(r, p); err != nil {
				return
			}
			arrived <- time.Since(origin) - time.Duration(binary.BigEndian.Uint64(p))
		}
	}()
	var dialer net.Dialer
	conn, err := dialer.DialContext(b.Context(), "unix", server.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	hop = func(p []byte) time.Duration {
		if _, err := conn.Write(p); err != nil {
			b.Fatal(err)
		}
		return <-arrived
	}
	return hop, func() { conn.Close(); server.Close() }
}

// quantile returns a percentile in microseconds.
func quantile(d []time.Duration, percent int) float64 {
	slices.Sort(d)
	return float64(d[(len(d)-1)*percent/100].Nanoseconds()) / 1000
}
