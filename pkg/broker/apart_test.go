package broker_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// TestRequestsApart: what one dispatch asks is in no other's request, and what it is
// answered in no other's answer, however many are under way: passed on and translated,
// large and small, whose forms are learned at the same time.
func TestRequestsApart(t *testing.T) {
	t.Parallel()
	marks := regexp.MustCompile(`mark-[0-9]+-[0-9]+-`)
	one := func(text string) (string, error) {
		found := marks.FindAllString(text, -1)
		for _, m := range found {
			if m != found[0] {
				return "", fmt.Errorf("%s and %s", found[0], m)
			}
		}
		if len(found) == 0 {
			return "", fmt.Errorf("nothing of the request")
		}
		return found[0], nil
	}
	s := open(t, config{upstream: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mark, mixed := one(string(body))
		if err != nil || mixed != nil {
			t.Errorf("the provider is asked with %v (%v)", mixed, err)
		}
		begin, chunk, end := pieces(r.URL.Path)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, begin)
		for range 40 {
			_, _ = io.WriteString(w, strings.ReplaceAll(chunk, "I look.", mark))
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.WriteString(w, end)
	})})
	var all sync.WaitGroup
	for d, dispatch := range []*stage{s, s.beside()} {
		for n, way := range ways() {
			all.Go(func() {
				for i := range 6 {
					mark := fmt.Sprintf("mark-%d-%d-", d, n)
					body := strings.ReplaceAll(asks(way.client, way.model, true), "private words", mark+strings.Repeat("y", i*5000))
					got := dispatch.post(way.client, body)
					told, mixed := one(got.body)
					if got.status != http.StatusOK || mixed != nil || told != mark {
						t.Errorf("%s of dispatch %d is answered with %q (%v), %d", way.name(), d, told, mixed, got.status)
					}
				}
			})
		}
	}
	all.Wait()
}
