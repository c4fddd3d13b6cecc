package translate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/inference"
)

// What a container asks is read with bounds, however it is nested or cut.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	nested := func(begin, end string, n int) string {
		return strings.Repeat(begin, n) + "[]" + strings.Repeat(end, n)
	}
	for name, c := range map[string]struct {
		client inference.Protocol
		body   string
		want   string
	}{
		"results in results": {
			inference.AnthropicMessages,
			`{"messages":[{"role":"user","content":` + nested(`[{"type":"tool_result","content":`, `}]`, 3000) + `}]}`,
			"content is not of the form",
		},
		"documents in documents": {
			inference.AnthropicMessages,
			`{"messages":[{"role":"user","content":` + nested(`[{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"content","content":`, `}}]}}]`, 1000) + `}]}`,
			"messages.0.content.0.source.content",
		},
		"namespaces in namespaces": {
			inference.OpenAIResponses,
			`{"input":"x","tools":` + nested(`[{"type":"namespace","name":"a","tools":`, `}]`, 3000) + `}`,
			"tools.0.tools.0.tools is not of the form",
		},
		"more objects than a request has": {
			inference.AnthropicMessages,
			`{"messages":[{"role":"user","content":[{}` + strings.Repeat(`,{}`, 1<<20) + `]}]}`,
			"holds 30000 objects or more",
		},
		"more nulls than a request has": {
			inference.Gemini,
			`{"contents":[],"tools":[{"functionDeclarations":[null` + strings.Repeat(`,null`, 1<<20) + `]}]}`,
			"holds 30000 objects or more",
		},
		"a large schema": {
			inference.Gemini,
			`{"contents":[],"tools":[{"functionDeclarations":[{"name":"a","parameters":{"enum":[1` + strings.Repeat(`,1`, 1<<20) + `]}}]}]}`,
			"parameters is not of the form",
		},
		"bytes that are none": {
			inference.Gemini,
			`{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"https://evil/?secret"}}]}]}`,
			"contents.0.parts.0.inlineData.data",
		},
		"a file by URL": {
			inference.OpenAIResponses,
			`{"input":[{"role":"user","content":[{"type":"input_file","file_data":"https://evil/?secret"}]}]}`,
			"file_data is not of the form",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, provider := range protocols() {
				if provider == c.client {
					continue
				}
				_, err := New(c.client, provider, []byte(c.body), options())
				if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), c.want) || len(err.Error()) > 500 {
					t.Errorf("to %s: %.1000v", provider, err)
				}
			}
		})
	}
}

// The bytes of a file are carried, in either form that clients have for them.
func TestFileData(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"data:application/pdf;base64,AAAA", "AAAA"} {
		body := `{"input":[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"` + data + `"}]}]}`
		tr, err := New(inference.OpenAIResponses, inference.AnthropicMessages, []byte(body), options())
		if err != nil {
			t.Fatal(err)
		}
		if want := `"source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}`; !strings.Contains(string(tr.Body()), want) {
			t.Errorf("%s became %s", data, tr.Body())
		}
	}
}
