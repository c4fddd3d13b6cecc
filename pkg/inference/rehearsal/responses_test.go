package rehearsal_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// responsesAnswer is an answer of openai-responses, from its events or whole.
type responsesAnswer struct {
	ID, Status string
	Output     []struct {
		ID, Type, Role, Name, Arguments string
		CallID                          string `json:"call_id"`
		Content                         []struct{ Type, Text string }
	}
	Usage struct {
		Input  int `json:"input_tokens"`
		Output int `json:"output_tokens"`
	}
	Error struct{ Message string }
}

func askResponses(t *testing.T, h http.Handler, stream bool, input string) (status int, events []string, deltas string, answer responsesAnswer) {
	t.Helper()
	body := `{"model":"m","stream":` + map[bool]string{true: "true", false: "false"}[stream] + `,"input":` + input +
		`,"tools":[{"type":"web_search"},{"type":"function","name":"write_file","parameters":{"type":"object","properties":{"file_path":{},"content":{}}}}]}`
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/responses", strings.NewReader(body)))
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		return w.Code, nil, "", answer
	}
	for event := range strings.SplitSeq(strings.TrimSpace(w.Body.String()), "\n\n") {
		name, data, _ := strings.Cut(event, "\n")
		var e struct {
			Type, Delta string
			Response    responsesAnswer
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(data, "data: ")), &e); err != nil || name != "event: "+e.Type {
			t.Fatalf("%q: %v", event, err)
		}
		if len(events) == 0 || events[len(events)-1] != e.Type {
			events = append(events, e.Type)
		}
		deltas += e.Delta
		answer = e.Response
	}
	return w.Code, events, deltas, answer
}

func TestResponses(t *testing.T) {
	t.Parallel()
	const (
		asked  = `{"type":"message","role":"user","content":[{"type":"input_text","text":"Write a note that says hello"}]}`
		called = `{"type":"message","role":"assistant","content":[{"type":"output_text","text":"x"}]},{"type":"function_call","call_id":"c","name":"write_file","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":`
		args   = `{"content":"hello\n","file_path":"/workspace/notes/hello.md"}`
	)
	h := shipped(t)
	for _, stream := range []bool{true, false} {
		for _, input := range []string{`"Write a note that says hello"`, `[` + asked + `]`, `[{"role":"user","content":"Write a note that says hello"}]`} {
			status, events, deltas, a := askResponses(t, h, stream, input)
			if status != http.StatusOK || a.Status != "completed" || len(a.Output) != 2 || a.Output[0].Content[0].Text != "I will write that down. " || a.Output[0].Role != "assistant" ||
				a.Output[1].Name != "write_file" || a.Output[1].Arguments != args || a.Output[1].CallID == "" || a.Usage.Input == 0 || a.Usage.Output == 0 {
				t.Errorf("%s: %d %+v", input, status, a)
			}
			if !stream {
				continue
			}
			if deltas != "I will write that down. "+args {
				t.Errorf("%s: %q", input, deltas)
			}
			want := []string{
				"response.created", "response.output_item.added", "response.content_part.added", "response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done",
				"response.output_item.added", "response.function_call_arguments.delta", "response.function_call_arguments.done", "response.output_item.done", "response.completed",
			}
			if diff := cmp.Diff(want, events); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		for _, output := range []string{`"ok"`, `[{"type":"input_text","text":"ok"}]`} {
			if _, _, _, a := askResponses(t, h, stream, `[`+asked+`,`+called+output+`}]`); len(a.Output) != 1 || a.Output[0].Content[0].Text != "I wrote notes/hello.md. It says: hello" {
				t.Errorf("%s: %+v", output, a)
			}
		}
	}
}

func TestResponsesRefusals(t *testing.T) {
	t.Parallel()
	h := serve(t, "version: 1\nname: c\nturns:\n  - match: {user: slow}\n    reply:\n      - error: {status: 429, message: later}\n  - match: {user: half}\n    reply:\n      - text: 'a '\n      - error: {status: 500, message: broke}\n")
	if status, _, _, a := askResponses(t, h, true, `"slow"`); status != http.StatusTooManyRequests || a.Error.Message != "later" {
		t.Errorf("%d %+v", status, a)
	}
	if status, events, _, a := askResponses(t, h, true, `"half"`); status != http.StatusOK || events[len(events)-1] != "response.failed" || a.Status != "failed" || a.Error.Message != "broke" {
		t.Errorf("%d %v %+v", status, events, a)
	}
	if status, _, _, a := askResponses(t, h, false, `"half"`); status != http.StatusInternalServerError || a.Error.Message != "broke" {
		t.Errorf("%d %+v", status, a)
	}
	if status, _, _, a := askResponses(t, h, true, `"other"`); status != http.StatusBadRequest || !strings.Contains(a.Error.Message, `"other"`) {
		t.Errorf("%d %+v", status, a)
	}
	if status, _, _, a := askResponses(t, h, true, `[]`); status != http.StatusBadRequest || !strings.Contains(a.Error.Message, "no user message") {
		t.Errorf("%d %+v", status, a)
	}
}
