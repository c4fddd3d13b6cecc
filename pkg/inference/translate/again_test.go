package translate

import (
	"reflect"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/wirejson"
)

// FuzzEvents: an event that is like the one before is read as if it came alone.
func FuzzEvents(f *testing.F) {
	for _, c := range [][3]string{
		{`{"id":"c","choices":[{"index":0,"delta":{"content":"a"}}]}`, `{"id":"c","choices":[{"index":0,"delta":{"content":"b"}}]}`, `{"id":"c","choices":[{"index":0,"delta":{"content":[{"text":"c"}]}}]}`},
		{`{"choices":[{"delta":{"reasoning":"a","content":null}}],"obfuscation":"x"}`, `{"choices":[{"delta":{"reasoning":"b","content":null}}],"obfuscation":"yz"}`, `{"choices":[{"delta":{"reasoning":"","content":null}}],"obfuscation":""}`},
		{`{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}`, `{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}`, `{"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{"}}]}}]}`},
		{`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}}`, `{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\\n"}}`},
		{`{"type":"response.output_text.delta","sequence_number":3,"output_index":0,"delta":"a"}`, `{"type":"response.output_text.delta","sequence_number":4,"output_index":0,"delta":"b"}`, `{"type":"response.output_text.delta","sequence_number":1e3,"output_index":0,"delta":"c"}`},
		{`{"error":"a"}`, `{"error":"b"}`, `{"error":{"message":"c"}}`},
		{`{"usage":{"output_tokens":1}}`, `{"usage":{"output_tokens":2}}`, `{"usage":{"output_tokens":3}}`},
		{`{"message":{"content":[{"input":{"a":"b"}}]}}`, `{"message":{"content":[{"input":{"a":"c"}}]}}`, `{"message":{"content":[{"input":{"a":"d"}}]}}`},
		{`{"delta":[{"text":"a"},{"text":"b"}]}`, `{"delta":[{"text":"b"},{"text":"b"}]}`, `{"delta":[{"text":"c"},{"text":"b"}]}`},
		{`{"item":{"content":"a"}}`, `{"item":{"content":"b"}}`, `{"item":{"content":"c"}}`},
	} {
		f.Add([]byte(c[0]), []byte(c[1]), []byte(c[2]))
	}
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		readAgain[chatEvent](t, a, b, c)
		readAgain[messagesEvent](t, a, b, c)
		readAgain[responsesEvent](t, a, b, c)
	})
}

func readAgain[T any](t *testing.T, a, b, c []byte) {
	t.Helper()
	var again wirejson.Again[T]
	for _, data := range [][]byte{a, b, a, b, c, b, c, a} {
		var want T
		wantErr := wirejson.Unmarshal(data, &want)
		got, err := again.Read(data)
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(*got, want) {
			t.Fatalf("%q, after %q and %q, is\n%+v (%v), not\n%+v (%v)", data, a, b, want, wantErr, *got, err)
		}
	}
}
