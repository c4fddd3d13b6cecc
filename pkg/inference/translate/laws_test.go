package translate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// maker makes requests and answers that a protocol can say all of.
type maker struct {
	*rand.Rand
	p inference.Protocol
	n int
}

func (m *maker) coin() bool { return m.IntN(2) == 0 }

// word is one that was not there before, with what JSON and SSE take care of.
func (m *maker) word() string {
	m.n++
	return fmt.Sprintf("w%d%s", m.n, []string{"", " \"x\"", "\n\nb", "é<&>\u2028", `\u0041`, "data: {}"}[m.IntN(6)])
}

func (m *maker) id() string {
	m.n++
	return fmt.Sprintf("id_%d", m.n)
}

func (m *maker) request() *Request {
	r := &Request{MaxTokens: minOutputTokens + m.Int64N(9000)}
	if m.p != ownGemini { // whose path says both
		r.Model, r.Stream = "m", m.coin()
	}
	if m.coin() {
		r.Temperature = new(m.Float64())
		if m.p != ownMessages { // whose newer models refuse both
			r.TopP = new(m.Float64())
		}
	}
	if m.coin() {
		r.Effort = []string{"low", "medium", "high", "xhigh"}[m.IntN(4)]
		if m.p == ownGemini && r.Effort == "xhigh" {
			r.Effort = "minimal"
		}
	}
	if m.p != ownGemini && m.coin() {
		r.User = m.id()
	}
	m.tools(r)
	m.own(r)
	if m.coin() {
		r.Format = &Format{Type: "json_schema", Schema: json.RawMessage(`{"type":"object"}`)}
		if m.p != ownMessages && m.p != ownGemini {
			r.Format.Name, r.Format.Description, r.Format.Strict = m.id(), m.word(), m.coin()
		}
	}
	m.conversation(r)
	return r
}

// hasFreeform reports whether tools can take text instead of JSON.
func (m *maker) hasFreeform() bool { return m.p == ownResponses || m.p == ownChat }

// own sets what not every protocol has.
func (m *maker) own(r *Request) {
	if m.p != ownResponses && m.coin() {
		r.Stop = []string{m.word(), m.word()}
	}
	switch m.p {
	case ownMessages:
		if m.coin() {
			r.Thinking = Thinking{"enabled", 1024}
		}
	case ownResponses:
		r.Verbosity, r.Summary, r.CacheKey = "low", "auto", m.id()
		r.Metadata = map[string]string{"a": m.word()}
	case ownChat:
		r.Verbosity, r.StreamUsage = "low", r.Stream
	}
}

func (m *maker) tools(r *Request) {
	for range m.IntN(4) {
		t := Tool{Name: m.id(), Description: m.word(), Schema: json.RawMessage(`{"type":"object","properties":{}}`), Strict: m.p != ownGemini && m.coin()}
		r.Tools = append(r.Tools, t)
	}
	if m.hasFreeform() && m.coin() {
		r.Tools = append(r.Tools, Tool{Name: m.id(), Description: m.word(), Freeform: true, Format: json.RawMessage(`{"type":"text"}`)})
	}
	if m.p == ownResponses && m.coin() {
		for range 2 {
			r.Tools = append(r.Tools, Tool{Namespace: "mcp__a", Name: m.id(), Schema: json.RawMessage(`{}`)})
		}
	}
	if len(r.Tools) == 0 {
		return
	}
	r.Choice.Mode = []ChoiceMode{ChooseAuto, ChooseAny, ChooseTool}[m.IntN(3)]
	if r.Choice.Mode == ChooseTool {
		r.Choice.Name = r.Tools[0].Name
	}
	if m.p != ownGemini && m.coin() {
		r.Parallel = new(m.coin())
	}
}

func (m *maker) conversation(r *Request) {
	systems := m.IntN(3)
	if m.p == ownChat {
		systems = min(systems, 1)
	}
	for range systems {
		r.Items = append(r.Items, Item{Role: System, Kind: Text, Text: m.word()})
	}
	var open []ToolCall
	for range 1 + m.IntN(4) {
		for _, c := range open {
			r.Items = append(r.Items, m.result(c))
		}
		r.Items = append(r.Items, m.said()...)
		turn := m.turn()
		open = nil
		for _, i := range turn {
			if i.Kind == Call {
				open = append(open, i.Call)
			}
		}
		r.Items = append(r.Items, turn...)
		if m.p == ownResponses && m.coin() {
			r.Items = append(r.Items, Item{Role: System, Kind: Text, Text: m.word()})
		}
	}
}

// said is what a user says.
func (m *maker) said() []Item {
	out := []Item{{Role: User, Kind: Text, Text: m.word()}}
	if m.coin() {
		out = append(out, Item{Role: User, Kind: Image, Media: Media{Type: "image/png", Data: "AAAA"}}, Item{Role: User, Kind: Text, Text: m.word()})
	}
	if m.p != ownGemini && m.coin() {
		out = append(out, Item{Role: User, Kind: Image, Media: Media{URL: "https://example.com/a"}})
	}
	if m.coin() {
		file := Media{Type: "application/pdf", Data: "AAAA"}
		if m.p != ownGemini {
			file.Name = m.id()
		}
		out = append(out, Item{Role: User, Kind: File, Media: file})
	}
	return out
}

// turn is what a model answers.
func (m *maker) turn() []Item {
	var out []Item
	if m.coin() {
		o := Opaque{Origin: m.p}
		switch m.p {
		case ownMessages:
			o.Data = m.id()
		case ownResponses:
			o.ID, o.Data = m.id(), m.id()
		case ownGemini:
			o.Data = []string{"", m.id()}[m.IntN(2)]
		}
		out = append(out, Item{Role: Assistant, Kind: Reasoning, Text: m.word(), Opaque: o})
	}
	if (m.p == ownMessages || m.p == ownGemini && len(out) == 0) && m.coin() {
		out = append(out, Item{Role: Assistant, Kind: Reasoning, Opaque: Opaque{Origin: m.p, Data: m.id(), Redacted: true}})
	}
	if m.coin() {
		out = append(out, Item{Role: Assistant, Kind: Text, Text: m.word()})
	}
	for range 1 + m.IntN(2) {
		c := ToolCall{ID: m.id(), Name: m.id(), Arguments: compact(marshal(map[string]string{"a": m.word()}))}
		if m.p == ownResponses && m.coin() {
			c.Namespace = "mcp__a"
		}
		if m.hasFreeform() && m.coin() {
			c.Freeform, c.Arguments = true, m.word()
		}
		out = append(out, Item{Role: Assistant, Kind: Call, Call: c})
	}
	return out
}

func (m *maker) result(c ToolCall) Item {
	r := ToolResult{CallID: c.ID, Freeform: c.Freeform && m.p == ownResponses, Error: (m.p == ownMessages || m.p == ownGemini) && m.coin()}
	if m.coin() {
		r.Content = append(r.Content, Item{Role: User, Kind: Text, Text: m.word()})
	}
	if m.p != ownChat && m.p != ownGemini && m.coin() {
		r.Content = append(r.Content, Item{Role: User, Kind: Image, Media: Media{Type: "image/png", Data: "AAAA"}})
	}
	return Item{Role: User, Kind: Result, Result: r}
}

// What a protocol can say comes back from it as it was, and nothing is lost.
func TestRequestsComeBack(t *testing.T) {
	t.Parallel()
	for _, p := range protocols() {
		for seed := range uint64(500) {
			m := &maker{Rand: rand.New(rand.NewPCG(seed, 1)), p: p}
			want := m.request()
			lost := Lost{}
			body, err := codecOf(p).encodeRequest(want, lost)
			if err != nil {
				t.Fatal(err)
			}
			got, err := codecOf(p).decodeRequest(body, jsoncut.Outline{}, lost)
			if err != nil {
				t.Fatalf("%s, seed %d: %v\n%s", p, seed, err, body)
			}
			if diff := cmp.Diff(want, got); diff != "" || len(lost) > 0 {
				t.Fatalf("%s, seed %d, lost %v: -want +got\n%s\n%s", p, seed, lost, diff, body)
			}
		}
	}
}

func (m *maker) answer() *Answer {
	a := &Answer{Model: "m", Items: m.turn(), Stop: StopTool, Usage: Usage{Input: 100 + m.Int64N(9), Output: 50 + m.Int64N(9), CacheRead: m.Int64N(9), Known: true}}
	switch m.p {
	case ownMessages:
		a.Usage.CacheWrite = m.Int64N(9)
	default:
		a.Usage.Reasoning = m.Int64N(9)
	}
	if m.coin() {
		a.Items = slices.DeleteFunc(a.Items, func(i Item) bool { return i.Kind == Call })
		a.Stop = []StopReason{StopEnd, StopLength}[m.IntN(2)]
		if m.p == ownMessages && m.coin() {
			a.Stop, a.StopSequence = StopSequence, m.word()
		}
	}
	return a
}

// An answer comes back as it was, whole and as a stream, in pieces of any size.
func TestAnswersComeBack(t *testing.T) {
	t.Parallel()
	for _, p := range protocols() {
		for seed := range uint64(500) {
			m := &maker{Rand: rand.New(rand.NewPCG(seed, 2)), p: p}
			want := m.answer()
			body, err := codecOf(p).encodeAnswer(want, head{id: "1"})
			if err != nil {
				t.Fatal(err)
			}
			got, err := codecOf(p).decodeAnswer(body, "seed")
			if err != nil {
				t.Fatalf("%s: %v\n%s", p, err, body)
			}
			plain(want, got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s, seed %d: -want +got\n%s\n%s", p, seed, diff, body)
			}
			var stream []byte
			w := codecOf(p).writer(head{id: "1", usage: true})
			for _, e := range want.events() {
				for _, e := range pieces(m.Rand, e) {
					stream = w.write(stream, e)
				}
			}
			got = collected(t, p, stream)
			plain(want, got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s, seed %d, streamed: -want +got\n%s\n%s", p, seed, diff, stream)
			}
		}
	}
}

// plain takes out what an encoder makes anew: ids of an answer and its items.
func plain(all ...*Answer) {
	for _, a := range all {
		a.ID = ""
		if len(a.Items) == 0 {
			a.Items = nil
		}
		for i := range a.Items {
			a.Items[i].Opaque.ID, a.Items[i].Opaque.Closes = "", false
		}
	}
}

// pieces cuts a delta.
func pieces(r *rand.Rand, e Event) []Event {
	if e.Kind != Delta || len(e.Text) < 2 {
		return []Event{e}
	}
	cut := 1 + r.IntN(len(e.Text)-1)
	for cut < len(e.Text) && e.Text[cut]&0xc0 == 0x80 {
		cut++
	}
	a, b := e, e
	a.Text, b.Text = e.Text[:cut], e.Text[cut:]
	if b.Text == "" {
		return []Event{a}
	}
	return append([]Event{a}, pieces(r, b)...)
}

// Reasoning goes through a client of another protocol and comes back to its own.
func TestReasoningComesBack(t *testing.T) {
	t.Parallel()
	for _, provider := range protocols() {
		for _, client := range protocols() {
			if client == provider || client == ownChat { // whose clients give no reasoning back
				continue
			}
			o := Opaque{Origin: provider, Data: "c2lnbmVk"}
			if provider == ownChat {
				o.Data = ""
			}
			a := &Answer{Items: []Item{
				{Role: Assistant, Kind: Reasoning, Text: "thought", Opaque: o},
				{Role: Assistant, Kind: Call, Call: ToolCall{ID: "call_1", Name: "t", Arguments: "{}"}},
			}, Stop: StopTool}
			body, err := codecOf(client).encodeAnswer(a, head{id: "1"})
			if err != nil {
				t.Fatal(err)
			}
			back, err := codecOf(client).decodeAnswer(body, "")
			if err != nil {
				t.Fatal(err)
			}
			lost := Lost{}
			sent, err := codecOf(provider).encodeRequest(&Request{Items: back.Items}, lost)
			if err != nil || !bytes.Contains(sent, []byte(`"thought"`)) || !bytes.Contains(sent, []byte(o.Data)) || len(lost) > 0 {
				t.Errorf("%s by %s: %v, lost %v\n%s", provider, client, err, lost, sent)
			}
			for _, other := range protocols() { // and to no other
				if other == provider {
					continue
				}
				lost := Lost{}
				sent, err := codecOf(other).encodeRequest(&Request{Items: back.Items}, lost)
				if err != nil || bytes.Contains(sent, []byte(`"thought"`)) || !reflect.DeepEqual(lost, Lost{"reasoning": 1}) {
					t.Errorf("%s by %s to %s: %v, lost %v\n%s", provider, client, other, err, lost, sent)
				}
			}
		}
	}
}

// FuzzTranslate: whatever a client sends is refused or becomes a request that the
// provider's protocol can say.
func FuzzTranslate(f *testing.F) {
	for i, in := range inputs(f, "requests", ".json") {
		f.Add(in.data, i%4, (i+1)%4)
	}
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":null}]}],"tools":[null],"system":null}`), 0, 1)
	f.Add([]byte(`{"input":[{"type":"message","role":"user","content":null},{"type":"reasoning"},null],"tools":[{"type":"namespace","tools":[{}]}]}`), 1, 2)
	f.Fuzz(func(t *testing.T, data []byte, from, to int) {
		all := protocols()
		client, provider := all[uint(from)%uint(len(all))], all[uint(to)%uint(len(all))]
		if client == provider {
			return
		}
		tr, err := New(client, provider, data, options())
		if err != nil {
			return
		}
		if _, err := codecOf(provider).decodeRequest(tr.Body(), jsoncut.Outline{}, Lost{}); err != nil {
			t.Fatalf("%s to %s: %s became %s: %v", client, provider, data, tr.Body(), err)
		}
	})
}

// FuzzStream: whatever a provider sends, cut anywhere, the client gets the same,
// and is told one end.
func FuzzStream(f *testing.F) {
	for i, in := range inputs(f, "streams", ".sse") {
		f.Add(in.data, i%4, (i+1)%4, 7)
	}
	f.Add([]byte("data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":-5},{}]}}]}\n\ndata: [DONE]"), 2, 0, 3)
	f.Add([]byte("data: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"message\"}}\r\n\r\n\ndata\n"), 1, 0, 1)
	f.Fuzz(func(t *testing.T, data []byte, from, to, size int) {
		all := protocols()
		provider, client := all[uint(from)%uint(len(all))], all[uint(to)%uint(len(all))]
		_, _ = Read(provider, data) // whatever it is, it does not panic
		if client == provider || size < 1 {
			return
		}
		want := answered(translation(t, client, provider), data, len(data)+1)
		if got := answered(translation(t, client, provider), data, size); !bytes.Equal(got, want) {
			t.Fatalf("in pieces of %d:\n%s\nwhole:\n%s", size, got, want)
		}
		ends := 0
		for _, end := range []string{
			"data: {\"type\":\"message_stop\"}", "event: error\ndata: {\"error\"", "\ndata: [DONE]", "data: {\"error\":{\"code\":null",
			"event: response.completed", "event: response.incomplete", "event: response.failed",
			`"finishReason":"`, "\n{\"error\":{\"code\":500,",
		} {
			ends += bytes.Count(append([]byte("\n"), want...), []byte(end))
		}
		if ends != 1 {
			t.Fatalf("the client is told %d ends:\n%s", ends, want)
		}
	})
}

// FuzzAnswer: whatever a provider sends is an error or becomes JSON.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"choices":[{"message":{"content":null,"tool_calls":[{"function":null}]}}],"usage":null}`), 2, 0)
	f.Add([]byte(`{"content":[{"type":"text"},{"type":"tool_use","input":[]}],"usage":{"input_tokens":-1}}`), 0, 1)
	f.Add([]byte(`{"output":[{"type":"message"},{"type":"reasoning"},{"type":"function_call"}]}`), 1, 2)
	f.Fuzz(func(t *testing.T, data []byte, from, to int) {
		all := protocols()
		provider, client := all[uint(from)%uint(len(all))], all[uint(to)%uint(len(all))]
		if client == provider {
			return
		}
		tr := translation(t, client, provider)
		tr.stream = false
		if got, err := tr.Answer(data); err == nil && !json.Valid(got) {
			t.Fatalf("%s became %s", data, got)
		}
	})
}
