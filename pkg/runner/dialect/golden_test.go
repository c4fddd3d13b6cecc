package dialect_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
	"github.com/vexa-ai/vexa/runners"
)

var update = flag.Bool("update", false, "rewrite the golden frames")

// parse feeds data in chunks of at most size bytes.
func parse(tb testing.TB, s runnerv2.Stream, data []byte, size int) ([]wsv2.Body, dialect.Result) {
	tb.Helper()
	p, err := dialect.New(s)
	if err != nil {
		tb.Fatal(err)
	}
	var out []wsv2.Body
	for len(data) > 0 {
		n := min(size, len(data))
		chunk := bytes.Clone(data[:n])
		out = append(out, p.Feed(chunk)...)
		clear(chunk) // a parser must not keep it
		data = data[n:]
	}
	rest, result := p.End()
	return append(out, rest...), result
}

// render is the golden form: a frame a line, then the result.
func render(tb testing.TB, bodies []wsv2.Body, r dialect.Result) string {
	tb.Helper()
	var out strings.Builder
	for _, b := range bodies {
		frame, err := wsv2.MarshalBody(b)
		if err != nil {
			tb.Fatal(err)
		}
		if err := contract.Validate("ws.v2#AgentFrame", frame); err != nil {
			tb.Fatalf("%s: %v", frame, err)
		}
		out.Write(frame)
		out.WriteByte('\n')
	}
	result, err := json.Marshal(r)
	if err != nil {
		tb.Fatal(err)
	}
	out.WriteString("result ")
	out.Write(result)
	out.WriteByte('\n')
	return out.String()
}

// joined is what a reader sees whatever the chunks were: neighbouring deltas are
// one.
func joined(bodies []wsv2.Body) []wsv2.Body {
	var out []wsv2.Body
	for _, b := range bodies {
		d, ok := b.(wsv2.MessageDelta)
		if n := len(out); ok && n > 0 {
			if last, ok := out[n-1].(wsv2.MessageDelta); ok {
				out[n-1] = wsv2.MessageDelta{Text: last.Text + d.Text}
				continue
			}
		}
		out = append(out, b)
	}
	return out
}

func TestGoldenStreams(t *testing.T) {
	t.Parallel()
	catalog, err := runner.Load(runners.FS)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../../runners/*/golden/*.out")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d golden streams, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(filepath.Dir(file)))
		t.Run(name+"/"+filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			m, err := catalog.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			bodies, result := parse(t, m.Stream, data, max(len(data), 1))
			if result.Unknown > 0 && file != "../../../runners/vexa/golden/truncated.out" { // which is of no agent that is
				t.Errorf("the dialect does not know all of what the shipped version prints: %+v", result)
			}
			got := render(t, bodies, result)
			golden := strings.TrimSuffix(file, ".out") + ".frames"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("frames differ (-want +got):\n%s", diff)
			}
			for size := 1; size < 8; size++ {
				again, sameResult := parse(t, m.Stream, data, size)
				if diff := cmp.Diff(render(t, joined(bodies), result), render(t, joined(again), sameResult)); diff != "" {
					t.Errorf("chunks of %d bytes give something else (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}
