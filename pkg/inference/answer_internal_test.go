package inference

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// FuzzAnswers: whatever a provider answers, its error does not have the key; and
// of its models those are named, once, whose names can be used.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{
		"", `{"error":"no"}`, `[{"error":{"message":"no"}}]`, `{"detail":[{"loc":["body","top_p"],"msg":"no"}]}`, `{"data":[{"id":"m1"},{"id":"text-embed"},{"id":"../x"},{"id":"a b"}]}`, `{"error":{"message":"bad key KEY"}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const key = "canary0123456789"
		if text := Redact(ErrorText(bytes.ReplaceAll(data, []byte("KEY"), []byte(key))), []byte(key)); strings.Contains(text, key) {
			t.Errorf("the error %q has the key", text)
		}
		answer := &http.Response{}
		defer func() { _ = answer.Body.Close() }()
		answer.StatusCode, answer.Body = http.StatusOK, io.NopCloser(bytes.NewReader(data))
		list, err := readListing(answer)
		if err != nil {
			return
		}
		var names []string
		for _, m := range list.models() {
			names = append(names, m.ID)
		}
		for _, name := range names {
			if !modelPattern.MatchString(name) || bytes.ContainsFunc([]byte(name), unicode.IsControl) {
				t.Errorf("the model %q", name)
			}
		}
		slices.Sort(names)
		if len(slices.Compact(names)) != len(list.models()) {
			t.Error("a model is named twice")
		}
	})
}
