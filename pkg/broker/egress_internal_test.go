package broker

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// FuzzLook: whatever would have a provider reach the network is looked at. An object that
// has a name twice is refused wherever a look comes upon it, whether it would or not.
func FuzzLook(f *testing.F) {
	for _, block := range []string{
		`{"type":"image_url","image_url":{"url":"https://evil/"}}`, `{"IMAGE_URL" : "https://evil/"}`, `{"x_url":"data:,"}`, `{"a\u005furl":"x"}`, `{"a_\u0055RL":"x"}`,
		`{"source":{"type":"url"}}`, `{"\u017fource":{"type":"\u0075rl"}}`, `{"source":{"File_Url":"x"}}`, `{"file":{"file_data":"https://evil/"}}`, `{"FILE_DATA":"a:b"}`, `{"file_dat\u0061":"a:b"}`,
		`{"source":{"type":"content","content":[{"source":{"url":{"url":"x"}}}]}}`, `{"content":[{"output":{"url_url":"x"}}]}`, `{"source":{"file_data":{}}}`, `{"file":{"file_url":"x","a":2}}`,
		`{"tools":[{"type":"web_search"}]}`, `{"TOOLS":{}}`, `{"TooLS":{}}`, `{"\u0074ools":{}}`, `{"too":"\"tool","tool":"tools","toolſ":{}}`, `{"\/":"\u1234","\u0055rl":1,"x_\u0075rl":"x"}`, `{"tool\u017f":[{"type":"mcp"}]}`, `{"toolſ":[{"type":"mcp"}]}`, `{"t\u006fols":[{"type":"mcp"}]}`, `{"tool":"tool","tools" :[{"type":"namespace","tools":[{"type":"namespace"}]}]}`,
		`{"text":"the url\" of a file","tool_0":"tools"}`,
		`{"input_audio":{"data":"https://evil/"}}`, `{"INPUT_IMAGE" :"a:b"}`, `{"video":["a:b"]}`, `{"imageſ":"a:b"}`, `{"audios":{"x":["a:b"]}}`, `{"im\u0061ge":"a:b"}`, `{"data":"a:b"}`, `{"source":"a:b"}`, `{"Source"\t:{"type":"base64","data":"a:b"}}`,
		`{"file":"a:b"}`, `{"url":"a:b"}`, `{"file_uri":"a:b"}`, `{"URI":{"url":"a"}}`, `{"source":{"file_uri":"x"}}`, `{"type":"search_result","source":"a:b"}`, `{"image":{"text":"a:b"}}`, `{"a":"image","b":"input_audio","c":"source"}`,
	} {
		f.Add([]byte(block))
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		raw := []byte("[" + string(block) + "]")
		if !json.Valid(raw) || !readable(raw) {
			return
		}
		err := messagesEgress(raw)
		reaches := errors.Is(err, errRemote) || err != nil && strings.Contains(err.Error(), "tool")
		outline, _ := jsoncut.Cut(raw, 0)
		if reaches && !mayReach(raw, outline.Escapes) {
			t.Fatalf("%q is not looked at, and %v", raw, err)
		}
	})
}

// TestLookIsSpared: what an agent's conversation is full of calls for no second look.
func TestLookIsSpared(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		`[{"role":"user","content":"Read the file at this url, \"url\": \"x\", with the tools."}]`:                                                      false,
		`[{"type":"function_call","name":"tool_1","arguments":"{\"file_url\":\"https://x\"}"},{"a":"tool","b":"too"}]`:                                  false,
		`[{"content":[{"type":"image","source":{"type":"file","file_id":"f"}}],"text":"\u001b[0m \u2014"}]`:                                             true, // an escape
		`[{"content":[{"type":"image","content":{"type":"file","file_id":"f"}}],"text":"\u2014"}]`:                                                      false,
		`[{"type":"message","role":"user","content":[{"type":"input_text","text":"image"},{"type":"image"}],"source_1":"source","file_path":"/audio"}]`: false,
		`[{"image_url":"data:"}]`: true, `[{"source": "x"}]`: true, `[{"input_audio":{}}]`: true, `[{"File_Data" :1}]`: true, `[{"tools":[]}]`: true,
	} {
		outline, _ := jsoncut.Cut([]byte(raw), 0)
		if got := mayReach([]byte(raw), outline.Escapes); got != want {
			t.Errorf("%s is looked at: %t, not %t", raw, got, want)
		}
	}
}

// readable reports whether no object in a value has a name twice.
func readable(raw []byte) bool {
	if all, err := distinct(nil, raw); err == nil {
		for _, m := range all {
			if !readable(m.value) {
				return false
			}
		}
		return true
	}
	for one := range jsoncut.Elements(raw) {
		if !readable(one) {
			return false
		}
	}
	return raw[0] != '{'
}
