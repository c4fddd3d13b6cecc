package acp

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

// FuzzPeer: whatever an agent prints, the bridge prints events of its dialect, the
// last of which is the result, and holds no line over its limit.
func FuzzPeer(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"stopReason":"end_turn"}}` + "\n", `{"id":1,"error":{"code":-32603,"message":"x","data":"y"}}`, `{"id":1,"error":7}`,
		`{"method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"\ud800<"}}}}` + "\n",
		`{"id":"q","method":"session/request_permission","params":{"toolCall":{"toolCallId":"1"},"options":[{"optionId":"o","kind":"allow_once"}]}}` + "\n",
		`{"id":"q","method":"session/request_permission","params":{"options":7}}` + "\n", `{"id":{},"method":"x"}`, "\xff\n\n{}\n", strings.Repeat("x", 600) + "\n",
		`{"method":"session/update","params":"` + strings.Repeat("x", 600) + `"}` + "\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		events := &emitter{w: &out}
		p := &peer{events: events, limit: 512, queue: make(chan []byte, maxQueue), answers: make(chan message, 1), gone: make(chan struct{})}
		p.begin("s")
		p.awaited.Store(1)
		err := p.read(bytes.NewReader(data))
		if err == nil {
			t.Fatal("the end of the output is no end")
		}
		select {
		case m := <-p.answers:
			_, err = m.outcome("session/prompt")
		default:
		}
		if err := events.result(ending{}, err); err != nil {
			t.Fatal(err)
		}
		parser, err := dialect.New(runnerv2.Stream{Dialect: dialect.ACP, MaxLine: 8 << 10})
		if err != nil {
			t.Fatal(err)
		}
		parser.Feed(out.Bytes())
		if _, result := parser.End(); !result.Terminal {
			t.Fatalf("%q becomes %q", data, out.String())
		}
	})
}

// Of a line without an end its head is kept, and its length is said.
func TestALineIsBounded(t *testing.T) { // not parallel: it counts what is allocated
	var out bytes.Buffer
	p := &peer{events: &emitter{w: &out}, limit: 1 << 20, queue: make(chan []byte, maxQueue), answers: make(chan message, 1), gone: make(chan struct{})}
	p.begin("s")
	const size = 64 << 20
	endless := io.MultiReader(strings.NewReader(`{"method":"session/update","x":"`), io.LimitReader(xs{}, size))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := p.read(endless)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(out.String(), "of 67108896 bytes") {
		t.Errorf("%v, %s", err, out.String())
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > size/4 {
		t.Errorf("%d bytes were allocated for a line of %d", n, size)
	}
}

// xs are any number of them.
type xs struct{}

const manyXs = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

func (xs) Read(p []byte) (int, error) { return copy(p, manyXs), nil }
