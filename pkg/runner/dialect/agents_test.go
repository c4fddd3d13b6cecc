package dialect_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
)

// TestWhatAgentsPrint holds what the recorded streams do not have: lines are as
// the agents print them, less what is not looked at.
func TestWhatAgentsPrint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ dialect, in, want string }{
		"claude tries again": {
			"claude-ndjson", `{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,"error_status":429,"error":"rate_limit","session_id":"s"}`,
			`{"type":"error","code":"daemon_unreachable","message":"the model did not answer (429 rate_limit); try 1 of 10"}`,
		},
		"claude thinks, in pieces": {
			"claude-ndjson", `{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"hm"}}}
{"type":"assistant","message":{"content":[{"type":"thinking","thinking":"hm"}]}}`,
			`{"type":"reasoning","text":"hm"}`,
		},
		"claude thinks, whole": {
			"claude-ndjson", `{"type":"assistant","message":{"content":[{"type":"thinking","thinking":"hm"}]}}`,
			`{"type":"reasoning","text":"hm"}`,
		},
		"a subagent of claude": {
			"claude-ndjson", `{"type":"stream_event","event":{"delta":{"type":"text_delta","text":"x"}},"parent_tool_use_id":"t"}
{"type":"assistant","message":{"content":[{"type":"text","text":"x"},{"type":"tool_use","id":"1","name":"Bash","input":{"command":"ls"}}]},"parent_tool_use_id":"t"}
{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"a"},{"type":"image"}]}]},"parent_tool_use_id":"t"}`,
			`{"type":"tool-call","callId":"1","tool":"Bash","arguments":{"command":"ls"}}
{"type":"tool-result","callId":"1","ok":true,"output":"a\n[image]"}`,
		},
		"claude fails before it began": {
			"claude-ndjson", `{"type":"result","subtype":"error_during_execution","is_error":true,"errors":["No conversation found"],"session_id":"s"}`, ``,
		},
		"codex and its tools": {
			"codex-jsonl", `{"type":"item.started","item":{"id":"i0","type":"mcp_tool_call","server":"vexa","tool":"ping","arguments":{"msg":"x"},"status":"in_progress"}}
{"type":"item.completed","item":{"id":"i0","type":"mcp_tool_call","server":"vexa","tool":"ping","arguments":{"msg":"x"},"result":{"content":[{"type":"text","text":"pong"}]},"error":null,"status":"completed"}}
{"type":"item.completed","item":{"id":"i1","type":"mcp_tool_call","server":"vexa","tool":"ping","result":null,"error":{"message":"refused"},"status":"failed"}}
{"type":"item.completed","item":{"id":"i2","type":"file_change","changes":[{"path":"/workspace/a","kind":"add"}],"status":"completed"}}
{"type":"item.started","item":{"id":"i3","type":"command_execution","command":"false","aggregated_output":"","exit_code":null,"status":"in_progress"}}
{"type":"item.completed","item":{"id":"i3","type":"command_execution","command":"false","aggregated_output":"no","exit_code":1,"status":"completed"}}
{"type":"item.completed","item":{"id":"i4","type":"reasoning","text":"hm"}}
{"type":"item.completed","item":{"id":"i5","type":"todo_list","items":[]}}
{"type":"error","message":"Reconnecting... 1/5"}`,
			`{"type":"tool-call","callId":"i0","tool":"vexa.ping","arguments":{"msg":"x"}}
{"type":"tool-result","callId":"i0","ok":true,"output":"pong"}
{"type":"tool-call","callId":"i1","tool":"vexa.ping"}
{"type":"tool-result","callId":"i1","ok":false,"output":"refused"}
{"type":"tool-call","callId":"i2","tool":"file_change","arguments":{"changes":[{"path":"/workspace/a","kind":"add"}]}}
{"type":"tool-result","callId":"i2","ok":true,"output":""}
{"type":"tool-call","callId":"i3","tool":"shell","arguments":{"command":"false"}}
{"type":"tool-result","callId":"i3","ok":false,"output":"no"}
{"type":"reasoning","text":"hm"}
{"type":"plan","steps":[]}
{"type":"error","code":"internal","message":"Reconnecting... 1/5"}`,
		},
		"gemini and its tools": {
			"gemini-ndjson", `{"type":"init","session_id":"s","model":"m"}
{"type":"message","role":"user","content":"x"}
{"type":"message","role":"assistant","content":"I ","delta":true}
{"type":"message","role":"assistant","content":"look.","delta":true}
{"type":"tool_use","tool_name":"list","tool_id":"1","parameters":{"dir":"."}}
{"type":"tool_result","tool_id":"1","status":"success","output":"a"}
{"type":"tool_use","tool_name":"list","tool_id":"2","parameters":{}}
{"type":"tool_result","tool_id":"2","status":"error","error":{"type":"X","message":"denied"}}
{"type":"error","severity":"warning","message":"Loop detected"}
{"type":"message","role":"assistant","content":"Done","delta":true}`,
			`{"type":"message-delta","text":"I "}
{"type":"message-delta","text":"look."}
{"type":"message","text":"I look."}
{"type":"tool-call","callId":"1","tool":"list","arguments":{"dir":"."}}
{"type":"tool-result","callId":"1","ok":true,"output":"a"}
{"type":"tool-call","callId":"2","tool":"list","arguments":{}}
{"type":"tool-result","callId":"2","ok":false,"output":"denied"}
{"type":"error","code":"internal","message":"Loop detected"}
{"type":"message-delta","text":"Done"}`,
		},
		"pi thinks, fails and tries again": {
			"pi-jsonl", `{"type":"session","version":3,"id":"s","cwd":"/workspace"}
{"type":"message_update","assistantMessageEvent":{"type":"thinking_delta","contentIndex":0,"delta":"hm"}}
{"type":"message_end","message":{"role":"assistant","content":[],"stopReason":"error","errorMessage":"500: no"}}
{"type":"auto_retry_start","attempt":1,"maxAttempts":3,"delayMs":2000,"errorMessage":"500: no"}
{"type":"auto_retry_end","success":true,"attempt":1}
{"type":"message_end","message":{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"It "},{"type":"text","text":"works."}],"stopReason":"stop"}}
{"type":"tool_execution_start","toolCallId":"1","toolName":"bash","args":{"command":"x"}}
{"type":"tool_execution_update","toolCallId":"1","toolName":"bash","partialResult":{"content":[]}}
{"type":"tool_execution_end","toolCallId":"1","toolName":"bash","result":{"content":[{"type":"text","text":"no"}]},"isError":true}`,
			`{"type":"reasoning","text":"hm"}
{"type":"error","code":"daemon_unreachable","message":"the model did not answer (500: no); try 1 of 3"}
{"type":"message","text":"It works."}
{"type":"tool-call","callId":"1","tool":"bash","arguments":{"command":"x"}}
{"type":"tool-result","callId":"1","ok":false,"output":"no"}`,
		},
		"a tool of opencode fails": {
			"opencode-ndjson", `{"type":"tool_use","sessionID":"ses","part":{"tool":"bash","callID":"c","state":{"status":"error","input":{"command":"x"},"error":"denied"}}}`,
			`{"type":"tool-call","callId":"c","tool":"bash","arguments":{"command":"x"}}
{"type":"tool-result","callId":"c","ok":false,"output":"denied"}`,
		},
	} {
		bodies, result := parse(t, runnerv2.Stream{Dialect: c.dialect}, []byte(c.in+"\n"), 7)
		got, _, _ := strings.Cut(render(t, bodies, result), "result {")
		if diff := cmp.Diff(c.want, strings.TrimSpace(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if result.Unknown != 0 {
			t.Errorf("%s: %d lines are unknown", name, result.Unknown)
		}
		if name == "claude fails before it began" && (!result.Terminal || !result.Failed || result.Error != "No conversation found") {
			t.Errorf("%+v", result)
		}
	}
}

// TestAgentsSurviveAnything: lines of other types and of other shapes are
// counted, and end nothing.
func TestAgentsSurviveAnything(t *testing.T) {
	t.Parallel()
	in := strings.Join([]string{
		`not JSON`, `[]`, `{`, `{"type":7}`, `{"type":"new"}`, `{"type":"assistant","message":{"content":"text"}}`, `{"type":"user","message":{"content":[7]}}`,
		`{"type":"item.completed","item":{"type":"new","id":"x"}}`, `{"type":"item.completed","item":7}`, `{"type":"tool_use","part":"x"}`, `{"type":"turn.failed"}`, "\xff\xfe",
	}, "\n")
	for _, name := range []string{"claude-ndjson", "codex-jsonl", "opencode-ndjson", "gemini-ndjson", "pi-jsonl"} {
		bodies, result := parse(t, runnerv2.Stream{Dialect: name}, []byte(in), 5)
		render(t, bodies, result) // each of them is valid
		if result.Unknown < 5 || result.Noise == "" {
			t.Errorf("%s: %+v", name, result)
		}
	}
}

// TestHowClaudeEnds: a turn failed where either member says so, and no end takes an
// answer back.
func TestHowClaudeEnds(t *testing.T) {
	t.Parallel()
	const said = `{"type":"assistant","message":{"content":[{"type":"text","text":"It is done."}]}}` + "\n"
	for name, c := range map[string]struct {
		in     string
		failed bool
		reply  string
		why    string
	}{
		"an error that is none":     {`{"type":"result","subtype":"error_during_execution","is_error":false}`, true, "It is done.", "error_during_execution"},
		"too many turns":            {`{"type":"result","subtype":"error_max_turns","is_error":false,"errors":["no turns left"]}`, true, "It is done.", "no turns left"},
		"a failure named a success": {`{"type":"result","subtype":"success","is_error":true,"result":"no credit"}`, true, "It is done.", "no credit"},
		"an empty result":           {`{"type":"result","subtype":"success","is_error":false,"result":""}`, false, "It is done.", ""},
		"another result":            {`{"type":"result","subtype":"success","is_error":false,"result":"Done."}`, false, "Done.", ""},
	} {
		_, r := parse(t, runnerv2.Stream{Dialect: "claude-ndjson"}, []byte(said+c.in), 9)
		if !r.Terminal || r.Failed != c.failed || r.Reply != c.reply || r.Error != c.why || r.Unknown != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestClaudesOtherMessages: only the messages of the model and of the person are looked
// into; what others call a message makes no noise of them.
func TestClaudesOtherMessages(t *testing.T) {
	t.Parallel()
	for in, unknown := range map[string]int{
		`{"type":"system","subtype":"status","message":"text","session_id":"s"}`: 0,
		`{"type":"result","subtype":"success","message":7,"session_id":"s"}`:     0,
		`{"type":"assistant","message":"text","session_id":"s"}`:                 1,
	} {
		if _, r := parse(t, runnerv2.Stream{Dialect: "claude-ndjson"}, []byte(in), 9); r.Unknown != unknown || r.Noise != "" || r.SessionRef != "s" {
			t.Errorf("%s: %+v", in, r)
		}
	}
}

// TestHowOthersEnd: what was said before an end stays, and the last word of the model
// decides where the exit code says nothing.
func TestHowOthersEnd(t *testing.T) {
	t.Parallel()
	const (
		piSaid   = `{"type":"message_end","message":{"role":"assistant","content":[{"type":"text","text":"It is done."}],"stopReason":"stop"}}` + "\n"
		piFailed = `{"type":"message_end","message":{"role":"assistant","content":[],"stopReason":"error","errorMessage":"no credit"}}` + "\n"
		piEnd    = `{"type":"agent_settled"}`
		gemini   = `{"type":"message","role":"assistant","content":"It is done."}` + "\n"
	)
	for name, c := range map[string]struct {
		dialect, in      string
		terminal, failed bool
		reply, why       string
	}{
		"pi":                        {"pi-jsonl", piSaid + piEnd, true, false, "It is done.", ""},
		"pi fails":                  {"pi-jsonl", piSaid + piFailed + piEnd, true, true, "It is done.", "no credit"},
		"pi fails and goes on":      {"pi-jsonl", piFailed + piSaid + piEnd, true, false, "It is done.", ""},
		"pi is cut off":             {"pi-jsonl", piSaid, false, false, "It is done.", ""},
		"pi was aborted":            {"pi-jsonl", `{"type":"message_end","message":{"role":"assistant","stopReason":"aborted"}}` + "\n" + piEnd, true, true, "", "the turn was aborted"},
		"gemini":                    {"gemini-ndjson", gemini + `{"type":"result","status":"success"}`, true, false, "It is done.", ""},
		"gemini fails":              {"gemini-ndjson", gemini + `{"type":"result","status":"error","error":{"type":"unknown","message":"no credit"}}`, true, true, "It is done.", "no credit"},
		"gemini fails, wordless":    {"gemini-ndjson", `{"type":"result","status":"error"}`, true, true, "", "the turn failed"},
		"gemini is cut off":         {"gemini-ndjson", gemini, false, false, "It is done.", ""},
		"qwen's error is an object": {"claude-ndjson", `{"type":"result","subtype":"error_during_execution","is_error":true,"error":{"message":"no credit"}}`, true, true, "", "no credit"},
	} {
		_, r := parse(t, runnerv2.Stream{Dialect: c.dialect}, []byte(c.in), 9)
		if r.Terminal != c.terminal || r.Failed != c.failed || r.Reply != c.reply || r.Error != c.why || r.Unknown != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
