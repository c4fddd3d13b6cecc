package rehearsal_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// geminiAnswer is an answer of that protocol, or a piece of one.
type geminiAnswer struct {
	Candidates []struct {
		Content struct {
			Role  string
			Parts []struct {
				Text         string
				FunctionCall *struct {
					ID, Name string
					Args     map[string]string
				}
			}
		}
		FinishReason string
	}
	UsageMetadata struct{ PromptTokenCount, CandidatesTokenCount, TotalTokenCount int }
	ModelVersion  string
	Error         struct {
		Code            int
		Message, Status string
	}
	TotalTokens int
}

func askGemini(t *testing.T, h http.Handler, method, contents string) (status int, answers []geminiAnswer) {
	t.Helper()
	body := `{"contents":` + contents + `,"tools":[{"functionDeclarations":[{"name":"write_file","parametersJsonSchema":{"type":"object","properties":{"file_path":{},"content":{}}}}]}]}`
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1beta/models/m:"+method, strings.NewReader(body)))
	if w.Header().Get("Vexa-Rehearsal") == "" {
		t.Error("it does not say that it is a rehearsal")
	}
	pieces := []string{w.Body.String()}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		pieces = strings.Split(strings.TrimSpace(w.Body.String()), "\n\n")
	}
	for _, p := range pieces {
		var a geminiAnswer
		if err := json.Unmarshal([]byte(strings.TrimPrefix(p, "data: ")), &a); err != nil {
			t.Fatalf("%q: %v", p, err)
		}
		answers = append(answers, a)
	}
	return w.Code, answers
}

func TestGemini(t *testing.T) {
	t.Parallel()
	const (
		user   = `{"role":"user","parts":[{"text":"Write a note that says hello"}]}`
		called = `{"role":"model","parts":[{"functionCall":{"name":"write_file","args":{}}}]}`
	)
	for _, method := range []string{"generateContent", "streamGenerateContent"} {
		h := shipped(t)
		status, answers := askGemini(t, h, method, `[`+user+`]`)
		var text, finish string
		calls := 0
		for _, a := range answers {
			for _, p := range a.Candidates[0].Content.Parts {
				text += p.Text
				if c := p.FunctionCall; c != nil && c.Name == "write_file" && c.ID != "" && c.Args["file_path"] == "/workspace/notes/hello.md" && c.Args["content"] == "hello\n" {
					calls++
				}
			}
			finish += a.Candidates[0].FinishReason
		}
		if last := answers[len(answers)-1]; status != http.StatusOK || calls != 1 || text != "I will write that down. " || finish != "STOP" || last.UsageMetadata.PromptTokenCount == 0 || last.UsageMetadata.TotalTokenCount == 0 {
			t.Errorf("%s: %d %+v", method, status, answers)
		}
		if streamed := len(answers) > 2; streamed != (method == "streamGenerateContent") {
			t.Errorf("%s: %d pieces", method, len(answers))
		}
		for response, want := range map[string]string{
			`{"output":"ok"}`:           "I wrote notes/hello.md. It says: hello",
			`{"error":"no such place"}`: "The note could not be written: Error: no such place",
			`{"ok":true}`:               "I wrote notes/hello.md. It says: hello",
		} {
			_, answers = askGemini(t, h, method, `[`+user+`,`+called+`,{"role":"user","parts":[{"functionResponse":{"name":"write_file","response":`+response+`}}]}]`)
			text = ""
			for _, a := range answers {
				for _, p := range a.Candidates[0].Content.Parts {
					text += p.Text
				}
			}
			if text != want {
				t.Errorf("%s: %s is answered with %q", method, response, text)
			}
		}
	}
}

func TestGeminiRefusals(t *testing.T) {
	t.Parallel()
	h := serve(t, "version: 1\nname: c\nturns:\n  - match: {user: slow}\n    reply:\n      - error: {status: 429, message: later}\n  - match: {user: half}\n    reply:\n      - text: 'a '\n      - error: {status: 500, message: broke}\n")
	status, answers := askGemini(t, h, "streamGenerateContent", `[{"role":"user","parts":[{"text":"slow"}]}]`)
	if e := answers[0].Error; status != http.StatusTooManyRequests || e.Code != status || e.Message != "later" || e.Status != "RESOURCE_EXHAUSTED" {
		t.Errorf("%d %+v", status, answers)
	}
	status, answers = askGemini(t, h, "streamGenerateContent", `[{"role":"user","parts":[{"text":"half"}]}]`)
	if last := answers[len(answers)-1]; status != http.StatusOK || len(answers) != 3 || last.Error.Message != "broke" {
		t.Errorf("%d %+v", status, answers)
	}
	status, answers = askGemini(t, h, "generateContent", `[{"role":"user","parts":[{"text":"other"}]}]`)
	if status != http.StatusBadRequest || !strings.Contains(answers[0].Error.Message, `"other"`) || answers[0].Error.Status != "INVALID_ARGUMENT" {
		t.Errorf("%d %+v", status, answers)
	}
	status, answers = askGemini(t, h, "countTokens", `[{"role":"user","parts":[{"text":"other"}]}]`)
	if status != http.StatusOK || answers[0].TotalTokens == 0 {
		t.Errorf("%d %+v", status, answers)
	}
	for _, path := range []string{"/v1beta/models/m:embedContent", "/v1beta/models/:generateContent", "/v1beta/models/m"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader("{}")))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
