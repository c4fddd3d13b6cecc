package translate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chatStream is a stream of openai-chat of the given pieces of calls. One that
// begins with a quote is text.
func chatStream(pieces ...string) []byte {
	var out []byte
	for _, p := range pieces {
		delta := `"tool_calls":[` + p + `]`
		if p[0] == '"' {
			delta = `"content":` + p
		}
		out = fmt.Appendf(out, "data: {\"choices\":[{\"index\":0,\"delta\":{%s}}]}\n\n", delta)
	}
	return append(out, "data: [DONE]\n\n"...)
}

// Calls of servers that number their pieces in ways of their own arrive whole,
// each after the one before it has ended.
func TestChatCalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pieces []string
		want   []string
	}{
		"no ids, one index": {
			[]string{
				`{"index":0,"id":"","function":{"name":"a","arguments":"{\"x\""}}`, `{"index":0,"id":"","function":{"arguments":":1}"}}`,
				`{"index":0,"id":"","function":{"name":"a","arguments":"{\"y\":1}"}}`,
			},
			[]string{`call_ID_1 a {"x":1}`, `call_ID_2 a {"y":1}`},
		},
		"the name in each piece": {
			[]string{`{"index":0,"function":{"name":"a","arguments":"{\"x}\""}}`, `{"index":0,"function":{"name":"a","arguments":":\"\\\"}\"}"}}`},
			[]string{`call_ID_1 a {"x}":"\"}"}`},
		},
		"an id for each piece": {
			[]string{`{"index":0,"id":"p1","function":{"name":"a","arguments":"{"}}`, `{"index":0,"id":"p2","function":{"arguments":"\"x\":1"}}`, `{"index":0,"id":"p3","function":{"arguments":"}"}}`},
			[]string{`p1 a {"x":1}`},
		},
		"by id alone": {
			[]string{
				`{"index":0,"id":"p1","function":{"name":"a","arguments":"{"}}`, `{"index":0,"id":"p2","function":{"name":"b","arguments":"{"}}`,
				`{"index":0,"id":"p1","function":{"arguments":"\"x\":1}"}}`, `{"index":0,"id":"p2","function":{"arguments":"}"}}`,
			},
			[]string{`p1 a {"x":1}`, `p2 b {}`},
		},
		"at once": {
			[]string{
				`{"index":0,"id":"p1","function":{"name":"a","arguments":""}}`, `{"index":1,"id":"p2","function":{"name":"b","arguments":"{\"y\":"}}`,
				`"meanwhile"`, `{"index":1,"function":{"arguments":"1}"}}`, `{"index":0,"function":{"arguments":"{\"x\":1}"}}`, `" more"`,
			},
			[]string{`p1 a {"x":1}`, `p2 b {"y":1}`, "meanwhile more"},
		},
		"text of tools": {
			[]string{`{"index":0,"id":"p1","custom":{"name":"a","input":"{}"}}`, `{"index":1,"id":"p2","function":{"name":"b","arguments":"{}"}}`, `{"index":0,"custom":{"input":" more"}}`},
			[]string{`p1 a {} more`, `p2 b {}`},
		},
		"the name late": {
			[]string{`{"index":0,"id":"p1","function":{"arguments":"{"}}`, `{"index":0,"function":{"name":"a","arguments":"}"}}`},
			[]string{`p1 a {}`},
		},
	} {
		data := chatStream(c.pieces...)
		var got []string
		for _, i := range collected(t, ownChat, data).Items {
			said := i.Text
			if i.Kind == Call {
				said = i.Call.ID + " " + i.Call.Name + " " + i.Call.Arguments
			}
			got = append(got, said)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		open := 0
		for line := range bytes.Lines(answered(translation(t, ownMessages, ownChat), data, len(data))) {
			switch string(bytes.TrimSpace(line)) {
			case "event: content_block_start":
				open++
			case "event: content_block_stop":
				open--
			}
			if open > 1 {
				t.Errorf("%s: a block begins within another", name)
			}
		}
	}
}

// A call is passed on as it comes, not when it is whole.
func TestChatCallsAtOnce(t *testing.T) {
	t.Parallel()
	s := translation(t, ownMessages, ownChat).Stream()
	piece := chatStream(`{"index":0,"id":"p1","function":{"name":"a","arguments":"{\"x"}}`)
	got, err := s.Write(bytes.TrimSuffix(piece, []byte("data: [DONE]\n\n")))
	if err != nil || !bytes.Contains(got, []byte(`"partial_json":"{\"x"`)) {
		t.Errorf("%v: %s", err, got)
	}
}

// What would be lost, or has no bound, breaks the stream.
func TestChatCallsRefused(t *testing.T) {
	t.Parallel()
	const begin = `{"index":0,"id":"p1","function":{"name":"a","arguments":"{}"}}`
	part := `{"index":0,"function":{"arguments":"` + strings.Repeat("x", maxAnswer/8) + `"}}`
	many := make([]string, maxCalls+1)
	for i := range many {
		many[i] = fmt.Sprintf(`{"index":%d}`, i)
	}
	for name, c := range map[string]struct {
		pieces []string
		want   string
	}{
		"no name": {slices.Repeat([]string{part}, 9), "the answer is larger than"},
		"waiting": {append([]string{`{"index":1,"function":{"name":"a"}}`, begin}, slices.Repeat([]string{part}, 9)...), "the answer is larger than"},
		"many":    {many, "more than 1024 tools"},
		"late":    {[]string{begin, `"text"`, `{"index":0,"function":{"arguments":"more"}}`}, "a call that was complete"},
	} {
		data := chatStream(c.pieces...)
		got := answered(translation(t, ownMessages, ownChat), data, len(data))
		if !bytes.Contains(got, []byte(c.want)) || !bytes.Contains(got, []byte("event: error")) {
			t.Errorf("%s: %.300s", name, got)
		}
	}
}
