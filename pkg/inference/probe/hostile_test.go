package probe_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vexa-ai/vexa/pkg/inference/probe"
)

// Answers without an end, or of any size, are given up after a bound: what the
// server could send says so.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	const most = 16 << 20 // what the sockets hold on both sides is in it
	delta := "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + strings.Repeat("x", 1000) + "\"}}]}\n\n"
	for name, c := range map[string]struct{ kind, first, more string }{
		"an endless stream":       {"text/event-stream", "", delta},
		"endless pings":           {"text/event-stream", "", ": ping\n\n"},
		"an endless event":        {"text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"", strings.Repeat("x", 1000)},
		"an endless line":         {"text/event-stream", "data", strings.Repeat("a", 1000)},
		"endless calls":           {"text/event-stream", "", "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"a\",\"arguments\":\"{}\"}}]}}]}\n\n"},
		"an endless whole answer": {"application/json", "{\"choices\":[", "{},"},
		"endless errors":          {"text/event-stream", "", "event: x\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var written atomic.Int64
			f := &field{before: func(w http.ResponseWriter, r *http.Request, _ asked) bool {
				if r.Method == http.MethodGet {
					return false
				}
				w.Header().Set("Content-Type", c.kind)
				_, _ = io.WriteString(w, c.first)
				for n := 0; n < 2*most; {
					k, err := io.WriteString(w, c.more)
					written.Add(int64(k))
					if n += k; err != nil {
						return true
					}
				}
				return true
			}}
			r := probe.Run(t.Context(), options(t, f))
			if r.OK || r.Error == "" {
				t.Errorf("%+v", r)
			}
			if got := written.Load() / r.Requests; got > most {
				t.Errorf("it took %d bytes of each answer", got)
			}
		})
	}
}

// An error of any size, and a list of models of any size, are bounded too.
func TestHostileErrors(t *testing.T) {
	t.Parallel()
	var whole atomic.Int64
	f := &field{before: func(w http.ResponseWriter, r *http.Request, _ asked) bool {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, `{"error":{"message":"`)
		for range 32 << 10 {
			if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
				return true
			}
		}
		whole.Add(1)
		return true
	}}
	r := probe.Run(t.Context(), options(t, f))
	if whole.Load() > 0 {
		t.Errorf("%d answers of 32 MB were read", whole.Load())
	}
	if text := fmt.Sprintf("%+v", r); r.OK || len(text) > 64<<10 {
		t.Errorf("%d bytes of report", len(text))
	}
}

// A server that repeats the key wherever it can does not get it into a report.
func TestTheKeyIsNeverTold(t *testing.T) {
	t.Parallel()
	half := len(canary) / 2
	f := &field{
		protocols: all(),
		models:    `{"data":[{"id":"` + canary + `"},{"id":"a-` + canary + `"}]}`,
		reply: func(a asked) said {
			switch {
			case a.two:
				return said{calls: []string{`{"path":"` + canary + `"}`, `{"path":"b"}`}}
			case a.tools && !a.result:
				return said{calls: []string{`{"path":"` + canary + `"}`}}
			default:
				return said{texts: []string{"it is " + canary[:half], canary[half:] + "!"}, thinks: canary}
			}
		},
		before: refuse(images, 400, `{"error":{"message":"bad key `+canary+`"}}`),
	}
	for _, p := range all() {
		o := options(t, f)
		o.Provider.Protocol = p
		r := probe.Run(t.Context(), o)
		text := fmt.Sprintf("%+v", r)
		if strings.Contains(text, canary) || !r.OK {
			t.Errorf("%s: %s", p, text)
		}
		for _, said := range []string{"bad key [key]", "it is [key]!", "([key])", "“[key]”"} {
			if !strings.Contains(text, said) && !strings.Contains(strings.ReplaceAll(text, "“[key]”", "[key]"), said) {
				t.Errorf("%s: %q is not in %s", p, said, text)
			}
		}
	}
	f.before = refuse(everyone, 404, `{"error":{"message":"no"}}`)
	if r := probe.Run(t.Context(), options(t, f)); strings.Contains(fmt.Sprintf("%+v", r), canary) || !strings.Contains(r.Hint, "[key]") {
		t.Errorf("%+v", r)
	}
}
