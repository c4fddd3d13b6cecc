package daemon_test

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/client"
)

// BenchmarkReaders is what readers cost the writer: the time to append 20,000
// frames with a slow, a dead and ten fast readers on the topic, against the same
// with none.
func BenchmarkReaders(b *testing.B) {
	const frames = 20_000
	var alone, watched, caught time.Duration
	for b.Loop() {
		l := newLive(b, time.Second)
		begun := time.Now()
		l.flood(frames, 100)
		alone += time.Since(begun)

		l = newLive(b, time.Second)
		conn := l.dead()
		var fast sync.WaitGroup
		for range 10 {
			fast.Go(func() {
				if err := l.drain(frames); err != nil {
					b.Error(err)
				}
			})
		}
		slow := make(chan struct{})
		go func() {
			defer close(slow)
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			if _, err := l.read("", 1, 20, func() { <-tick.C }); err != nil {
				b.Error(err)
			}
		}()
		begun = time.Now()
		l.flood(frames, 100)
		watched += time.Since(begun)
		fast.Wait()
		caught += time.Since(begun)
		<-slow
		_ = conn.Close()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(watched.Seconds()/alone.Seconds(), "x-floor")
	b.ReportMetric(float64(b.N*frames)/watched.Seconds(), "frames/s")
	b.ReportMetric(float64(b.N*frames*10)/caught.Seconds(), "delivered/s")
}

// BenchmarkFrame is the way of a frame from the topic to a client of the socket
// at 1,000 frames a second, against a bare hop over a Unix socket at that rate.
// Goal: 2 ms at the 99th percentile.
func BenchmarkFrame(b *testing.B) {
	l := newLive(b, time.Minute)
	l.flood(1, 10)
	arrived := make(chan time.Time)
	ctx, cancel := context.WithCancel(b.Context())
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	reading.Go(func() {
		c := l.client()
		defer c.Close()
		for _, err := range c.Frames(ctx, unit, client.FrameQuery{Follow: true}) {
			if err != nil {
				return
			}
			select {
			case arrived <- time.Now():
			case <-ctx.Done():
				return
			}
		}
	})
	<-arrived // it follows
	hop, done := socketHop(b)
	defer done()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var frames, floor []time.Duration
	for b.Loop() {
		<-tick.C
		begun := time.Now()
		l.flood(1, 100)
		frames = append(frames, (<-arrived).Sub(begun))
		<-tick.C
		floor = append(floor, hop())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(micros(frames, 50), "p50-µs")
	b.ReportMetric(micros(frames, 99), "p99-µs")
	b.ReportMetric(micros(floor, 50), "floor-p50-µs")
	b.ReportMetric(micros(floor, 99), "floor-p99-µs")
	b.ReportMetric(micros(frames, 50)/micros(floor, 50), "x-floor")
}

// socketHop sends as many bytes through a Unix socket to another goroutine.
func socketHop(b *testing.B) (hop func() time.Duration, done func()) {
	b.Helper()
	const size = 300
	var config net.ListenConfig
	server, err := config.Listen(b.Context(), "unix", filepath.Join(b.TempDir(), "s"))
	check(b, err)
	arrived := make(chan time.Time)
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		p := make([]byte, size)
		for {
			if _, err := io.ReadFull(conn, p); err != nil {
				return
			}
			arrived <- time.Now()
		}
	}()
	conn, err := net.Dial("unix", server.Addr().String())
	check(b, err)
	p := make([]byte, size)
	return func() time.Duration {
		begun := time.Now()
		_, err := conn.Write(p)
		check(b, err)
		return (<-arrived).Sub(begun)
	}, func() { _, _ = conn.Close(), server.Close() }
}

// micros is a percentile in microseconds.
func micros(d []time.Duration, percent int) float64 {
	slices.Sort(d)
	return float64(d[(len(d)-1)*percent/100].Nanoseconds()) / 1000
}
