package dialect_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

func TestUnknownDialect(t *testing.T) {
	t.Parallel()
	if _, err := dialect.New(runnerv2.Stream{Dialect: "morse"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want invalid", err)
	}
	for _, name := range dialect.Names() {
		if _, err := dialect.New(runnerv2.Stream{Dialect: name}); err != nil {
			t.Error(err)
		}
	}
}

func TestTooLongALineIsDroppedAndSaid(t *testing.T) {
	t.Parallel()
	in := `{"type":"text-delta","text":"a"}` + "\n" +
		`{"type":"text-delta","text":"` + strings.Repeat("x", 200) + `"}` + "\n" +
		`{"type":"text-delta","text":"b"}` + "\n"
	for _, size := range []int{1, 7, 99, 100, 101, 1000} {
		bodies, result := parse(t, runnerv2.Stream{Dialect: dialect.VexaNDJSON, MaxLine: 100}, []byte(in), size)
		want := []wsv2.Body{
			wsv2.MessageDelta{Text: "a"},
			wsv2.Error{Code: "invalid", Message: "the runner printed a line of 231 bytes, which is over its limit of 100: it was dropped"},
			wsv2.MessageDelta{Text: "b"},
		}
		if diff := cmp.Diff(want, bodies); diff != "" || result.Unknown != 1 {
			t.Errorf("chunks of %d: unknown %d, bodies (-want +got):\n%s", size, result.Unknown, diff)
		}
	}
}

// A line far beyond the 64 KiB of bufio.Scanner arrives.
func TestHugeLine(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("é", 3<<20)
	in := fmt.Sprintf(`{"type":"text-delta","text":"%s"}`+"\n"+`{"type":"result","ok":true,"reply":"done"}`, text)
	bodies, result := parse(t, runnerv2.Stream{Dialect: dialect.VexaNDJSON}, []byte(in), 64<<10)
	var got strings.Builder
	for _, b := range bodies {
		d := b.(wsv2.MessageDelta)
		if len(d.Text) > dialect.MaxDelta || !utf8.ValidString(d.Text) {
			t.Fatalf("a delta of %d bytes, valid %v", len(d.Text), utf8.ValidString(d.Text))
		}
		got.WriteString(d.Text)
	}
	if got.String() != text || !result.Terminal || result.Unknown != 0 {
		t.Errorf("%d bytes arrived of %d; %+v", got.Len(), len(text), result.Unknown)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 2<<20)
	in := fmt.Sprintf(`{"type":"message","text":"%[1]s"}
{"type":"tool-call","id":"1","name":"n","arguments":{"a":"%[1]s"}}
{"type":"tool-call","id":"","name":"","arguments":[1, 2]}
{"type":"tool-result","id":"1","ok":true,"output":"%[1]s"}
{"type":"result","ok":true,"reply":"%[1]s"}`, big)
	bodies, result := parse(t, runnerv2.Stream{Dialect: dialect.VexaNDJSON}, []byte(in), 1<<20)
	if m := bodies[0].(wsv2.Message); len(m.Text) > dialect.MaxMessage+100 || !strings.HasSuffix(m.Text, "more bytes]") {
		t.Errorf("a message of %d bytes", len(m.Text))
	}
	if c := bodies[1].(wsv2.ToolCall); string(c.Arguments) != fmt.Sprintf(`{"bytes":%d}`, len(big)+8) {
		t.Errorf("arguments are %.100s", c.Arguments)
	}
	if c := bodies[2].(wsv2.ToolCall); string(c.Arguments) != `{"value":[1,2]}` || c.CallID == "" || c.Tool == "" {
		t.Errorf("call is %+v", c)
	}
	if r := bodies[3].(wsv2.ToolResult); len(r.Output) != dialect.MaxOutput || !r.Truncated {
		t.Errorf("output of %d bytes, truncated %v", len(r.Output), r.Truncated)
	}
	if len(result.Reply) > dialect.MaxMessage+100 {
		t.Errorf("reply of %d bytes", len(result.Reply))
	}
	_, text := parse(t, runnerv2.Stream{Dialect: dialect.Text}, []byte(big), 1000)
	if want := fmt.Sprintf("\n[%d more bytes]", len(big)-dialect.MaxMessage); !strings.HasSuffix(text.Reply, want) {
		t.Errorf("the text reply ends with %q, want %q", text.Reply[len(text.Reply)-40:], want)
	}
}

func TestTextStreamsBeforeTheLineIsComplete(t *testing.T) {
	t.Parallel()
	p, err := dialect.New(runnerv2.Stream{Dialect: dialect.Text})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]wsv2.Body{wsv2.MessageDelta{Text: "50%"}}, p.Feed([]byte("50%"))); diff != "" {
		t.Error(diff)
	}
	if got := p.Feed([]byte("\xe2")); len(got) != 0 {
		t.Errorf("half a character came out as %v", got)
	}
	if diff := cmp.Diff([]wsv2.Body{wsv2.MessageDelta{Text: "€"}}, p.Feed([]byte("\x82\xac"))); diff != "" {
		t.Error(diff)
	}
}

func fuzz(f *testing.F, stream runnerv2.Stream, seeds ...string) {
	f.Helper()
	for _, s := range seeds {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 1 {
			size = 1
		}
		bodies, result := parse(t, stream, data, size)
		got := render(t, joined(bodies), result) // validates every frame
		whole, wholeResult := parse(t, stream, data, max(len(data), 1))
		if want := render(t, joined(whole), wholeResult); got != want {
			t.Fatalf("chunks of %d give\n%s\nat once\n%s", size, got, want)
		}
		for _, b := range bodies {
			if d, ok := b.(wsv2.MessageDelta); ok && (d.Text == "" || !utf8.ValidString(d.Text)) {
				t.Fatalf("delta %q", d.Text)
			}
		}
	})
}

func FuzzVexaNDJSON(f *testing.F) {
	fuzz(f, runnerv2.Stream{Dialect: dialect.VexaNDJSON, MaxLine: 200},
		`{"type":"init","session":"s"}`+"\n"+`{"type":"tool-call","id":"1","name":"x","arguments":{}}`+"\n",
		`{"type":"text-delta","text":"\ud800"}`+"\r\n", "{\n", `{"type":"result","ok":true}`, strings.Repeat("x", 201)+"\n",
		`{"type":"tool-call","arguments":"`+"\xff"+`"}`, `{"type":"error"}`)
}

// FuzzAgents feeds the same bytes to the dialects of the vendors' agents.
func FuzzAgents(f *testing.F) {
	for _, seed := range []string{
		`{"type":"stream_event","event":{"delta":{"type":"text_delta","text":"a"}}}` + "\n", `{"type":"assistant","message":{"content":[{"type":"tool_use","id":"1","name":"Write","input":{}}]}}` + "\n",
		`{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"\ud800"}]}]}}` + "\n", `{"type":"result","is_error":true}`,
		`{"type":"thread.started","thread_id":"x"}` + "\n" + `{"type":"item.completed","item":{"id":"1","type":"command_execution","exit_code":1}}` + "\n", `{"type":"turn.failed"}`,
		`{"type":"tool_use","part":{"tool":"write","callID":"1","state":{"status":"completed","input":[]}}}` + "\n", `{"type":"from-the-future, ` + "\x1b" + `"}`,
	} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		for _, name := range []string{dialect.ClaudeNDJSON, dialect.CodexJSONL, dialect.OpencodeNDJSON, dialect.GeminiNDJSON, dialect.PiJSONL, dialect.ACP} {
			s := runnerv2.Stream{Dialect: name, MaxLine: 200}
			bodies, result := parse(t, s, data, int(size)+1)
			render(t, bodies, result)
		}
	})
}

func FuzzText(f *testing.F) {
	fuzz(f, runnerv2.Stream{Dialect: dialect.Text}, "plain\n", "\xe2\x82", "\xf0\x9f\x98\x80", "\xff\xfe\x00", "é\xc3")
}

func BenchmarkVexaDeltas(b *testing.B) {
	line := []byte(`{"type":"text-delta","text":"some words of an answer"}` + "\n")
	p, err := dialect.New(runnerv2.Stream{Dialect: dialect.VexaNDJSON})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		p.Feed(line)
	}
}

// A tool's arguments of 200 KB, small members and text, are made fit for a frame.
func BenchmarkArguments(b *testing.B) {
	for name, arguments := range map[string]string{
		"members": `{"list":[` + strings.Repeat(`{"a":1,"b":"c"},`, 12_000) + `0]}`,
		"text":    `{"content":"` + strings.Repeat(`some code = \"of a file\"\n`, 7_000) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			line := []byte(`{"type":"tool-call","id":"1","name":"x","arguments":` + arguments + "}\n")
			p, err := dialect.New(runnerv2.Stream{Dialect: dialect.VexaNDJSON})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				p.Feed(line)
			}
		})
	}
}
