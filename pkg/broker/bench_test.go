package broker_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/link"
	"github.com/vexa-ai/vexa/pkg/retention"
	streamjournal "github.com/vexa-ai/vexa/pkg/stream/journal"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

// way is a client's path and model, and what the provider behind it is asked.
type way struct{ client, model, provider string }

func (w way) name() string {
	short := map[string]string{messages: "messages", respond: "responses", chat: "chat"}
	if w.client == w.provider {
		return short[w.client]
	}
	return short[w.client] + "-at-" + short[w.provider]
}

func ways() []way {
	return []way{
		{messages, "claude/m1", messages},
		{respond, "oai/r1", respond},
		{chat, "local/m2", chat},
		{messages, "local/m2", chat},
		{respond, "local/m2", chat},
		{messages, "oai/r1", respond},
		{respond, "claude/m1", messages},
	}
}

// conversation is a request of 76 KB, the size of a coding agent's: its tools, and
// some turns with calls and their results, with as many escapes as code has.
func conversation(path, model string) string {
	words := strings.Repeat("Some words of a prompt, as each agent has it.\n\tif s == \"x\" { run(s) }\n", 9)
	schema := map[string]any{"type": "object", "properties": map[string]any{"a": map[string]string{"type": "string", "description": words}}}
	var said, tools []any
	for i := range 20 {
		id, name := fmt.Sprintf("call_%d", i), fmt.Sprintf("tool_%d", i)
		text := func(kind string) []any { return []any{map[string]string{"type": kind, "text": words}} }
		switch path {
		case messages:
			tools = append(tools, map[string]any{"name": name, "description": words, "input_schema": schema})
			said = append(said, map[string]any{"role": "user", "content": text("text")},
				map[string]any{"role": "assistant", "content": []any{map[string]any{"type": "tool_use", "id": id, "name": name, "input": map[string]string{"a": "b"}}}},
				map[string]any{"role": "user", "content": []any{map[string]any{"type": "tool_result", "tool_use_id": id, "content": words}}},
				map[string]any{"role": "assistant", "content": text("text")})
		case respond:
			tools = append(tools, map[string]any{"type": "function", "name": name, "description": words, "parameters": schema})
			said = append(said, map[string]any{"type": "message", "role": "user", "content": text("input_text")},
				map[string]any{"type": "function_call", "call_id": id, "name": name, "arguments": `{"a":"b"}`},
				map[string]any{"type": "function_call_output", "call_id": id, "output": words},
				map[string]any{"type": "message", "role": "assistant", "content": text("output_text")})
		default:
			tools = append(tools, map[string]any{"type": "function", "function": map[string]any{"name": name, "description": words, "parameters": schema}})
			said = append(said, map[string]any{"role": "user", "content": words},
				map[string]any{"role": "assistant", "tool_calls": []any{map[string]any{"id": id, "type": "function", "function": map[string]string{"name": name, "arguments": `{"a":"b"}`}}}},
				map[string]any{"role": "tool", "tool_call_id": id, "content": words},
				map[string]any{"role": "assistant", "content": words})
		}
	}
	member := "messages"
	if path == respond {
		member = "input"
	}
	data, err := json.Marshal(map[string]any{"model": model, "stream": true, "max_tokens": 100, member: said, "tools": tools})
	if err != nil {
		panic(err)
	}
	return string(data)
}

// BenchmarkInference is the latency that the broker adds to a request of a coding
// agent's size, against the same request straight to the same provider in its own
// protocol (x-floor), and against what a bare proxy adds (x-proxy).
func BenchmarkInference(b *testing.B) {
	for _, w := range ways() {
		b.Run(w.name(), func(b *testing.B) {
			x := newBench(b, w, func(rw http.ResponseWriter, path string) {
				_, _ = io.WriteString(rw, map[string]string{messages: messagesTurn, respond: responsesTurn, chat: chatTurn}[path])
			})
			plain, asked := conversation(w.provider, w.model), conversation(w.client, w.model)
			var floor, proxied, through []time.Duration
			for b.Loop() {
				floor = append(floor, x.ask(straight, plain))
				proxied = append(proxied, x.ask(bare, plain))
				through = append(through, x.ask(brokered, asked))
			}
			b.ReportMetric(median(through)/median(floor), "x-floor")
			b.ReportMetric(median(through)/median(proxied), "x-proxy")
			b.ReportMetric((median(through)-median(floor))/1000, "added-µs")
			b.ReportMetric((median(proxied)-median(floor))/1000, "proxy-added-µs")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkRecorded is the latency that recording what is sent adds to a request
// of a coding agent's size: the same one through a broker that records it, on the
// disk that is there, and through one that does not.
func BenchmarkRecorded(b *testing.B) {
	for _, w := range ways()[:3] {
		b.Run(w.name(), func(b *testing.B) {
			answer := func(rw http.ResponseWriter, path string) {
				_, _ = io.WriteString(rw, map[string]string{messages: messagesTurn, respond: responsesTurn, chat: chatTurn}[path])
			}
			off := newBench(b, w, answer)
			streams, err := streamjournal.Open(streamjournal.Options{Root: b.TempDir(), Key: make([]byte, journal.KeySize), Now: time.Now})
			if err != nil {
				b.Fatal(err)
			}
			defer streams.Close() //nolint:errcheck // the benchmark has ended
			on := newBench(b, w, answer, newBook(b, retention.Inference{}, streams).options)
			body := conversation(w.client, w.model)
			var without, with []time.Duration
			for b.Loop() {
				without = append(without, off.ask(brokered, body))
				with = append(with, on.ask(brokered, body))
			}
			b.ReportMetric((median(with)-median(without))/1000, "added-µs")
			b.ReportMetric(median(with)/median(without), "x-unrecorded")
			b.ReportMetric(float64(with[len(with)*99/100])/1e6, "p99-ms")
			size, err := streams.Size(b.Context(), transcript.Topic(unitID))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(size)/float64(len(with)), "B/request")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkChunks is the rate at which the pieces of an answer come through,
// against the same answer straight from the provider and through a bare proxy: as fast
// as they can be written, and as a fast model writes them, 1,000 a second.
func BenchmarkChunks(b *testing.B) {
	const chunks = 4000
	for _, w := range ways() {
		b.Run(w.name(), func(b *testing.B) {
			begin, chunk, end := pieces(w.provider)
			all := various(chunk)
			pace := time.Duration(0)
			x := newBench(b, w, func(rw http.ResponseWriter, _ string) {
				control := http.NewResponseController(rw)
				_, _ = io.WriteString(rw, begin)
				n := chunks
				if pace > 0 {
					n = chunks / 20
				}
				tick := time.NewTicker(max(pace, time.Nanosecond))
				defer tick.Stop()
				for i := range n {
					if pace > 0 {
						<-tick.C
					}
					_, _ = io.WriteString(rw, all[i%len(all)])
					_ = control.Flush()
				}
				_, _ = io.WriteString(rw, end)
			})
			plain, asked := say(w.model, "x", true), asks(w.client, w.model, true)
			var floor, proxied, through, paced, pacedThrough []time.Duration
			for b.Loop() {
				pace = 0
				for range 10 { // as long as one that is paced
					floor = append(floor, x.ask(straight, plain))
					proxied = append(proxied, x.ask(bare, plain))
					through = append(through, x.ask(brokered, asked))
				}
				pace = time.Millisecond
				paced = append(paced, x.ask(straight, plain))
				pacedThrough = append(pacedThrough, x.ask(brokered, asked))
			}
			b.ReportMetric(median(through)/median(floor), "x-floor")
			b.ReportMetric((median(through)-median(floor))/1000/chunks, "added-µs/chunk")
			b.ReportMetric(100*median(floor)/median(through), "%-of-direct")
			b.ReportMetric(100*median(floor)/median(proxied), "proxy-%-of-direct")
			b.ReportMetric(median(through)/median(proxied), "x-proxy")
			b.ReportMetric(100*median(paced)/median(pacedThrough), "%-of-direct-at-1000/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// pieces are the parts of a stream of text in the protocol of a path.
func pieces(path string) (begin, chunk, end string) {
	whole, mark := map[string]string{messages: messagesTurn, respond: responsesTurn, chat: chatTurn}[path], "I look."
	i := strings.LastIndex(whole[:strings.Index(whole, mark)], "data: ")
	j := i + strings.Index(whole[i:], "\n\n") + 2
	return whole[:i], whole[i:j], whole[j:]
}

// various are events that differ as those of a provider do: in their texts, and of
// openai-responses in their numbers.
func various(event string) []string {
	words := strings.Fields(`I look at what the function returns, then \n run the \"tests\" again. It is é of course, isn't it?`)
	out := make([]string, 500)
	for i := range out {
		text := words[i%len(words)] + " " + words[i*7%len(words)]
		out[i] = strings.Replace(strings.Replace(event, "I look.", text, 1), `"output_index"`, fmt.Sprintf(`"sequence_number":%d,"output_index"`, i), 1)
	}
	return out
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
		var in wsv2.Input
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
