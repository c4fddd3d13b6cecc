package inference

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"testing"
	"unicode"
)

// FuzzAnswers: whatever a provider answers when it is tried out, it is an
// answer, or an error that is said; and of its models those are named whose
// names can be used.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{
		"", "data: {\"delta\":{\"text\":\"hi\"}}\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n",
		"event: error\ndata: {\"error\":{\"message\":\"no\"}}\n\n", `{"data":[{"id":"m1"},{"id":"text-embed"},{"id":"../x"},{"id":"a b"}]}`, `{"error":{"message":"x"}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if reply, pieces, err := readStream(bytes.NewReader(data)); err == nil && pieces == 0 && reply != "" {
			t.Errorf("%q came in no piece", reply)
		}
		answer := &http.Response{StatusCode: http.StatusTeapot, Body: io.NopCloser(bytes.NewReader(data))}
		defer answer.Body.Close()
		if err := refusal(answer); err == nil || err.Error() == "" {
			t.Errorf("a refusal that says nothing: %v", err)
		}
		answer.StatusCode, answer.Body = http.StatusOK, io.NopCloser(bytes.NewReader(data))
		list, err := readListing(answer)
		if err != nil {
			return
		}
		names := list.usable()
		for _, name := range names {
			if !modelPattern.MatchString(name) || bytes.ContainsFunc([]byte(name), unicode.IsControl) {
				t.Errorf("the model %q", name)
			}
		}
		slices.Sort(names)
		if len(slices.Compact(names)) != len(list.usable()) {
			t.Error("a model is named twice")
		}
	})
}
