package speed

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/evals/harness"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/screentest"
)

// BenchmarkKeyToScreen is the time from a key that goes into the terminal of `vexa chat`
// until the screen behind it shows the letter, while an agent's answer comes as 1,000
// frames in a second, from its container on. Half a screen's frame is in it: the chat
// draws 120 times in a second at most. What the terminal's model takes to read what was
// drawn is in it, too. Goal: 16 ms for 99 of 100.
func BenchmarkKeyToScreen(b *testing.B) {
	l := harness.NewLive(b)
	cassette := filepath.Join(b.TempDir(), "paced.yaml")
	if err := os.WriteFile(cassette, paced(60_000), 0o600); err != nil {
		b.Fatal(err)
	}
	l.Run(b, "model", "add", "paced", "--protocol", "rehearsal", "--cassette", cassette, "--model", "paced")
	t, err := screentest.Start(screentest.Options{Command: []string{l.Vexa, "chat", "--model", "paced/paced"}, Env: l.Env, Cols: 120, Rows: 40})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = t.Close() })
	until := func(is func(screentest.Screen) bool) {
		b.Helper()
		if s, err := t.Wait(time.Minute, is); err != nil {
			b.Fatalf("%v\n%s", err, s.Text())
		}
	}
	send := func(keys ...string) {
		b.Helper()
		if err := t.Send(keys...); err != nil {
			b.Fatal(err)
		}
	}
	until(func(s screentest.Screen) bool { return s.Contains("container of its own") })
	send("go", "<enter>")
	until(func(s screentest.Screen) bool { return s.Contains("w2000 ") })

	const begin = 2 // columns before what is written
	before, began := said(b, l), time.Now()
	var keys []time.Duration
	written := 0
	for b.Loop() {
		b.StopTimer()
		if written == 100 {
			written = 0
			send("<ctrl+u>")
			until(func(s screentest.Screen) bool { return s.Cursor.X == begin })
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // at no fixed time within a frame
		b.StartTimer()
		written++
		keys = append(keys, took(func() {
			send("x")
			until(func(s screentest.Screen) bool { return s.Cursor.X == begin+written })
		}))
	}
	rate := float64(said(b, l)-before) / time.Since(began).Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(quantile(keys, 0.5)), "p50-ms")
	b.ReportMetric(ms(quantile(keys, 0.99)), "p99-ms")
	b.ReportMetric(rate, "frames/s")
}

// paced is a cassette whose only answer is so many words, some every few milliseconds: a
// pause takes longer than it says, the more so the shorter it is.
func paced(words int) []byte {
	var out strings.Builder
	out.WriteString("version: 1\nname: paced\nturns:\n  - match: always\n    reply:\n")
	for i := range words {
		fmt.Fprintf(&out, "      - text: 'w%d '\n", i)
		if i%5 == 4 {
			out.WriteString("      - delay: 4ms\n")
		}
	}
	out.WriteString("      - text: 'the end'\n")
	return []byte(out.String())
}

// said is how many frames there are of the only dispatch.
func said(b *testing.B, l *harness.Live) int {
	b.Helper()
	list := dispatches(b, l)
	if len(list) != 1 {
		b.Fatalf("%d dispatches", len(list))
	}
	n := 0
	for _, err := range l.Client.Frames(b.Context(), list[0].ID, client.FrameQuery{}) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	return n
}
