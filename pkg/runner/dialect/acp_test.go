package dialect_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

// acp is the output of a turn with these updates.
func acp(updates ...string) string {
	var out strings.Builder
	for _, u := range updates {
		event := "update"
		if allowed, ok := strings.CutPrefix(u, "allowed "); ok {
			event, u = "permission", allowed
		}
		fmt.Fprintf(&out, `{"type":%q,"update":%s}`+"\n", event, u)
	}
	return out.String() + `{"type":"result","ok":true,"stopReason":"end_turn"}` + "\n"
}

// TestWhatAgentsOfACPTell holds what the recorded streams do not have: the protocol
// leaves it to an agent what it tells of a call, and when.
func TestWhatAgentsOfACPTell(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []string
		want string
	}{
		"a call that is told at once": {
			[]string{`{"sessionUpdate":"tool_call","toolCallId":"1","title":"Read a","kind":"read","status":"completed","rawInput":{"path":"a"},"rawOutput":"text"}`},
			`{"type":"tool-call","callId":"1","tool":"Read a","arguments":{"path":"a"}}
{"type":"tool-result","callId":"1","ok":true,"output":"text"}`,
		},
		"a call without arguments, which says where it works": {
			[]string{
				`{"sessionUpdate":"tool_call","toolCallId":"1","title":"Edit a","status":"in_progress","content":[],"locations":[{"path":"/workspace/a"}]}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"1","status":"completed","content":[{"type":"diff","path":"/workspace/a","newText":"x"}]}`,
			},
			`{"type":"tool-call","callId":"1","tool":"Edit a","arguments":{"locations":[{"path":"/workspace/a"}]}}
{"type":"tool-result","callId":"1","ok":true,"output":"[diff /workspace/a]"}`,
		},
		"a call that is told by the question alone": {
			[]string{
				`allowed {"toolCallId":"1","title":"Write a","status":"pending","content":[{"type":"diff","path":"a"}],"locations":[]}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"1","status":"failed","content":[{"type":"content","content":{"type":"text","text":"no"}}]}`,
			},
			`{"type":"tool-call","callId":"1","tool":"Write a"}
{"type":"tool-result","callId":"1","ok":false,"output":"no"}`,
		},
		"arguments that come later, and an output before the end": {
			[]string{
				`{"sessionUpdate":"tool_call","toolCallId":"1","title":"bash","status":"pending","rawInput":{}}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"1","rawInput":{"command":"ls"},"title":"List"}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"1","status":"in_progress","content":[{"type":"content","content":{"type":"text","text":"a"}}]}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"1","status":"in_progress","content":[{"type":"content","content":{"type":"text","text":"a\nb"}},{"type":"terminal","terminalId":"t"}]}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"1","status":"completed"}`,
			},
			`{"type":"tool-call","callId":"1","tool":"bash","arguments":{"command":"ls"}}
{"type":"tool-result","callId":"1","ok":true,"output":"a\nb\n[terminal]"}`,
		},
		"a tool's own output": {
			[]string{
				`{"sessionUpdate":"tool_call","toolCallId":"1","title":"x","status":"failed","rawOutput":{"error":"denied"}}`,
				`{"sessionUpdate":"tool_call","toolCallId":"2","title":"x","status":"completed","content":null,"rawOutput":{"n":1}}`,
			},
			`{"type":"tool-call","callId":"1","tool":"x"}
{"type":"tool-result","callId":"1","ok":false,"output":"denied"}
{"type":"tool-call","callId":"2","tool":"x"}
{"type":"tool-result","callId":"2","ok":true,"output":"{\"n\":1}"}`,
		},
		"a call that never ran is none": {
			[]string{`{"sessionUpdate":"tool_call","toolCallId":"1","title":"x","status":"pending","rawInput":{}}`}, ``,
		},
		"an end that is told twice, and an id that is used again": {
			[]string{
				`{"sessionUpdate":"tool_call","toolCallId":"1","title":"x","status":"completed"}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"1","status":"completed"}`,
				`{"sessionUpdate":"tool_call","toolCallId":"1","title":"y","status":"completed"}`,
			},
			`{"type":"tool-call","callId":"1","tool":"x"}
{"type":"tool-result","callId":"1","ok":true,"output":""}
{"type":"tool-call","callId":"1","tool":"y"}
{"type":"tool-result","callId":"1","ok":true,"output":""}`,
		},
		"messages that have names, and what is no text": {
			[]string{
				`{"sessionUpdate":"agent_message_chunk","messageId":"1","content":{"type":"text","text":"a"}}`,
				`{"sessionUpdate":"agent_thought_chunk","messageId":"1","content":{"type":"text","text":"hm"}}`,
				`{"sessionUpdate":"agent_message_chunk","messageId":"1","content":{"type":"text","text":"b"}}`,
				`{"sessionUpdate":"agent_message_chunk","messageId":"2","content":{"type":"image","data":"AAAA"}}`,
				`{"sessionUpdate":"agent_message_chunk","messageId":"2","content":{"type":"resource_link","uri":"file:///a","name":"a"}}`,
			},
			`{"type":"message-delta","text":"a"}
{"type":"reasoning","text":"hm"}
{"type":"message-delta","text":"b"}
{"type":"message","text":"ab"}
{"type":"message-delta","text":"[image]"}
{"type":"message-delta","text":"file:///a"}
{"type":"message","text":"[image]file:///a"}`,
		},
		"what a frame has no place for": {
			[]string{
				`{"sessionUpdate":"available_commands_update","availableCommands":[]}`,
				`{"sessionUpdate":"current_mode_update","currentModeId":"x"}`, `{"sessionUpdate":"config_option_update","configOptions":[]}`,
				`{"sessionUpdate":"session_info_update","title":"x"}`, `{"sessionUpdate":"usage_update","used":1,"size":2}`,
				`{"sessionUpdate":"user_message_chunk","content":{"type":"text","text":"x"}}`,
			}, ``,
		},
	} {
		bodies, result := parse(t, runnerv2.Stream{Dialect: dialect.ACP}, []byte(acp(c.in...)), 7)
		got, _, _ := strings.Cut(render(t, bodies, result), "result {")
		if diff := cmp.Diff(c.want, strings.TrimSpace(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if result.Unknown != 0 || !result.Terminal || result.Failed {
			t.Errorf("%s: %+v", name, result)
		}
	}
}

// A turn that is cut off keeps what was said, and is not taken for whole.
func TestACPCutOff(t *testing.T) {
	t.Parallel()
	in := `{"type":"session","session":"s"}` + "\n" + `{"type":"update","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"I be"}}}` + "\n"
	if _, r := parse(t, runnerv2.Stream{Dialect: dialect.ACP}, []byte(in), 9); r.Terminal || r.Reply != "I be" || r.SessionRef != "s" {
		t.Errorf("%+v", r)
	}
}

// Lines of other types and of other shapes are counted, and end nothing.
func TestACPSurvivesAnything(t *testing.T) {
	t.Parallel()
	in := strings.Join([]string{
		`not JSON`, `[]`, `{`, `{"type":7}`, `{"type":"new"}`, `{"type":"update"}`, `{"type":"update","update":7}`, `{"type":"update","update":{}}`,
		`{"type":"update","update":{"sessionUpdate":"from_the_future"}}`, `{"type":"update","update":{"sessionUpdate":"tool_call","toolCallId":{}}}`,
		`{"type":"update","update":{"sessionUpdate":"agent_message_chunk","content":[7]}}`, `{"type":"permission","update":[]}`,
		`{"type":"noise","text":"Segmentation fault"}`, `{"type":"warning"}`, `{"type":"result","stopReason":"for another reason","error":"no"}`, "\xff\xfe",
	}, "\n")
	bodies, r := parse(t, runnerv2.Stream{Dialect: dialect.ACP}, []byte(in), 5)
	render(t, bodies, r) // each of them is valid
	if r.Unknown < 12 || r.Noise == "" || !r.Terminal || !r.Failed || r.Error != "no" {
		t.Errorf("%+v", r)
	}
}

// TestACPHoldsLittle: what is kept of calls that do not end, and of an answer that does
// not, is bounded.
func TestACPHoldsLittle(t *testing.T) { // not parallel: it looks at the memory in use
	p, err := dialect.New(runnerv2.Stream{Dialect: dialect.ACP})
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 64<<10)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	feed := func(update string) { p.Feed([]byte(`{"type":"update","update":` + update + "}\n")) }
	for i := range 250 {
		feed(fmt.Sprintf(`{"sessionUpdate":"tool_call","toolCallId":"%d","title":"%s","status":"in_progress","rawOutput":"%[2]s","locations":["%[2]s"]}`, i, big))
	}
	for range 40 {
		feed(`{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"` + big + `"}}`)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := int64(after.HeapAlloc) - int64(before.HeapAlloc); n > 12<<20 {
		t.Errorf("%d MiB are held", n>>20)
	}
	bodies := p.Feed([]byte(`{"type":"result","ok":true}` + "\n"))
	if m, ok := bodies[0].(wsv2.Message); !ok || len(m.Text) > dialect.MaxMessage+100 {
		t.Errorf("a message of %d bytes", len(m.Text))
	}
	if _, r := p.End(); !r.Terminal {
		t.Errorf("%+v", r.Terminal)
	}
}

// Of calls that begin and do not end so many are kept and shown; one that ends makes
// room for another.
func TestACPAwaitsSoMany(t *testing.T) {
	t.Parallel()
	const most = 1024
	p, err := dialect.New(runnerv2.Stream{Dialect: dialect.ACP})
	if err != nil {
		t.Fatal(err)
	}
	feed := func(id int, status string) int {
		return len(p.Feed(fmt.Appendf(nil, `{"type":"update","update":{"sessionUpdate":"tool_call","toolCallId":"%d","title":"x","status":%q}}`+"\n", id, status)))
	}
	shown := 0
	for i := range most + 100 {
		shown += feed(i, "in_progress")
	}
	if shown != most {
		t.Errorf("%d calls are shown of %d", shown, most+100)
	}
	if n := feed(0, "completed"); n != 1 {
		t.Errorf("%d frames of an end", n)
	}
	if first, second := feed(most, "in_progress"), feed(most+1, "in_progress"); first != 1 || second != 0 {
		t.Errorf("%d and %d calls are shown where there is room for one", first, second)
	}
}

func FuzzACP(f *testing.F) {
	fuzz(f, runnerv2.Stream{Dialect: dialect.ACP, MaxLine: 400},
		acp(`{"sessionUpdate":"agent_message_chunk","messageId":"1","content":{"type":"text","text":"\ud800"}}`, `{"sessionUpdate":"tool_call","toolCallId":"1","title":"x","rawInput":[1]}`),
		acp(`{"sessionUpdate":"tool_call_update","toolCallId":"1","status":"failed","content":[{"type":"diff"}],"locations":["`+"\xff"+`"]}`, `allowed {"toolCallId":"1"}`),
		`{"type":"session","session":"s"}`+"\r\n", `{"type":"noise","text":"x"}`, `{"type":"warning","error":"x","code":"y"}`, `{"type":"result","error":"x","stopReason":"y"}`)
}
