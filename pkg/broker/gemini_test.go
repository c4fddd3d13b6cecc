package broker_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/audit"
)

const (
	geminiStream = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"I \"}],\"role\":\"model\"}}],\"usageMetadata\":{\"promptTokenCount\":20,\"cachedContentTokenCount\":5,\"totalTokenCount\":20}}\r\n\r\n" +
		"data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"ls\",\"args\":{}}}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":20,\"cachedContentTokenCount\":5,\"candidatesTokenCount\":20,\"thoughtsTokenCount\":10,\"totalTokenCount\":50}}\r\n\r\n"
	geminiWhole = `{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":20,"thoughtsTokenCount":10}}`
	geminiBody  = `{ "contents": [{"role": "user", "parts": [{"text": "private words about a url"}]}],  "tools": [{"functionDeclarations": [{"name": "ls"}]}] }`
)

// A request of gemini passes as it came, but for its key; what was used is read
// from the answer.
func TestGemini(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{
		"generateContent": geminiWhole, "streamGenerateContent?alt=sse": geminiStream, "countTokens": `{"totalTokens":7}`,
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			var got *http.Request
			var body []byte
			s := open(t, config{upstream: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
				w.Header().Set("Content-Type", map[bool]string{true: "text/event-stream", false: "application/json"}[want == geminiStream])
				_, _ = io.WriteString(w, want)
			})})
			req := s.request(t.Context(), "/v1beta/models/gem/g1:"+method, geminiBody)
			req.Header.Del("Authorization")
			req.Header.Set("X-Goog-Api-Key", s.token)
			a := s.do(req)
			if a.status != http.StatusOK || a.body != want {
				t.Fatalf("%d %q", a.status, a.body)
			}
			if got.URL.RequestURI() != "/v1beta/models/g1:"+method || string(body) != geminiBody {
				t.Errorf("the provider was asked %s %s", got.URL, body)
			}
			if got.Header.Get("X-Goog-Api-Key") != canary || got.Header.Get("Authorization") != "" {
				t.Errorf("the provider was sent %v", got.Header)
			}
			await(t, "the audit record", func() bool { return len(s.trail.all()) == 1 })
			e := s.trail.all()[0]
			turn, _ := s.owner.used()
			if method == "countTokens" {
				if e.Action != "count-tokens" || turn.Requests != 0 {
					t.Errorf("recorded %+v, used %+v", e, turn)
				}
				return
			}
			if e.Effect != audit.Allow || e.Detail["model"] != "gem/g1" || e.Detail["inputTokens"] != "20" || e.Detail["outputTokens"] != "30" || e.Detail["estimated"] != "" {
				t.Errorf("recorded %+v", e)
			}
			if want == geminiStream && turn.CacheReadTokens != 5 {
				t.Errorf("used %+v", turn)
			}
		})
	}
}

func TestGeminiRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ path, body, denial, want string }{
		"what is not carried":  {"/v1beta/models/local/m2:generateContent", `{"contents":[],"generationConfig":{"candidateCount":2}}`, "request", "several answers"},
		"not granted":          {"/v1beta/models/gem/g2:generateContent", geminiBody, "model", "not granted"},
		"a model in the body":  {generate, `{"model":"models/other","contents":[]}`, "request", "in the path"},
		"a search":             {generate, `{"tools":[{"functionDeclarations":[]},{"googleSearch":{}}]}`, "egress", "googlesearch"},
		"a search, otherwise":  {generate, `{"tools":[{"google_search":{}}]}`, "egress", "googlesearch"},
		"a page":               {generate, `{"tools":{"urlContext":{}}}`, "egress", "urlcontext"},
		"code":                 {generate, `{"Tools":[{"code_execution":{}}]}`, "egress", "codeexecution"},
		"tools twice":          {generate, `{"tools":[],"t_ools":[{"googleSearch":{}}]}`, "egress", "known form"},
		"a file by URL":        {generate, `{"contents":[{"parts":[{"fileData":{"fileUri":"https://evil/"}}]}]}`, "egress", "fetched by the provider"},
		"a file, otherwise":    {generate, `{"contents":{"parts":{"file_data":{"file_uri":"https://evil/"}}}}`, "egress", "fetched by the provider"},
		"a file of the system": {generate, `{"system_instruction":{"parts":[{"file_data":{"file_uri":"https://evil/"}}]}}`, "egress", "fetched by the provider"},
		"a file with escapes":  {generate, `{"contents":[{"parts":[{"\u0066ileData":{"\u0066ileUri":"https://evil/"}}]}]}`, "egress", "fetched by the provider"},
		"an address as bytes":  {generate, `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"https://evil/"}}]}]}`, "egress", "fetched by the provider"},
		"as bytes, otherwise":  {generate, `{"contents":[{"parts":[{"INLINE_data":{"DATA":"https:\u002f/evil/"}}]}]}`, "egress", "fetched by the provider"},
		"as bytes in a result": {generate, `{"contents":[{"parts":[{"functionResponse":{"name":"a","parts":[{"inlineData":{"data":"gs://evil/"}}]}}]}]}`, "egress", "fetched by the provider"},
		"a file in a result":   {generate, `{"contents":[{"parts":[{"functionResponse":{"name":"a","parts":[{"fileData":{"fileUri":"https://evil/"}}]}}]}]}`, "egress", "fetched by the provider"},
		"a kept conversation":  {generate, `{"cachedContent":"cachedContents/1"}`, "egress", "cachedcontent"},
		"a request in another": {"/v1beta/models/gem/g1:countTokens", `{"generateContentRequest":{"tools":[{"googleSearch":{}}]}}`, "egress", "generatecontentrequest"},
		"no JSON":              {generate, `[`, "request", "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, config{upstream: never(t)})
			a := s.post(c.path, c.body)
			if a.status != http.StatusBadRequest || !strings.Contains(a.message(), c.want) {
				t.Errorf("%d %s", a.status, a.body)
			}
			var shape struct {
				Error struct {
					Code   int
					Status string
				}
			}
			if err := json.Unmarshal([]byte(a.body), &shape); err != nil || shape.Error.Code != http.StatusBadRequest || shape.Error.Status != "INVALID_ARGUMENT" {
				t.Errorf("the error has another form: %s", a.body)
			}
			if events := s.trail.all(); len(events) != 1 || events[0].Effect != audit.Deny || events[0].Reason != c.denial {
				t.Errorf("recorded %+v", events)
			}
		})
	}
	s := open(t, config{upstream: never(t)})
	for path, status := range map[string]int{
		"/v1beta/models/gem/g1:streamGenerateContent": http.StatusBadRequest, "/v1beta/models/gem/g1:embedContent": http.StatusNotFound,
		"/v1beta/models/gem/g1": http.StatusNotFound, "/v1beta/models/": http.StatusNotFound,
	} {
		if a := s.post(path, geminiBody); a.status != status {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	req := s.request(t.Context(), generate, geminiBody)
	req.Header.Set("Authorization", "Bearer x")
	if a := s.do(req); a.status != http.StatusUnauthorized {
		t.Errorf("with a bad token: %d", a.status)
	}
}

// A stream that breaks says so in the protocol's form.
func TestPassedThroughBreaks(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v1beta/models/gem/g1:streamGenerateContent?alt=sse": "\n\n\n" + `{"error":{"code":500,"message":"vexa: the answer of provider gem broke off"`,
		respond: "event: response.failed\ndata: {",
	} {
		s := open(t, config{upstream: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: {}\n\n")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})})
		body := geminiBody
		if path == respond {
			body = asks(respond, "oai/r1", true)
		}
		if a := s.post(path, body); !strings.HasPrefix(a.body, "data: {}\n\n") || !strings.Contains(a.body, want) {
			t.Errorf("%s: %q", path, a.body)
		}
	}
}
