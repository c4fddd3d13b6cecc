package translate

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vexa-ai/vexa/pkg/internal/jsoncut"
)

// FuzzReading: a request that is read in one pass is what it is when it is cut into
// pieces, for which a member is put into it that keeps it from being read at once.
func FuzzReading(f *testing.F) {
	for _, in := range inputs(f, "requests", ".json") {
		for p := range protocols() {
			f.Add(in.data, p)
		}
	}
	for _, s := range []string{
		`{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":null}]},null,{"role":"assistant","content":[{"type":"tool_use","input":null}]}],"tools":[null,{"name":"a","input_schema":null}],"system":null}`,
		`{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"}]}}]}]}]}`,
		`{"messages":[{"role":"user","content":[{"content":[{"content":[{"content":[{"content":[{"content":"a"}]}]}]}]}]}]}`,
		`{"input":[{"type":"message","role":"user","content":null},null,{"type":"additional_tools","tools":[{"type":"namespace","tools":[{"tools":[]}]}]}],"tools":[{"type":"namespace","tools":[{"parameters":null}]}],"instructions":null}`,
		`{"input":"a","tools":[{"type":"namespace","name":"n","tools":[{"type":"function","tools":[{}]}]}]}`,
		`{"messages":[{"role":"tool","content":"a"},{"role":"assistant","content":null,"tool_calls":[null,{"function":null}],"function_call":null}],"tools":[{"type":"function","function":{"parameters":null}},{"function":null}],"stop":"a","tool_choice":"auto"}`,
	} {
		for p := range protocols() {
			f.Add([]byte(s), p)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, protocol int) {
		trimmed := bytes.TrimSpace(data)
		if len(trimmed) < 3 || trimmed[0] != '{' || trimmed[1] != '"' {
			return
		}
		p := protocols()[uint(protocol)%uint(len(protocols()))]
		lost, cutLost := Lost{}, Lost{}
		want, wantErr := codecOf(p).decodeRequest(append([]byte(`{"\u0078x":null,`), trimmed[1:]...), jsoncut.Outline{}, cutLost)
		got, err := codecOf(p).decodeRequest(data, jsoncut.Outline{}, lost)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("%s: %s: %v, in pieces %v", p, data, err, wantErr)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || fmt.Sprint(lost) != fmt.Sprint(cutLost) {
			t.Fatalf("%s: %s: -in pieces +at once\n%s", p, data, diff)
		}
	})
}

// TestStreamsAtOnce: what one answer says is never in another's, though each is written
// into what was there before.
func TestStreamsAtOnce(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for _, client := range protocols() {
		for _, provider := range protocols() {
			if client == provider {
				continue
			}
			for n := range 3 {
				own, others := fmt.Sprintf("canary-%s-%s-%d-", client, provider, n), []byte("canary-")
				s := translation(t, client, provider).Stream()
				all.Go(func() {
					for i := range 200 {
						out, err := s.Write(delta(provider, i, own))
						if err != nil || s.Ended() || bytes.Count(out, others) != 1 || !bytes.Contains(out, []byte(own+fmt.Sprint(i)+" ")) {
							t.Errorf("%s at %s: %q, %v", client, provider, out, err)
							return
						}
					}
				})
			}
		}
	}
	all.Wait()
}

// delta is an event of a stream that says a canary; the first begins the answer.
func delta(provider any, i int, canary string) []byte {
	begin := ""
	switch provider {
	case ownMessages:
		if i == 0 {
			begin = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
		}
		return fmt.Appendf(nil, "%sdata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"%s%d \"}}\n\n", begin, canary, i)
	case ownResponses:
		if i == 0 {
			begin = "data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"message\"}}\n\n"
		}
		return fmt.Appendf(nil, "%sdata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"%s%d \"}\n\n", begin, canary, i)
	case ownGemini:
		return fmt.Appendf(nil, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"%s%d \"}]}}]}\n\n", canary, i)
	default:
		return fmt.Appendf(nil, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s%d \"}}]}\n\n", canary, i)
	}
}
