package contract

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
)

// BenchmarkValidateFrame validates what the host validates for every piece of
// an answer. Its floor is reading the same frame with encoding/json; x-floor is
// how many times as long validating takes, measured in the same run.
func BenchmarkValidateFrame(b *testing.B) {
	report := `{"type":"frame","agentSeq":3,"turn":"01JZZZZZZZZZZZZZZZZZZZZZZY","frame":{"type":"message-delta","text":"a few words of an answer"}}`
	for _, c := range []struct{ name, contract, text string }{
		{"frame", "ws.v2#Frame", frameText},
		{"report", "ws.v2#Report", report},
	} {
		b.Run(c.name, func(b *testing.B) {
			data := []byte(c.text)
			floor := perOp(b, func() error { var v any; return json.Unmarshal(data, &v) })
			b.ReportAllocs()
			for b.Loop() {
				if err := Validate(c.contract, data); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/floor, "x-floor")
		})
	}
}

// BenchmarkDecodeFrame is what a reader of a topic does.
func BenchmarkDecodeFrame(b *testing.B) {
	data := []byte(frameText)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode[wsv2.Frame]("ws.v2#Frame", data); err != nil {
			b.Fatal(err)
		}
	}
}

// perOp returns how many nanoseconds fn takes.
func perOp(b *testing.B, fn func() error) float64 {
	b.Helper()
	const n = 2000
	start := time.Now()
	for range n {
		if err := fn(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(start).Nanoseconds()) / n
}
